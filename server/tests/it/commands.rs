//! /api/v1/commands: queued over REST, pulled signed, run at most once, answered once.

mod queue;

use crate::harness::{
    Hub,
    agent::{Agent, now},
    refused,
    wire::Wire,
};
use pingup_protocol::signing;
use serde_json::{Value, json};
use std::{
    thread,
    time::{Duration, Instant},
};

fn queue(operator: &Wire, action: &str) -> Value {
    operator.post("/api/v1/commands", &json!({"agentId": "A", "action": action})).expect(201)
}

fn result(agent: &Agent, command: &Value, status: &str) -> Value {
    json!({"agentId": agent.id, "timestamp": now(), "commandId": command["commandId"], "commandSeq": command["commandSeq"],
           "status": status, "exitCode": 0, "output": "pong", "startedAt": "2026-02-25T10:00:00Z", "finishedAt": "2026-02-25T10:00:01Z"})
}

fn path(command: &Value, tail: &str) -> String {
    format!("/api/v1/commands/{}{tail}", command["commandId"].as_str().unwrap())
}

#[test]
fn a_command_goes_out_signed_and_its_result_comes_back_once() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let operator = hub.operator("operator");
    let queued = queue(&operator, "ping");
    let id = queued["commandId"].as_str().unwrap();
    assert!(id.starts_with("CMD-20") && id.ends_with("-001"), "{id}");
    assert_eq!((&queued["status"], &queued["commandSeq"]), (&json!("pending"), &json!(1)));
    assert_eq!(agent.verified(&agent.heartbeat("online"))["pendingCommands"], 1);

    let answer = agent.pending("");
    assert_eq!((&answer["agentId"], &answer["configVersion"]), (&json!("A"), &json!(0)));
    let command = &answer["commands"][0];
    assert!(
        signing::scan(&serde_json::to_vec(command).unwrap()).unwrap().verify(&agent.down),
        "each command is signed"
    );
    assert_eq!(
        (&command["action"], &command["params"], &command["agentId"]),
        (&json!("ping"), &json!({}), &json!("A"))
    );
    assert_eq!(operator.get(&path(&queued, "")).expect(200)["status"], "delivered");
    assert_eq!(
        agent.pending("")["commands"].as_array().unwrap().len(),
        1,
        "handed out again until a result comes"
    );
    assert_eq!(agent.pending("&after=1")["commands"], json!([]));

    let done = result(&agent, command, "succeeded");
    agent.post(&path(command, "/result"), &done).expect(200);
    let mut again = done;
    again["timestamp"] = json!(now());
    agent.post(&path(command, "/result"), &again).expect(200);
    again["output"] = json!("something else");
    refused(&agent.post(&path(command, "/result"), &again), 409, "result-conflict");
    let seen = operator.get(&path(&queued, "")).expect(200);
    assert_eq!(
        (&seen["status"], &seen["result"]["output"], &seen["result"]["exitCode"]),
        (&json!("succeeded"), &json!("pong"), &json!(0))
    );
    for time in ["createdAt", "deliveredAt", "startedAt", "finishedAt", "expiresAt"] {
        assert!(seen[time].is_string(), "{time} in {seen}");
    }
    assert_eq!(agent.pending("")["commands"], json!([]));
}

#[test]
fn a_waiting_request_is_woken_by_a_command_and_only_by_its_own() {
    let hub = Hub::start();
    let (agent, other) = (hub.register("A"), hub.register("B"));
    let operator = hub.operator("operator");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let begun = Instant::now();
            (agent.pending("&wait=60"), begun.elapsed())
        });
        let alone = scope.spawn(|| other.pending("&wait=1"));
        assert_eq!(alone.join().unwrap()["commands"], json!([]));
        assert!(!waiting.is_finished());
        queue(&operator, "ping");
        let (answer, waited) = waiting.join().unwrap();
        assert_eq!(answer["commands"][0]["action"], "ping");
        assert!(waited < Duration::from_secs(30), "woken, not timed out: {waited:?}");
    });
}

#[test]
fn a_removed_agent_is_told_so_in_the_middle_of_its_wait() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let admin = hub.operator("admin");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| agent.wire.get("/api/v1/commands/pending/A?nonce=n&wait=60"));
        crate::harness::eventually("the agent is removed", || {
            // Beats first, so that the request is there before the removal in all likelihood; either way it ends.
            (agent.heartbeat("online").status == 200).then(|| admin.delete("/api/v1/agents/A").expect(200))
        });
        let begun = Instant::now();
        refused(&waiting.join().unwrap(), 403, "agent-revoked");
        assert!(begun.elapsed() < Duration::from_secs(30), "at once, not when the wait ends");
    });
}

#[test]
fn a_result_before_the_command_was_handed_out_is_nobodys() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let operator = hub.operator("operator");
    let command = queue(&operator, "ping");
    refused(
        &agent.post(&path(&command, "/result"), &result(&agent, &command, "succeeded")),
        403,
        "agent-mismatch",
    );
    assert_eq!(operator.get(&path(&command, "")).expect(200)["status"], "pending");
}

#[test]
fn what_is_over_cannot_be_cancelled_and_what_is_old_expires() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let operator = hub.operator("operator");
    let cancelled = queue(&operator, "ping");
    assert_eq!(operator.delete(&path(&cancelled, "")).expect(200)["status"], "cancelled");
    refused(&operator.delete(&path(&cancelled, "")), 409, "result-conflict");
    assert_eq!(agent.pending("")["commands"], json!([]));
    refused(
        &agent.post(&path(&cancelled, "/result"), &result(&agent, &cancelled, "succeeded")),
        409,
        "result-conflict",
    );

    let delivered = queue(&operator, "ping");
    assert_eq!(agent.pending("")["commands"].as_array().unwrap().len(), 1);
    for _ in 0..2 {
        let asked = operator.delete(&path(&delivered, "")).expect(202);
        assert_eq!((&asked["status"], asked["cancelAskedAt"].is_string()), (&json!("delivered"), true));
    }
    assert_eq!(agent.pending("&after=2")["cancel"], json!([delivered["commandId"]]));
    agent.post(&path(&delivered, "/result"), &result(&agent, &delivered, "cancelled")).expect(200);
    refused(&operator.delete(&path(&delivered, "")), 409, "result-conflict");

    let short = json!({"agentId": "A", "action": "collect_now", "ttlSeconds": 1});
    let short = operator.post("/api/v1/commands", &short).expect(201);
    crate::harness::eventually("it has expired", || {
        (operator.get(&path(&short, "")).expect(200)["status"] == "expired").then_some(())
    });
    assert_eq!(agent.pending("")["commands"], json!([]));
}

#[test]
fn output_so_far_is_seen_while_a_command_runs() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let operator = hub.operator("operator");
    let order = json!({"agentId": "A", "action": "ping", "ttlSeconds": 2_592_000, "timeoutSeconds": 5});
    let queued = operator.post("/api/v1/commands", &order).expect(201);
    let command = &agent.pending("&after=0")["commands"][0];
    assert_eq!(command["timeoutSeconds"], 5);
    let say = |offset: usize, output: &str| {
        let body = json!({"agentId": "A", "timestamp": now(), "commandId": command["commandId"], "commandSeq": 1,
                          "startedAt": "2026-02-25T10:00:00Z", "offset": offset, "output": output});
        agent.post(&path(command, "/progress"), &body)
    };
    assert_eq!(say(0, "").expect(200)["status"], "running");
    let most = "\u{1}".repeat(32 * 1024);
    assert_eq!(say(0, &most).expect(200)["outputBytes"], 32 * 1024);
    assert_eq!(say(32 * 1024, &most).expect(200)["outputBytes"], 64 * 1024);
    assert_eq!(refused(&say(64 * 1024, "x"), 422, "schema-invalid")["errors"][0]["pointer"], "/offset");
    let seen = operator.get(&path(&queued, "")).expect(200);
    assert_eq!((&seen["status"], &seen["startedAt"]), (&json!("running"), &json!("2026-02-25T10:00:00Z")));
    assert_eq!(seen["outputSoFar"].as_str().unwrap().len(), 64 * 1024);
    assert_eq!(
        operator.get("/api/v1/commands?status=running").expect(200)["items"][0]["commandId"],
        queued["commandId"]
    );
    assert_eq!(agent.pending("&after=0")["commands"], json!([]), "it has begun, whatever its agent forgot");
    refused(
        &agent.wire.post(&path(command, "/progress"), &json!({"agentId": "A"})),
        400,
        "signature-missing",
    );
}

#[test]
fn a_result_for_anothers_command_is_refused_and_changes_nothing() {
    let hub = Hub::start();
    let (agent, thief) = (hub.register("A"), hub.register("B"));
    let operator = hub.operator("operator");
    let command = queue(&operator, "ping");
    agent.pending("");
    refused(
        &thief.post(&path(&command, "/result"), &result(&thief, &command, "succeeded")),
        403,
        "agent-mismatch",
    );
    let mut wrong = result(&agent, &command, "succeeded");
    wrong["commandSeq"] = json!(2);
    refused(&agent.post(&path(&command, "/result"), &wrong), 403, "agent-mismatch");
    let unknown = json!({"commandId": "CMD-2026-999", "commandSeq": 1});
    refused(
        &agent.post(&path(&unknown, "/result"), &result(&agent, &unknown, "failed")),
        403,
        "agent-mismatch",
    );
    refused(
        &agent.post("/api/v1/commands/CMD-1-1/result", &result(&agent, &command, "failed")),
        422,
        "schema-invalid",
    );
    refused(&thief.wire.get("/api/v1/commands/pending/A?nonce=n"), 403, "agent-mismatch");
    assert_eq!(operator.get(&path(&command, "")).expect(200)["status"], "delivered");
}
