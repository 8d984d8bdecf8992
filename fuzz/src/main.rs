//! The targets under libFuzzer: which one is said by `PINGUP_FUZZ_TARGET`. One program for all, since linking it takes
//! longer than most of them need to find something. Run by `scripts/fuzz`.

#![no_main]
#![allow(unsafe_code, reason = "the fuzzer is C++ and finds the function by its name")]
#![allow(clippy::expect_used, clippy::panic, reason = "without a target there is nothing to do")]

use pingup_fuzz::{TARGETS, Target, target};
use std::sync::LazyLock;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    let named = std::env::var("PINGUP_FUZZ_TARGET").ok();
    let found = named.as_deref().and_then(target);
    found.unwrap_or_else(|| {
        panic!("PINGUP_FUZZ_TARGET: one of {} expected, found {named:?}", names.join(", "))
    })
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
