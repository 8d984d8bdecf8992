//! What the hub's own parts cost: the [`queue`] there and back, a commit and a seal ([`storing`]), and
//! [`questions`] to a filled history. Its size is set by the environment: see [`pingup_benches::sizes`].
//!
//! `cargo bench -p pingup-benches --bench hub -- seal` runs those whose name has `seal` in it; the history is
//! filled only if a question is asked.

mod questions;
mod queue;
mod storing;

use criterion::Criterion;
use pingup_benches::sizes::Sizes;
use std::io::{self, Write};

fn main() {
    let sizes = Sizes::from_env(env!("CARGO_TARGET_TMPDIR")).unwrap_or_else(|error| panic!("{error}"));
    // Who does not read it does without.
    let _ = writeln!(io::stderr(), "{sizes}");
    let mut criterion = Criterion::default().configure_from_args();
    queue::there_and_back(&mut criterion, &sizes);
    storing::append(&mut criterion, &sizes);
    storing::seal(&mut criterion, &sizes);
    questions::history(&mut criterion, &sizes);
    criterion.final_summary();
}
