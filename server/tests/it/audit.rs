//! What is done to a hub is written down: by whom, from where, what came of it; and whoever looks can tell whether that
//! record is whole.

mod acts;
mod cli;
mod killed;
mod refused;

use crate::harness::{
    Hub,
    agent::{enrolment, now},
    eventually, refused,
    wire::Wire,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// All rows, newest first, by way of pages.
fn rows(admin: &Wire, query: &str) -> Vec<Value> {
    paged(admin, query, 3)
}

fn paged(admin: &Wire, query: &str, limit: usize) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/api/v1/audit?limit={limit}{query}{cursor}")).expect(200);
        rows.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["nextCursor"].as_str() else { return rows };
        cursor = format!("&cursor={next}");
    }
}

/// Who did what to which agent, from the first on.
fn told(rows: &[Value]) -> Vec<(&str, &str, Option<&str>)> {
    let told = rows.iter().rev().map(|row| {
        (row["act"].as_str().unwrap(), row["who"].as_str().unwrap_or_default(), row["agentId"].as_str())
    });
    told.collect()
}

/// The detail of what an operator did, who came with a token that is told beside it.
fn by_token(row: &Value) -> Value {
    let mut detail = row["detail"].clone();
    let token = detail.as_object_mut().unwrap().remove("tokenId");
    assert!(token.is_some_and(|id| id.is_string()), "{row}");
    detail
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_deed_of_an_operator_has_its_row() {
    let hub = Hub::start();
    let operator = hub.operator("operator");
    let admin = hub.operator("admin");
    operator.post("/api/v1/agents", &json!({"id": "a"})).expect(201);
    operator.patch("/api/v1/agents/a", &json!({"name": "web", "labels": {"role": "web"}})).expect(200);
    operator.patch("/api/v1/agents/a", &json!({})).expect(200);
    operator.post("/api/v1/config/a", &json!({"config": {"note": "hidden words"}})).expect(200);
    let order = json!({"agentId": "a", "action": "exec", "params": {"argv": ["hidden", "words"]}, "idempotencyKey": "k"});
    let id = operator.post("/api/v1/commands", &order).expect(201)["commandId"].clone();
    operator.post("/api/v1/commands", &order).expect(200);
    for _ in 0..2 {
        let answer = operator.delete(&format!("/api/v1/commands/{}", id.as_str().unwrap()));
        assert!([200, 409].contains(&answer.status), "{answer:?}");
    }
    operator.post("/api/v1/config/a", &json!({"config": {}, "expectedVersion": 7})).expect(409);
    operator.post("/api/v1/commands", &json!({"agentId": "nobody", "action": "ping"})).expect(404);
    admin.delete("/api/v1/agents/a").expect(200);

    let rows = rows(&admin, "&agentId=a");
    let expected = [
        ("agent.registered", "operator", Some("a")),
        ("agent.changed", "operator", Some("a")),
        ("config.set", "operator", Some("a")),
        ("command.queued", "operator", Some("a")),
        ("command.cancelled", "operator", Some("a")),
        ("agent.removed", "admin", Some("a")),
    ];
    assert_eq!(told(&rows), expected, "what changed nothing is no deed");
    for row in &rows {
        assert_eq!(
            (&row["from"], &row["result"], &row["times"]),
            (&json!("127.0.0.1"), &json!("done"), &json!(1))
        );
        assert_eq!((&row["by"], &row["role"]), (&json!("operator"), &row["who"]));
    }
    let queued = &rows[2];
    assert_eq!((&queued["on"], &queued["detail"]["action"]), (&id, &json!("exec")));
    assert_eq!(queued["detail"]["paramsSha256"], digest(r#"{"argv":["hidden","words"]}"#));
    assert_eq!(rows[3]["detail"]["configSha256"], digest(r#"{"note":"hidden words"}"#));
    assert_eq!(rows[4]["detail"]["labels"], json!({"role": "web"}));
    assert!(!json!(rows).to_string().contains("hidden"), "what may be a secret is a digest");
}

#[test]
fn two_tokens_of_one_name_are_told_apart() {
    let hub = Hub::start();
    let admin = hub.operator("admin");
    for id in ["a", "b"] {
        let body = json!({"role": "operator", "name": "bob"});
        let bearer = admin.post("/api/v1/tokens", &body).expect(201)["bearer"].as_str().unwrap().to_owned();
        let bob = hub.wire.with_token(&bearer);
        bob.post("/api/v1/agents", &json!({ "id": id })).expect(201);
        bob.post(&format!("/api/v1/config/{id}"), &json!({"config": {}})).expect(200);
    }
    let made: Vec<_> = rows(&admin, "&act=token.created").iter().map(|row| row["on"].clone()).collect();
    for (act, count) in [("agent.registered", 2), ("config.set", 2)] {
        let done = rows(&admin, &format!("&act={act}&who=bob"));
        let by: Vec<_> = done.iter().map(|row| row["detail"]["tokenId"].clone()).collect();
        assert_eq!(by, made[..count], "{done:#?}");
    }
}

#[test]
fn an_agents_life_and_its_word_on_a_command_have_their_rows() {
    let hub = Hub::start();
    let (operator, admin) = (hub.operator("operator"), hub.operator("admin"));
    let (body, _) = enrolment(&hub.join_token(), |_| ());
    let answer = hub.wire.post_bytes("/api/v1/agents", &body).expect(201);
    let agent = crate::harness::agent::Agent::new(hub.wire.clone(), &answer["credentials"]);
    operator.post("/api/v1/commands", &json!({"agentId": agent.id, "action": "ping"})).expect(201);
    let command = agent.pending("")["commands"][0].clone();
    let result = json!({"agentId": agent.id, "timestamp": now(), "commandId": command["commandId"],
        "commandSeq": command["commandSeq"], "status": "failed", "exitCode": 3, "output": "hidden words",
        "startedAt": now(), "finishedAt": now()});
    let path = format!("/api/v1/commands/{}/result", command["commandId"].as_str().unwrap());
    (0..2).for_each(|_| assert_eq!(agent.post(&path, &result).expect(200)["status"], "failed"));

    let rows = rows(&admin, &format!("&agentId={}", agent.id));
    let acts: Vec<_> = told(&rows).into_iter().map(|(act, _, _)| act).collect();
    assert_eq!(acts, ["agent.enrolled", "command.queued", "command.ended"]);
    assert_eq!((&rows[0]["by"], &rows[0]["who"]), (&json!("agent"), &json!(agent.id)));
    assert_eq!(rows[0]["detail"], json!({"status": "failed", "exitCode": 3}));
    let made = &self::rows(&admin, "&act=join-token.created")[0];
    assert_eq!((&rows[2]["by"], &rows[2]["who"]), (&json!("join-token"), &made["on"]));
    assert_eq!(made["by"], "command-line");
}

#[test]
fn a_batch_is_one_row_and_its_end_another() {
    let hub = Hub::start();
    let (operator, admin) = (hub.operator("operator"), hub.operator("admin"));
    let agents: Vec<_> = (0..20).map(|number| hub.register(&format!("A-{number:02}"))).collect();
    let ids: Vec<_> = agents.iter().map(|agent| agent.id.clone()).collect();
    let batch = operator.post("/api/v1/commands", &json!({"agentIds": ids, "action": "ping"})).expect(201);
    let queued = rows(&admin, "&act=batch.queued").remove(0);
    assert_eq!((&queued["on"], &queued["detail"]["agents"]), (&batch["batchId"], &json!(20)));
    assert_eq!(queued["detail"]["agentsSha256"], digest(&ids.join("\n")));
    for agent in &agents[..5] {
        let command = agent.pending("")["commands"][0].clone();
        let result = json!({"agentId": agent.id, "timestamp": now(), "commandId": command["commandId"],
            "commandSeq": command["commandSeq"], "status": "succeeded", "startedAt": now(), "finishedAt": now()});
        agent
            .post(&format!("/api/v1/commands/{}/result", command["commandId"].as_str().unwrap()), &result)
            .expect(200);
    }
    let path = format!("/api/v1/commands/batches/{}", batch["batchId"].as_str().unwrap());
    (0..2).for_each(|_| assert!(operator.delete(&path).expect(200).is_object()));
    let ended = eventually("the end of the batch is written down", || rows(&admin, "&act=batch.ended").pop());
    assert_eq!((&ended["by"], &ended["on"]), (&json!("hub"), &batch["batchId"]));
    assert_eq!(ended["detail"]["counts"]["succeeded"], 5);
    assert_eq!(ended["detail"]["counts"]["cancelled"], 15);
    let cancelled = rows(&admin, "&act=batch.cancelled");
    assert_eq!(cancelled.len(), 1, "again is no deed");
    assert_eq!(by_token(&cancelled[0]), json!({"cancelled": 15, "asked": 0}));
    assert!(rows(&admin, "&act=command.ended").is_empty(), "how its commands ended is told once, of all");
}

#[test]
fn only_admins_read_it_and_ask_for_what_there_is() {
    let hub = Hub::start();
    for role in ["viewer", "operator", "scrape", "writer"] {
        refused(&hub.operator(role).get("/api/v1/audit"), 403, "scope-denied");
    }
    refused(&hub.wire.get("/api/v1/audit"), 401, "token-missing");
    refused(&hub.register("a").wire.get("/api/v1/audit"), 401, "token-invalid");
    let admin = hub.operator("admin");
    for query in ["act=agents", "from=then", "limit=0", "cursor=x", "agent=a"] {
        refused(&admin.get(&format!("/api/v1/audit?{query}")), 422, "schema-invalid");
    }
    let page = admin.get("/api/v1/audit?limit=1").expect(200);
    assert_eq!(page["items"][0]["hash"], page["head"]["hash"]);
    assert_eq!(page["items"][0]["seq"], page["head"]["count"]);
    let later = percent_plus(&now().plus_seconds(60).to_string());
    assert!(rows(&admin, &format!("&from={later}")).is_empty());
    assert!(rows(&admin, &format!("&to={later}&who=operator")).iter().all(|row| row["who"] == "operator"));
}

fn percent_plus(text: &str) -> String {
    text.replace('+', "%2B")
}
