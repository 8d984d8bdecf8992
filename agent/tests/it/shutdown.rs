//! Being told to stop.

use crate::harness::{Agent, Hub, Reply};
use pingup_protocol::{command::ResultStatus, heartbeat::Presence};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn the_hub_hears_at_once_that_an_agent_goes() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start(&hub, home.path());
    hub.until("a sample", |hub| !hub.samples.is_empty());
    let (status, log) = agent.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    let hub = hub.state.lock();
    let last = hub.beats.last().unwrap();
    assert_eq!(last.status, Presence::Offline);
    assert!(hub.beats.iter().rev().skip(1).all(|beat| beat.timestamp < last.timestamp));
}

#[test]
fn a_command_that_runs_is_ended_and_its_outcome_told() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("ran");
    hub.state.change(|hub| {
        let script = "echo so far; echo > \"$0\"; sleep 600";
        hub.offer(1, "exec", json!({"argv": ["sh", "-c", script, file]}));
    });
    let agent = Agent::start_with(&hub, home.path(), &["--allow", "exec"]);
    hub.until("the command to run", |hub| hub.outputs.contains_key(&1));
    assert!(file.exists());
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    let result = hub.result(1).expect("told before it went");
    assert_eq!(result.status, ResultStatus::Failed);
    let output = result.output.as_deref().unwrap();
    assert!(output.contains("the agent was stopped") && output.contains("so far"), "{output}");
}

#[test]
fn a_hub_that_does_not_answer_holds_nobody_up() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| hub.reply("metrics", Reply::Swallow));
    let agent = Agent::start(&hub, home.path());
    hub.until("a sample that is never answered", |hub| !hub.samples.is_empty());
    hub.state.change(|hub| {
        hub.reply("heartbeat", Reply::Swallow);
        hub.reply("heartbeat", Reply::Swallow);
    });
    let told = Instant::now();
    assert!(agent.terminate().0.success());
    assert!(told.elapsed() < Duration::from_secs(10), "bounded, whatever the hub does");
}

#[test]
fn an_agent_that_is_still_enrolling_can_be_stopped() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| hub.reply("agents", Reply::Swallow));
    let agent = Agent::start(&hub, home.path());
    hub.until("an enrolment", |hub| !hub.enrolments.is_empty());
    assert!(agent.terminate().0.success());
}
