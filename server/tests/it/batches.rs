//! /api/v1/commands to many agents: in one write, counted, listed, taken back.

use crate::harness::{
    Hub,
    agent::{Agent, now},
    eventually, refused,
    wire::Wire,
};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::{thread, time::Duration};

/// Agents of the hub that is killed: so many that their batch is long enough under way to be met there.
const MANY: u64 = 3_000;
const ROUNDS: u64 = 6;
/// Commands that may be open for one agent.
const OPEN: u64 = 1_000;
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn post(operator: &Wire, body: &Value) -> Value {
    operator.post("/api/v1/commands", body).expect(201)
}

fn batch(wire: &Wire, batch: &Value, query: &str) -> Value {
    wire.get(&format!("/api/v1/commands/batches/{}?{query}", batch["batchId"].as_str().unwrap())).expect(200)
}

fn missing(page: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let missing = page["missing"].as_array().unwrap().iter();
    missing.map(|one| (text(&one["agentId"]), text(&one["status"]))).collect()
}

fn pair(agent_id: &str, status: &str) -> (String, String) {
    (agent_id.to_owned(), status.to_owned())
}

/// Pulls the one command that waits, and reports that it went well.
fn work_off(agent: &Agent) {
    let command = agent.pending("")["commands"][0].clone();
    let body = json!({"agentId": agent.id, "timestamp": now(), "commandId": command["commandId"],
        "commandSeq": command["commandSeq"], "status": "succeeded", "exitCode": 0, "output": "pong",
        "startedAt": now(), "finishedAt": now()});
    let path = format!("/api/v1/commands/{}/result", command["commandId"].as_str().unwrap());
    agent.post(&path, &body).expect(200);
}

#[test]
fn three_agents_are_asked_by_one_word_and_who_is_missing_is_said() {
    let hub = Hub::start();
    let agents = ["A", "B", "C"].map(|id| hub.register(id));
    hub.register("D");
    let (operator, viewer) = (hub.operator("operator"), hub.operator("viewer"));
    let queued = thread::scope(|scope| {
        let waiting = agents.each_ref().map(|agent| scope.spawn(move || agent.pending("&wait=60")));
        let queued = post(&operator, &json!({"agentIds": ["C", "A", "B"], "action": "ping"}));
        for answer in waiting.map(|waiting| waiting.join().unwrap()) {
            assert_eq!(answer["commands"][0]["action"], "ping");
        }
        queued
    });
    assert!(queued["batchId"].as_str().unwrap().ends_with("-001"), "{queued}");
    assert_eq!((&queued["action"], &queued["agents"]), (&json!("ping"), &json!(3)));
    assert_eq!((&queued["counts"]["pending"], queued["missing"].is_null()), (&json!(3), true));
    work_off(&agents[1]);
    let seen = batch(&viewer, &queued, "limit=1");
    assert_eq!((&seen["counts"]["succeeded"], &seen["counts"]["delivered"]), (&json!(1), &json!(2)));
    assert_eq!((&seen["createdAt"], &seen["expiresAt"]), (&queued["createdAt"], &queued["expiresAt"]));
    assert_eq!(missing(&seen), [pair("A", "delivered")]);
    let rest = batch(&viewer, &queued, &format!("cursor={}", seen["nextCursor"].as_str().unwrap()));
    assert_eq!((missing(&rest), &rest["nextCursor"]), (vec![pair("C", "delivered")], &Value::Null));
    let path = format!("/api/v1/commands?batchId={}&status=succeeded", queued["batchId"].as_str().unwrap());
    assert_eq!(viewer.get(&path).expect(200)["items"][0]["result"]["output"], "pong");
}

#[test]
fn agents_are_asked_by_their_labels_and_what_nobody_saw_is_taken_back() {
    let hub = Hub::start();
    let agents = ["A", "B", "C"].map(|id| hub.register(id));
    let operator = hub.operator("operator");
    let label = |id: &str, labels: Value| {
        operator.patch(&format!("/api/v1/agents/{id}"), &json!({ "labels": labels })).expect(200)["labels"]
            .clone()
    };
    label("A", json!({"role": "web", "site": "ber"}));
    assert_eq!(label("A", json!({"site": null, "rack": "7"})), json!({"role": "web", "rack": "7"}));
    label("B", json!({"role": "web"}));
    label("C", json!({"role": "db"}));
    let found = operator.get("/api/v1/agents?label=role:web").expect(200);
    let found: Vec<_> = found["items"].as_array().unwrap().iter().map(|agent| &agent["id"]).collect();
    assert_eq!(found, ["A", "B"]);
    refused(&operator.get("/api/v1/agents?label=role"), 422, "schema-invalid");

    let order =
        json!({"selector": {"labels": {"role": "web"}}, "action": "ping", "idempotencyKey": "deploy-8"});
    let queued = post(&operator, &order);
    assert_eq!(queued["agents"], 2);
    assert_eq!(agents[2].pending("")["commands"], json!([]), "it carries another label");
    assert_eq!(agents[0].pending("")["commands"].as_array().unwrap().len(), 1);
    label("C", json!({"role": "web"}));
    let again = operator.post("/api/v1/commands", &order).expect(200);
    assert_eq!((&again["batchId"], &again["agents"]), (&queued["batchId"], &json!(2)), "the same batch");
    let mut other = order;
    other["selector"] = json!({"labels": {"role": "db"}});
    refused(&operator.post("/api/v1/commands", &other), 422, "schema-invalid");

    let path = format!("/api/v1/commands/batches/{}", queued["batchId"].as_str().unwrap());
    refused(&hub.operator("viewer").delete(&path), 403, "scope-denied");
    for _ in 0..2 {
        let counts = operator.delete(&path).expect(200)["counts"].clone();
        assert_eq!((&counts["delivered"], &counts["cancelled"]), (&json!(1), &json!(1)), "{counts}");
    }
    assert_eq!(missing(&batch(&operator, &queued, "")), [pair("A", "delivered")]);
    assert_eq!(agents[1].pending("")["commands"], json!([]));
    let told = agents[0].pending(&format!("&after={}", u64::MAX >> 11));
    assert_eq!(told["cancel"].as_array().unwrap().len(), 1, "whoever has it is to end it");
    agents[0].pending("&after=0");
    assert!(missing(&batch(&operator, &queued, "")).is_empty());
}

#[test]
fn a_machine_that_is_off_keeps_no_order_from_the_others() {
    let mut hub = Hub::start();
    let agent = hub.register("A");
    hub.register("off");
    hub.stop();
    let fill = format!(
        "INSERT INTO command_seqs (agent_id, last) VALUES ('off', {OPEN});
         WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < {OPEN})
         INSERT INTO commands (id, agent_id, seq, action, params, created_at, expires_at)
         SELECT 'old-' || number, 'off', number, 'ping', '{{}}', 0, {} FROM n",
        now().plus_seconds(86_400).as_micros()
    );
    Connection::open(hub.folder().join("pingup.db")).unwrap().execute_batch(&fill).unwrap();
    hub.restart();
    let operator = hub.operator("operator");
    let order = json!({"agentIds": ["off", "A"], "action": "ping", "idempotencyKey": "deploy-9"});
    let queued = post(&operator, &order);
    let left_out = json!([{"agentId": "off", "reason": "too-many-open-commands"}]);
    assert_eq!((&queued["agents"], &queued["leftOutCount"]), (&json!(1), &json!(1)));
    assert_eq!(queued["leftOut"], left_out);
    assert_eq!(agent.at(&hub.wire).pending("")["commands"].as_array().unwrap().len(), 1);
    let path =
        format!("/api/v1/commands?agentId=off&limit=1&since={}", queued["createdAt"].as_str().unwrap());
    assert_eq!(operator.get(&path).expect(200)["items"], json!([]));

    operator.delete("/api/v1/commands/old-1").expect(200);
    let again = operator.post("/api/v1/commands", &order).expect(200);
    assert_eq!(
        (&again["batchId"], &again["leftOut"]),
        (&queued["batchId"], &left_out),
        "it has room by now, but the key's batch is the one that was"
    );
    assert_eq!(batch(&operator, &queued, "")["leftOut"], left_out);
    let off = json!({"agentIds": ["off"], "action": "ping"});
    assert_eq!(post(&operator, &off)["leftOut"], json!([]));
    let refusal = operator.post("/api/v1/commands", &off);
    assert!(refusal.header("retry-after").is_some(), "{refusal:?}");
    refused(&refusal, 503, "overloaded");
}

#[test]
fn what_cannot_be_asked_of_many_is_refused_and_queues_nothing() {
    let hub = Hub::start();
    hub.register("A");
    hub.register("gone");
    hub.operator("admin").delete("/api/v1/agents/gone").expect(200);
    let operator = hub.operator("operator");
    let many: Vec<_> = (0..=65_536).map(|n| n.to_string()).collect();
    for (pointer, body) in [
        ("", json!({"action": "ping"})),
        ("", json!({"agentId": "A", "agentIds": ["A"], "action": "ping"})),
        ("", json!({"agentIds": ["A"], "selector": {"q": "A"}, "action": "ping"})),
        ("/agentIds", json!({"agentIds": [], "action": "ping"})),
        ("/agentIds", json!({"agentIds": many, "action": "ping"})),
        ("/agentIds/1", json!({"agentIds": ["A", "A"], "action": "ping"})),
        ("/selector", json!({"selector": {}, "action": "ping"})),
        ("/selector", json!({"selector": {"labels": {"role": "web"}}, "action": "ping"})),
        ("/selector/status", json!({"selector": {"status": "revoked"}, "action": "ping"})),
        ("/selector/status", json!({"selector": {"status": "asleep"}, "action": "ping"})),
    ] {
        let problem = refused(&operator.post("/api/v1/commands", &body), 422, "schema-invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    for (id, status, name) in [("nobody", 404, "not-found"), ("gone", 410, "gone")] {
        let body = json!({"agentIds": ["A", id], "action": "ping"});
        let problem = refused(&operator.post("/api/v1/commands", &body), status, name);
        assert!(problem["detail"].as_str().unwrap().contains(id), "{problem}");
    }
    let body = json!({"agentIds": ["A"], "action": "ping"});
    refused(&hub.operator("viewer").post("/api/v1/commands", &body), 403, "scope-denied");
    refused(&operator.get("/api/v1/commands/batches/BATCH-2026-404"), 404, "not-found");
    refused(&operator.delete("/api/v1/commands/batches/BATCH-2026-404"), 404, "not-found");
    assert_eq!(operator.get("/api/v1/commands").expect(200)["items"], json!([]));
}

#[test]
fn killed_while_a_batch_is_queued_all_of_it_is_there_or_nothing() {
    let mut hub = Hub::start();
    hub.stop();
    let records = hub.folder().join("pingup.db");
    let open = || Connection::open(&records).unwrap();
    let fill = "WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < ?1)
                INSERT INTO agents (id, created_at) SELECT 'agent-' || number, 0 FROM n";
    open().execute(fill, [MANY]).unwrap();
    let seed = now().as_micros().unsigned_abs();
    println!("seed {seed}");
    let mut answered = 0;
    for round in 0..ROUNDS {
        hub.restart();
        let operator = hub.operator("operator");
        let body = serde_json::to_vec(&json!({"selector": {"q": "agent-"}, "action": "ping"})).unwrap();
        let answer = thread::scope(|scope| {
            let asked =
                scope.spawn(|| operator.try_send("POST", "/api/v1/commands", &JSON, Some(&body)).ok());
            // The moment of death is the point here: anywhere while the batch is queued, or shortly after.
            thread::park_timeout(Duration::from_micros(seed.wrapping_mul(round + 1) % 400_000));
            hub.kill();
            asked.join().unwrap()
        });
        answered += u64::from(answer.is_some_and(|answer| answer.status == 201));
        let count = |sql: &str| open().query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap();
        let batches = count("SELECT count(*) FROM command_batches");
        println!("round {round}: {batches} batches, {answered} answered");
        assert!((answered..=round + 1).contains(&batches), "what was answered is there");
        assert_eq!(count("SELECT count(*) FROM commands"), batches * MANY, "whole batches only");
        assert_eq!(count("SELECT coalesce(sum(last), 0) FROM command_numbers"), batches * MANY);
    }
    hub.restart();
    eventually("the hub is well", || (hub.wire.get("/health").status == 200).then_some(()));
}
