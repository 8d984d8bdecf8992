//! The status: of an agent at work, one that has ended, one that died, and none.

use crate::harness::{Agent, Hub, Reply, program};
use pingup_protocol::problem::ProblemType;
use serde_json::Value;
use std::{os::unix::fs::PermissionsExt, path::Path};

fn asked(state: &Path) -> (Option<i32>, Value) {
    let output = program().args(["status", "--json", "--state-dir"]).arg(state).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn an_agent_says_how_it_does_while_it_works_and_when_it_ends() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| hub.config = (4, serde_json::json!({})));
    assert_eq!(asked(home.path()).0, Some(3), "none was ever there");
    let key = "pok_F0VTtFbd38aQjsqxwQH-arIeK6oGF3lbfUOmNIKZP9U ada";
    let agent = Agent::start_with(&hub, home.path(), &["--interval", "1s", "--operator-key", key]);
    let is_told = || asked(home.path()).1["agent"]["committedAt"].is_string();
    agent.until("a push that was written down", is_told);
    let (code, report) = asked(home.path());
    assert_eq!((code, report["condition"].as_str()), (Some(0), Some("well")), "{report:#}");
    let said = &report["agent"];
    assert_eq!((said["agentId"].as_str(), said["hub"].as_str()), (Some("AGENT-1"), Some(hub.url().as_str())));
    assert!(said["lastPush"]["answer"].as_str().unwrap().starts_with("committed: "), "{report:#}");
    assert_eq!((said["pendingCommands"].as_u64(), said["configVersion"].as_u64()), (Some(0), Some(4)));
    assert_eq!(said["orders"], serde_json::json!({"keys": [key], "actions": ["exec", "restart_service"]}));
    let mode = std::fs::metadata(home.path().join("status.json")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);

    let output = program().args(["status", "--state-dir"]).arg(home.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("condition well\n") && text.contains("records wait;"), "{text}");
    assert!(text.contains(&format!("exec, restart_service need one signed by {key}")), "{text}");

    assert!(agent.terminate().0.success());
    let (code, report) = asked(home.path());
    assert_eq!(code, Some(3), "{report:#}");
    assert!(report["why"].as_str().unwrap().contains("told to stop"), "{report:#}");
}

#[test]
fn an_agent_that_was_killed_or_revoked_does_not_run() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start(&hub, home.path());
    agent.until("a word of it", || home.path().join("status.json").exists());
    agent.kill();
    let (code, report) = asked(home.path());
    assert_eq!(code, Some(3));
    assert!(report["why"].as_str().unwrap().contains("died"), "{report:#}");

    hub.state.change(|hub| hub.reply("heartbeat", Reply::problem(ProblemType::AgentRevoked)));
    assert_eq!(Agent::start(&hub, home.path()).ended().0.code(), Some(77));
    let (code, report) = asked(home.path());
    assert_eq!(code, Some(3));
    assert!(report["why"].as_str().unwrap().contains("revoked"), "{report:#}");
}

#[test]
fn an_agent_that_is_still_enrolling_is_told_from_none() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| hub.reply("agents", Reply::Swallow));
    let agent = Agent::start(&hub, home.path());
    hub.until("an enrolment", |hub| !hub.enrolments.is_empty());
    let (code, report) = asked(home.path());
    assert_eq!(code, Some(1), "{report:#}");
    assert!(report["why"].as_str().unwrap().contains("not enrolled yet"), "{report:#}");
    assert!(agent.terminate().0.success());
    assert_eq!(asked(home.path()).0, Some(3));
}

#[test]
fn an_agent_whose_hub_is_away_is_in_trouble_and_says_what_waits() {
    let mut hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start(&hub, home.path());
    hub.until("a sample", |hub| !hub.samples.is_empty());
    hub.go_away();
    agent.until("trouble", || asked(home.path()).0 == Some(1));
    agent.until("samples that wait", || asked(home.path()).1["agent"]["spool"]["records"].as_u64() > Some(0));
    let (_, report) = asked(home.path());
    // Where the question for commands failed first, no push is tried before the wait is over, and the heartbeat tells.
    let why = report["why"].as_str().unwrap();
    assert!(
        ["cannot reach the hub", "last answered a heartbeat"].iter().any(|words| why.contains(words)),
        "{report:#}"
    );
    assert!(agent.terminate().0.success());
}

#[test]
fn an_agent_whose_hub_stores_nothing_is_in_trouble() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    // Everything is too old for it, also what was measured just now.
    hub.state.change(|hub| hub.keeps_seconds = -3_600);
    let agent = Agent::start(&hub, home.path());
    agent.until("trouble", || asked(home.path()).0 == Some(1));
    let (_, report) = asked(home.path());
    assert!(report["why"].as_str().unwrap().contains("keeps nothing as old as"), "{report:#}");
    assert!(agent.terminate().0.success());
}

#[test]
fn what_makes_no_sense_is_not_believed_and_a_bad_question_is_refused() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("status.json"), "{\"pid\": \"x\"}").unwrap();
    assert_eq!(asked(home.path()).0, Some(3));
    std::fs::remove_file(home.path().join("status.json")).unwrap();
    std::fs::create_dir(home.path().join("status.json")).unwrap();
    assert_eq!(asked(home.path()).0, Some(4), "it cannot be read");
    let output = program().args(["status", "--config", "/nowhere/at-all"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
}

/// The installed settings name the state as well.
#[test]
fn the_settings_say_where_the_state_is() {
    let home = tempfile::tempdir().unwrap();
    let (state, file) = (home.path().join("state"), home.path().join("agent.toml"));
    std::fs::write(
        &file,
        format!("hub = \"http://127.0.0.1:1\"\nstate_dir = {:?}\n", state.to_str().unwrap()),
    )
    .unwrap();
    let output = program().args(["status", "--json", "--config"]).arg(&file).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["why"].as_str().unwrap().contains(state.to_str().unwrap()), "{report:#}");
}
