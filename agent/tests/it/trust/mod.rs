//! Over TLS: an agent works with the hub that it was told of, and says nothing to anybody else.

mod authorities;
mod doctor;
mod install;
mod pins;

use crate::harness::{Agent, Hub, program, spooled_bytes};
use serde_json::Value;
use std::path::Path;

/// That nobody was told anything: no request was heard, nor a handshake brought to its end; and why, by the log.
fn assert_nothing_was_said(hub: &Hub, agent: Agent, why: &str) {
    agent.until_it_says(why);
    hub.until("a handshake that the agent ended", |hub| !hub.refused.is_empty());
    let (ended, log) = agent.terminate();
    assert!(ended.success(), "{log}");
    let hub = hub.state.lock();
    assert_eq!((hub.asked, hub.handshakes.as_slice()), (0, [].as_slice()), "{log}");
    assert!(!log.contains("pjt_"), "{log}");
}

/// What `status` says of the agent with its state there.
fn status(state: &Path) -> Value {
    let output = program().args(["status", "--json", "--state-dir"]).arg(state).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits until the agent has measured and kept more than it has now.
fn wait_for_more(agent: &Agent, state: &Path) {
    let before = spooled_bytes(state);
    agent.until("another sample", || spooled_bytes(state) > before);
}

/// A hub that speaks no TLS is not taken for one that does, and hears nothing that it could read.
#[test]
fn a_hub_without_tls_is_told_nothing_at_an_https_address() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let url = hub.url().replace("http://", "https://");
    let agent = Agent::start_towards(&url, &hub, home.path(), &[]);
    agent.until_it_says("does not speak TLS");
    assert!(agent.terminate().0.success());
    assert_eq!(hub.state.lock().asked, 0);
}
