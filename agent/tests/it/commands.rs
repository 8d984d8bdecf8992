//! Commands: run at most once, only when they are the hub's, only when they may, and reported.

use crate::harness::{Agent, Hub, Offered, Reply};
use pingup_protocol::{
    command::ResultStatus,
    limits::{BATCH_BODY_BYTES_MAX, OUTPUT_BYTES_MAX},
    problem::ProblemType,
};
use serde_json::json;
use std::{net::TcpListener, path::Path};

fn with_exec(hub: &Hub, state: &Path) -> Agent {
    Agent::start_with(hub, state, &["--allow", "ping,exec"])
}

/// A command that leaves a line in `file` each time it runs.
fn leaves_a_line(file: &Path) -> serde_json::Value {
    json!({"argv": ["sh", "-c", "echo ran >> \"$0\"", file]})
}

fn lines(file: &Path) -> usize {
    std::fs::read_to_string(file).unwrap_or_default().lines().count()
}

#[test]
fn commands_run_in_order_and_their_results_come_back() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start_with(&hub, home.path(), &["--allow", "ping,exec,collect_now,run_discovery"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    hub.state.change(|hub| {
        hub.offer(1, "ping", json!({}));
        hub.offer(2, "exec", json!({"argv": ["sh", "-c", "echo out; echo err >&2; exit 7"]}));
        hub.offer(3, "collect_now", json!({}));
        hub.offer(4, "run_discovery", json!({"cidr": "127.0.0.1/32", "ports": [port]}));
    });
    hub.until("four results", |hub| hub.results.len() == 4);
    hub.until("the scan", |hub| !hub.scans.is_empty());
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    let told: Vec<_> = hub.results.iter().map(|r| (r.command_seq, r.status, r.exit_code)).collect();
    assert_eq!(told[0], (1, ResultStatus::Succeeded, None));
    assert_eq!(told[1], (2, ResultStatus::Failed, Some(7)));
    assert_eq!(told[2..], [(3, ResultStatus::Succeeded, None), (4, ResultStatus::Succeeded, None)]);
    assert_eq!(hub.results[0].output.as_deref(), Some("pong"));
    assert_eq!(hub.results[1].output.as_deref(), Some("out\nerr\n"));
    assert!(hub.results.iter().all(|result| result.started_at <= result.finished_at));
    assert_eq!(hub.scans[0].discovery.hosts[0].ports, [port]);
}

#[test]
fn a_command_that_is_handed_out_again_does_not_run_again() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("ran");
    hub.state.change(|hub| {
        hub.forgetful = true;
        hub.offer(1, "exec", leaves_a_line(&file));
    });
    for _ in 0..2 {
        let polls = hub.state.lock().polls;
        let agent = with_exec(&hub, home.path());
        hub.until("polls that hand it out again", |hub| hub.polls >= polls + 3);
        agent.kill();
    }
    assert_eq!(lines(&file), 1);
    assert_eq!(hub.state.lock().results.len(), 1);
}

#[test]
fn a_command_that_was_tampered_with_does_not_run_and_holds_nothing_up() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("ran");
    hub.state.change(|hub| {
        let mut tampered = hub.command(1, "ping", json!({}));
        tampered["action"] = json!("exec");
        tampered["params"] = leaves_a_line(&file);
        hub.offered.push(Offered { seq: 1, json: tampered });
        hub.offer(2, "ping", json!({}));
    });
    let agent = with_exec(&hub, home.path());
    hub.until("the good one's result", |hub| hub.result(2).is_some());
    let (_, log) = agent.terminate();
    assert!(log.contains("its signature is not the hub's"), "{log}");
    assert_eq!((lines(&file), hub.state.lock().results.len()), (0, 1));
}

#[test]
fn what_is_not_allowed_or_does_not_fit_is_rejected_with_the_reason() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = with_exec(&hub, home.path());
    hub.state.change(|hub| {
        hub.offer(1, "restart_service", json!({"service": "nginx"}));
        hub.offer(2, "exec", json!({"argv": "rm -rf /"}));
        hub.offer(3, "run_discovery", json!({"cidr": "10.0.0.0/8"}));
    });
    hub.until("three results", |hub| hub.results.len() == 3);
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    for (seq, reason) in [(1, "allow-list"), (2, "/params"), (3, "allow-list")] {
        let result = hub.result(seq).unwrap();
        assert_eq!(result.status, ResultStatus::Rejected);
        assert!(result.output.as_deref().unwrap().contains(reason), "{result:?}");
    }
}

/// Of three that are handed out together the first runs until the second has expired.
#[test]
fn a_command_that_expires_behind_another_is_left_to_the_hub_and_holds_nothing_up() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    let go = home.path().join("go");
    let agent = with_exec(&hub, &home.path().join("state"));
    hub.until("a request that waits", |hub| hub.polls > 0);
    let expires = hub.state.change(|hub| {
        let expires = hub.now().plus_seconds(2);
        let script = "while ! test -e \"$0\"; do sleep 0.05; done";
        hub.offer(1, "exec", json!({"argv": ["sh", "-c", script, go]}));
        hub.offer_changed(2, |ping| {
            ping["action"] = json!("ping");
            ping["expiresAt"] = json!(expires);
        });
        hub.offer(3, "ping", json!({}));
        expires
    });
    while hub.state.lock().now() <= expires {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    std::fs::write(&go, "").unwrap();
    hub.until("the last one's result", |hub| hub.result(3).is_some());
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    let told: Vec<_> = hub.results.iter().map(|result| (result.command_seq, result.status)).collect();
    assert_eq!(
        told,
        [(1, ResultStatus::Succeeded), (3, ResultStatus::Succeeded)],
        "of the second nothing is said"
    );
    assert_eq!(hub.expired.iter().copied().collect::<Vec<_>>(), [2], "so the hub ends it");
}

#[test]
fn a_command_that_ran_when_the_agent_was_killed_is_unknown() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("ran");
    hub.state.change(|hub| {
        hub.offer(1, "exec", json!({"argv": ["sh", "-c", "echo ran >> \"$0\"; exec sleep 600", file]}));
    });
    let agent = with_exec(&hub, home.path());
    hub.until("the command to run", |hub| !hub.progress.is_empty());
    assert_eq!(lines(&file), 1);
    agent.kill();
    let agent = with_exec(&hub, home.path());
    hub.until("its result", |hub| hub.result(1).is_some());
    assert!(agent.terminate().0.success());
    assert_eq!(hub.state.lock().result(1).unwrap().status, ResultStatus::Unknown);
    assert_eq!(lines(&file), 1);
}

#[test]
fn output_is_cut_and_time_is_up() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = with_exec(&hub, home.path());
    hub.state.change(|hub| {
        hub.offer(1, "exec", json!({"argv": ["sh", "-c", "head -c 300000 /dev/zero"]}));
        hub.offer(2, "exec", json!({"argv": ["sh", "-c", "sleep 600 & wait"], "timeoutSeconds": 1}));
    });
    hub.until("two results", |hub| hub.results.len() == 2);
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    let cut = hub.result(1).unwrap().output.as_deref().unwrap();
    assert!(cut.len() <= OUTPUT_BYTES_MAX && cut.ends_with("is not kept]"));
    let overdue = hub.result(2).unwrap();
    assert_eq!((overdue.status, overdue.exit_code), (ResultStatus::Failed, None));
    assert!(overdue.output.as_deref().unwrap().contains("ended after 1 s"));
}

#[test]
fn a_result_waits_until_the_hub_takes_it() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| {
        hub.reply("result", Reply::problem(ProblemType::Overloaded));
        hub.reply("result", Reply::problem(ProblemType::ResultConflict));
        hub.offer(1, "ping", json!({}));
        hub.offer(2, "ping", json!({}));
    });
    let agent = with_exec(&hub, home.path());
    hub.until("the second result", |hub| hub.result(2).is_some());
    assert!(hub.state.lock().result(1).is_none(), "the hub did not want it, and was not asked for ever");
    assert!(agent.terminate().0.success());
    assert_eq!(std::fs::read_dir(home.path().join("results")).unwrap().count(), 0);
}

#[test]
fn an_answer_to_another_question_is_thrown_away() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let replayed = {
        let hub = hub.state.lock();
        let answer = json!({
            "agentId": "AGENT-1", "nonce": "recorded", "serverTime": hub.now(), "configVersion": 0,
            "commands": [hub.command(1, "ping", json!({}))]
        });
        pingup_protocol::signing::sign(&hub.down_key(), &answer).unwrap()
    };
    hub.state.change(|hub| hub.reply("pending", Reply::Body(200, replayed)));
    let agent = with_exec(&hub, home.path());
    hub.until("a poll after it", |hub| hub.polls > 0);
    let (_, log) = agent.terminate();
    assert!(log.contains("it answers another request"), "{log}");
    assert!(hub.state.lock().results.is_empty());
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let large = vec![b' '; BATCH_BODY_BYTES_MAX + 1];
    hub.state.change(|hub| {
        hub.reply("pending", Reply::Body(200, large));
        hub.offer(1, "ping", json!({}));
    });
    let agent = with_exec(&hub, home.path());
    hub.until("the result of the answer after it", |hub| hub.result(1).is_some());
    assert!(agent.terminate().1.contains("cannot be read"));
}
