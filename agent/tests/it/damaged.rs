//! Files in the state folder that a power cut left empty, cut off or full of zeros: none of them costs the identity.

use crate::harness::{Agent, Hub, program};
use pingup_protocol::command::ResultStatus;
use serde_json::{Value, json};
use std::path::Path;

const DAMAGES: [&[u8]; 3] = [b"", b"{\"version\":", &[0; 40]];

/// What the doctor says of what is kept: the outcome, and the remedy.
fn kept(hub: &Hub, state: &Path) -> (String, String) {
    let mut doctor = program();
    doctor.args(["doctor", "--json", "--hub", &hub.url(), "--state-dir"]).arg(state);
    let report: Value = serde_json::from_slice(&doctor.output().unwrap().stdout).unwrap();
    let found = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "kept").unwrap();
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (text("outcome"), text("remedy"))
}

#[test]
fn a_damaged_configuration_is_fetched_again() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| hub.config = (3, json!({"intervalSeconds": 1, "allow": ["ping"]})));
    let file = home.path().join("config.json");
    let agent = Agent::start_with(&hub, home.path(), &["--interval", "1h"]);
    agent.until_it_says("applied a new configuration");
    assert!(agent.terminate().0.success());
    let whole = std::fs::read(&file).unwrap();
    assert_eq!(kept(&hub, home.path()).0, "ok");
    for (seq, damage) in (1..).zip(DAMAGES) {
        std::fs::write(&file, damage).unwrap();
        let (outcome, remedy) = kept(&hub, home.path());
        assert_eq!(outcome, "warn");
        assert!(remedy.contains("fetches another"), "{remedy}");
        hub.state.change(|hub| hub.offer(seq, "collect_now", json!({})));
        let agent = Agent::start_with(&hub, home.path(), &["--interval", "1h"]);
        agent.until_it_says("applied a new configuration");
        hub.until("a result", |hub| hub.result(seq).is_some());
        let (ended, log) = agent.terminate();
        assert!(ended.success());
        assert_eq!(log.matches("the kept configuration cannot be used").count(), 1, "said once: {log}");
        assert_eq!(hub.state.lock().result(seq).unwrap().status, ResultStatus::Rejected);
        assert_eq!(std::fs::read(&file).unwrap(), whole);
    }
}

#[test]
fn a_damaged_journal_is_given_up_alone() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| hub.offer(1, "ping", json!({})));
    let agent = Agent::start(&hub, home.path());
    hub.until("a result", |hub| hub.result(1).is_some());
    assert!(agent.terminate().0.success());
    let file = home.path().join("journal.json");
    for damage in DAMAGES {
        std::fs::write(&file, damage).unwrap();
        let (outcome, remedy) = kept(&hub, home.path());
        assert_eq!(outcome, "fail");
        assert!(remedy.contains("cancel at the hub") && remedy.contains("stays who it is"), "{remedy}");
        let (ended, log) = Agent::start(&hub, home.path()).ended();
        assert!(ended.code() == Some(74) && log.contains("pingup-agent doctor"), "{log}");
    }
    let result = home.path().join("results/00000000000000000007.json");
    std::fs::write(&result, "{").unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(kept(&hub, home.path()).0, "warn", "a result that cannot be read");
    let agent = Agent::start(&hub, home.path());
    agent.until("the result is passed over", || !result.exists());
    assert!(agent.terminate().0.success());
    assert_eq!(kept(&hub, home.path()).0, "ok");
    assert_eq!(hub.state.lock().enrolments.len(), 1, "it is who it was");
}
