//! The hub's configuration, applied while the agent works.

use crate::harness::{Agent, Hub, Reply};
use pingup_protocol::{command::ResultStatus, heartbeat::HeartbeatBody, problem::ProblemType};
use serde_json::json;

#[test]
fn a_new_configuration_is_fetched_and_applied_at_once() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| hub.config = (3, json!({"intervalSeconds": 1, "allow": ["collect_now", "exec"]})));
    let agent = Agent::start_with(&hub, home.path(), &["--interval", "1h"]);
    hub.until("samples at the new interval", |hub| hub.samples.len() >= 3);
    hub.state.change(|hub| {
        hub.offer(1, "ping", json!({}));
        hub.offer(2, "exec", json!({"argv": ["true"]}));
        hub.offer(3, "collect_now", json!({}));
    });
    hub.until("three results", |hub| hub.results.len() == 3);
    {
        let hub = hub.state.lock();
        let statuses = [1, 2, 3].map(|seq| hub.result(seq).unwrap().status);
        let [ping, exec, collect] = statuses;
        assert_eq!((ping, exec), (ResultStatus::Rejected, ResultStatus::Rejected), "taken away, never added");
        assert_eq!(collect, ResultStatus::Succeeded);
    }
    let (_, log) = agent.terminate();
    assert_eq!(log.matches("applied a new configuration").count(), 1, "{log}");

    // Kept: it is in force before the hub was heard.
    hub.state.change(|hub| {
        hub.config = (2, json!({}));
        hub.offer(4, "ping", json!({}));
    });
    let agent = Agent::start_with(&hub, home.path(), &["--interval", "1h"]);
    hub.until("a fourth result", |hub| hub.result(4).is_some());
    assert_eq!(
        hub.state.lock().result(4).unwrap().status,
        ResultStatus::Rejected,
        "a lower version is refused"
    );
    assert!(agent.terminate().0.success());
}

#[test]
fn a_configuration_that_cannot_be_read_is_refused_once() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| {
        hub.config = (1, json!({"discovery": {"everySeconds": 60, "cidrs": ["10.0.0.0/8"]}}));
        hub.offer(1, "ping", json!({}));
    });
    let agent = Agent::start(&hub, home.path());
    hub.until("a result and a sample", |hub| hub.result(1).is_some() && hub.samples.len() >= 2);
    let (_, log) = agent.terminate();
    assert_eq!(log.matches("refused a configuration").count(), 1, "{log}");
    assert_eq!(hub.state.lock().result(1).unwrap().status, ResultStatus::Succeeded);
}

#[test]
fn what_became_of_a_configuration_is_told_at_once() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let report = |version: u64, refused: Option<u64>| {
        move |beat: &HeartbeatBody| {
            let Some(config) = &beat.config else { return false };
            config.applied == Some(version)
                && config.refused.as_ref().map(|refused| refused.version) == refused
        }
    };
    hub.state.change(|hub| hub.config = (1, json!({"intervalSeconds": 1, "allow": ["ping"]})));
    let agent = Agent::start_with(&hub, home.path(), &["--interval", "1h"]);
    hub.until("the first is applied", |hub| hub.beats.iter().any(report(1, None)));
    // The next heartbeats would be half a minute apart each.
    hub.state.change(|hub| {
        hub.config = (2, json!({"discovery": {"cidrs": ["10.0.0.0/16", "10.1.0.0/16"]}}));
        hub.offer(1, "collect_now", json!({}));
    });
    hub.until("the second is refused", |hub| hub.beats.iter().any(report(1, Some(2))));
    {
        let hub = hub.state.lock();
        let told = hub.beats.iter().find_map(|beat| beat.config.as_ref()?.refused.clone()).unwrap();
        assert!(told.reason.contains("/config/discovery/cidrs"), "{told:?}");
    }
    let samples = hub.state.lock().samples.len();
    hub.until("the old interval goes on", |hub| hub.samples.len() >= samples + 2 && hub.result(1).is_some());
    assert_eq!(hub.state.lock().result(1).unwrap().status, ResultStatus::Rejected, "so does the old list");
    hub.state.change(|hub| {
        hub.config = (3, json!({"intervalSeconds": 1}));
        hub.offer(2, "collect_now", json!({}));
    });
    hub.until("the third is applied", |hub| hub.beats.iter().any(report(3, None)));
    hub.until("a result under it", |hub| hub.result(2).is_some());
    assert_eq!(hub.state.lock().result(2).unwrap().status, ResultStatus::Succeeded);
    assert!(agent.terminate().0.success());
}

#[test]
fn what_was_taken_away_before_a_command_was_queued_does_not_run() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start_with(&hub, home.path(), &["--allow", "ping,exec"]);
    hub.state.change(|hub| hub.offer(1, "exec", json!({"argv": ["true"]})));
    hub.until("a result", |hub| hub.result(1).is_some());
    hub.state.change(|hub| {
        // It cannot even be fetched at once.
        hub.reply("config", Reply::problem(ProblemType::Overloaded));
        hub.config = (1, json!({"allow": ["ping"]}));
        hub.offer(2, "exec", json!({"argv": ["true"]}));
        hub.offer(3, "ping", json!({}));
    });
    hub.until("the other results", |hub| hub.result(3).is_some());
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    let statuses = [1, 2, 3].map(|seq| hub.result(seq).unwrap().status);
    assert_eq!(statuses, [ResultStatus::Succeeded, ResultStatus::Rejected, ResultStatus::Succeeded]);
}
