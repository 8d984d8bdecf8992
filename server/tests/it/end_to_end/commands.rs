//! Commands that outlive their agent, or that others wait behind.

use super::{Program, online, run};
use crate::harness::{Hub, PATIENCE, eventually, signal};
use serde_json::{Value, json};
use std::time::Instant;

#[test]
fn an_agent_killed_in_the_middle_of_a_command_never_runs_it_again() {
    let hub = Hub::start();
    let state = tempfile::tempdir().unwrap();
    let trace = state.path().join("ran");
    let agent = Program::start(&hub.wire, &state.path().join("agent"), Some(&hub.join_token()));
    let operator = hub.operator("operator");
    let id = online(&operator);
    let script = format!("echo $$ >> '{}'; exec sleep 600", trace.display());
    let order = json!({"agentId": id, "action": "exec", "params": {"argv": ["sh", "-c", script], "timeoutSeconds": 900}});
    let queued = operator.post("/api/v1/commands", &order).expect(201);
    let sleeper = eventually("the command runs", || {
        std::fs::read_to_string(&trace).ok().filter(|text| text.ends_with('\n'))
    });
    drop(agent);

    let agent = Program::start(&hub.wire, &state.path().join("agent"), None);
    let path = format!("/api/v1/commands/{}", queued["commandId"].as_str().unwrap());
    eventually("its end is reported", || {
        (operator.get(&path).expect(200)["status"] == "unknown").then_some(())
    });
    assert_eq!(run(&operator, &id, "ping", json!({})).0["status"], "succeeded", "and the queue goes on");
    assert_eq!(std::fs::read_to_string(&trace).unwrap(), sleeper, "it ran once");
    signal(sleeper.trim().parse().unwrap(), "KILL");
    agent.terminate();
}

#[test]
fn a_command_that_runs_long_is_watched_and_ended_and_those_behind_it_are_not_held_up() {
    let hub = Hub::start();
    let state = tempfile::tempdir().unwrap();
    let agent = Program::start(&hub.wire, &state.path().join("agent"), Some(&hub.join_token()));
    let operator = hub.operator("operator");
    let id = online(&operator);
    let order = |argv: Value| {
        let body = json!({"agentId": id, "action": "exec", "params": {"argv": argv}, "timeoutSeconds": 900});
        let queued = operator.post("/api/v1/commands", &body).expect(201);
        format!("/api/v1/commands/{}", queued["commandId"].as_str().unwrap())
    };
    let long = order(json!(["sh", "-c", "echo begun; sleep 600"]));
    let behind = order(json!(["sh", "-c", "echo behind"]));
    let seen = eventually("it is seen to run", || {
        let command = operator.get(&long).expect(200);
        (command["status"] == "running" && command["outputSoFar"] == "begun\n").then_some(command)
    });
    assert!(seen["startedAt"].is_string() && seen["result"].is_null(), "{seen}");
    let asked = Instant::now();
    operator.delete(&long).expect(202);
    let ended = eventually("it is ended", || {
        let command = operator.get(&long).expect(200);
        (command["status"] == "cancelled").then_some(command)
    });
    assert!(asked.elapsed() < PATIENCE / 2, "woken, not timed out");
    let output = ended["result"]["output"].as_str().unwrap();
    assert!(output.contains("it was cancelled") && output.contains("begun"), "{ended}");
    assert!(ended["cancelAskedAt"].is_string() && ended["outputSoFar"].is_null(), "{ended}");
    eventually("the one behind it", || {
        (operator.get(&behind).expect(200)["status"] == "succeeded").then_some(())
    });
    agent.terminate();
}
