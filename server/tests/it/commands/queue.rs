//! What is queued, what is not, and how it is listed.

use super::*;

#[test]
fn what_cannot_be_queued_is_refused_by_its_place() {
    let hub = Hub::start();
    hub.register("A");
    let operator = hub.operator("operator");
    for (pointer, body) in [
        ("/params/argv", json!({"agentId": "A", "action": "exec", "params": {"argv": []}})),
        ("/params", json!({"agentId": "A", "action": "restart_service", "params": {}})),
        ("/action", json!({"agentId": "A", "action": "rm -rf /"})),
        ("/params", json!({"agentId": "A", "action": "ping", "params": []})),
        ("/ttlSeconds", json!({"agentId": "A", "action": "ping", "ttlSeconds": 0})),
        ("/ttlSeconds", json!({"agentId": "A", "action": "ping", "ttlSeconds": 2_592_001})),
        ("/timeoutSeconds", json!({"agentId": "A", "action": "ping", "timeoutSeconds": 86_401})),
        ("/idempotencyKey", json!({"agentId": "A", "action": "ping", "idempotencyKey": ""})),
    ] {
        let problem = refused(&operator.post("/api/v1/commands", &body), 422, "schema-invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    refused(
        &operator.post("/api/v1/commands", &json!({"agentId": "nobody", "action": "ping"})),
        404,
        "not-found",
    );
    refused(
        &hub.operator("viewer").post("/api/v1/commands", &json!({"agentId": "A", "action": "ping"})),
        403,
        "scope-denied",
    );
    refused(&operator.get("/api/v1/commands/CMD-2026-404"), 404, "not-found");
    assert_eq!(operator.get("/api/v1/commands").expect(200)["items"], json!([]));
}

#[test]
fn the_same_idempotency_key_queues_once() {
    let hub = Hub::start();
    hub.register("A");
    let operator = hub.operator("operator");
    let order = json!({"agentId": "A", "action": "ping", "idempotencyKey": "deploy-7"});
    let first = operator.post("/api/v1/commands", &order).expect(201);
    let second = operator.post("/api/v1/commands", &order).expect(200);
    assert_eq!(first["commandId"], second["commandId"]);
    let mut other = order;
    other["action"] = json!("collect_now");
    refused(&operator.post("/api/v1/commands", &other), 422, "schema-invalid");
}

#[test]
fn commands_are_listed_newest_first_and_filtered() {
    let hub = Hub::start();
    let agent = hub.register("A");
    hub.register("B");
    let operator = hub.operator("operator");
    let begun = now();
    let first = queue(&operator, "ping");
    agent.pending("");
    for action in ["collect_now", "ping", "run_discovery"] {
        queue(&operator, action);
    }
    operator.post("/api/v1/commands", &json!({"agentId": "B", "action": "ping"})).expect(201);
    let list = |query: &str| operator.get(&format!("/api/v1/commands?{query}")).expect(200);
    let count = |query: &str| list(query)["items"].as_array().unwrap().len();
    assert_eq!(
        (count(""), count("agentId=A"), count("status=delivered"), count("action=ping")),
        (5, 4, 1, 3)
    );
    assert_eq!((count(&format!("since={begun}")), count("since=2100-01-01T00:00:00Z")), (5, 0));
    let page = list("agentId=A&limit=3");
    let rest = list(&format!("agentId=A&limit=3&cursor={}", page["nextCursor"].as_str().unwrap()));
    assert_eq!(page["items"][0]["action"], "run_discovery");
    assert_eq!(
        (rest["items"][0]["commandId"].clone(), rest["nextCursor"].clone()),
        (first["commandId"].clone(), Value::Null)
    );
    refused(&operator.get("/api/v1/commands?status=lost"), 422, "schema-invalid");
    let viewer = hub.operator("viewer");
    refused(&viewer.get("/api/v1/commands/pending/A?nonce=n"), 401, "token-invalid");
    refused(&agent.wire.get("/api/v1/commands/pending/A"), 422, "schema-invalid");
    refused(&agent.wire.get("/api/v1/commands/pending/A?nonce=n&wait=61"), 422, "schema-invalid");
}
