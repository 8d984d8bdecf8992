//! A real hub in a folder of its own on a port of its own; agents and operators that speak to it.
//!
//! A hub that is dropped is stopped, and must stop cleanly; a test that fails leaves its folder behind and
//! says where.

pub mod agent;
pub mod clients;
mod guests;
mod hub;
mod log;
mod programs;
pub mod sealed;
pub mod stream;
pub mod wire;

pub use self::{
    guests::join_secret,
    hub::Hub,
    programs::{program, sibling},
};

use self::wire::Answer;
use serde_json::Value;
use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// How long anything may take that a test waits for, on a machine that does other things too.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a signal by the system's own program.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Asks again and again, for what another program brings about in its own time.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, look)
}

/// The same for what is known to take longer.
pub fn eventually_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < patience, "gave up waiting until {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// Checks a refusal: its status, its name, and the form of its document.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, name: &str) -> Value {
    let problem = answer.json();
    assert_eq!(
        (answer.status, problem["type"].as_str()),
        (status, Some(&*format!("urn:pingup:problem:{name}"))),
        "{answer:?}"
    );
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(problem["status"], status);
    for member in ["title", "detail", "serverTime"] {
        assert!(problem[member].is_string(), "{member} in {problem}");
    }
    assert!(problem["retryable"].is_boolean(), "{problem}");
    problem
}
