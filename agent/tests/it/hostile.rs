//! A hub, or whoever passes for one, that says what would act where a person reads it: in the agent's log and in what it
//! prints it does not.

use crate::harness::{Agent, Hub, Reply, program};
use pingup_protocol::{
    plain::acts,
    problem::{Problem, ProblemType},
    time::Timestamp,
};
use serde_json::json;

/// A forged line, escape sequences of both kinds, an override of direction.
const HOSTILE: &str = "x\r\n2026-01-01T00:00:00.000000Z ERROR forged\n\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{202e}txt\u{2028}\u{7f}<b>";

#[test]
fn nothing_that_a_hub_says_acts_in_log_and_status() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| {
        for route in ["metrics", "heartbeat", "result"] {
            hub.reply(route, Reply::Problem(Problem::new(ProblemType::Overloaded, HOSTILE)));
        }
        hub.offer(1, HOSTILE, json!({ HOSTILE: HOSTILE }));
        hub.offer(2, "exec", json!({"argv": [HOSTILE]}));
        hub.offer(3, "exec", json!({HOSTILE: 1}));
    });
    let agent = Agent::start_with(&hub, home.path(), &["--interval", "1s", "--allow", "ping,exec"]);
    hub.until("three results", |hub| hub.results.len() == 3);
    hub.until("a sample", |hub| !hub.samples.is_empty());
    for arguments in [&["status"][..], &["status", "--json"]] {
        let output = program().args(arguments).arg("--state-dir").arg(home.path()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.lines().any(|line| line.contains(acts)), "{text}");
    }
    let (status, log) = agent.terminate();
    assert!(status.success() && log.contains("forged"), "{log}");
    for line in log.lines() {
        assert!(!line.contains(acts), "{line}");
        let moment = line.split(' ').next().unwrap_or_default();
        assert!(moment.len() == 27 && Timestamp::parse(moment).is_ok(), "no event: {line}");
        assert!(!line.starts_with("2026-01-01"), "{line}");
    }
}
