//! Everything that reads bytes of others, each as a function of bytes that must come back: no panic, no endless loop, no
//! answer that says the hub is at fault, and what each file says beside.
//!
//! `make fuzz` runs them under libFuzzer, which watches what code an input takes and looks for more; `make test` runs
//! them over the inputs in `corpus/`, as they are and a little changed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here is found, and should stop")]

pub mod answers;
pub mod audit;
pub mod binder;
pub mod bodies;
pub mod door;
pub mod folders;
pub mod hub;
pub mod oidc;
pub mod orders;
pub mod records;
pub mod scanner;
pub mod sql;
pub mod verifier;

/// One thing to fuzz.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder in `corpus/`.
    pub name: &'static str,
    /// Takes any bytes; panics where they showed a defect.
    pub run: fn(&[u8]),
}

/// All of them.
#[rustfmt::skip]
pub const TARGETS: &[Target] = &[
    Target { name: "scanner",  run: scanner::run },
    Target { name: "verifier", run: verifier::run },
    Target { name: "bodies",   run: bodies::run },
    Target { name: "records",  run: records::run },
    Target { name: "journal",  run: folders::journal },
    Target { name: "spool",    run: folders::spool },
    Target { name: "commands", run: folders::commands },
    Target { name: "orders",   run: orders::run },
    Target { name: "answers",  run: answers::run },
    Target { name: "audit",    run: audit::run },
    Target { name: "oidc",     run: oidc::run },
    Target { name: "promql",   run: door::promql },
    Target { name: "senders",  run: door::senders },
    Target { name: "api",      run: door::api },
    Target { name: "sql",      run: sql::run },
    Target { name: "wire",     run: door::wire },
];

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
