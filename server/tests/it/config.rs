//! /api/v1/config: versions, conflicts, and the agent's signed view.

use crate::harness::{Hub, refused};
use serde_json::{Value, json};
use std::thread;

#[test]
fn a_configuration_is_versioned_and_signed_for_its_agent() {
    let hub = Hub::start();
    let (agent, other) = (hub.register("A"), hub.register("B"));
    let operator = hub.operator("operator");
    let none = agent.get_signed("/api/v1/config/A?nonce=n0");
    assert_eq!((&none["version"], &none["config"], &none["nonce"]), (&json!(0), &json!({}), &json!("n0")));

    let post = |body: Value| operator.post("/api/v1/config/A", &body);
    let first = post(json!({"config": {"intervalSeconds": 5, "mine": [1]}})).expect(200);
    assert_eq!((&first["version"], &first["config"]["mine"]), (&json!(1), &json!([1])));
    let problem = refused(&post(json!({"config": {}, "expectedVersion": 0})), 409, "version-conflict");
    assert_eq!(problem["currentVersion"], 1);
    assert_eq!(post(json!({"config": {"allow": ["ping"]}, "expectedVersion": 1})).expect(200)["version"], 2);

    let mine = agent.get_signed("/api/v1/config/A?nonce=n1");
    assert_eq!(
        (&mine["version"], &mine["config"], &mine["agentId"]),
        (&json!(2), &json!({"allow": ["ping"]}), &json!("A"))
    );
    assert!(mine["issuedAt"].is_string());
    assert_eq!(agent.verified(&agent.heartbeat("online"))["configVersion"], 2);
    assert_eq!(operator.get("/api/v1/config/A").expect(200)["version"], 2);
    let versions = operator.get("/api/v1/config/A/versions?limit=1").expect(200);
    assert_eq!(versions["items"][0]["version"], 2);
    let older = versions["nextCursor"].as_str().unwrap();
    let older = operator.get(&format!("/api/v1/config/A/versions?limit=1&cursor={older}")).expect(200);
    assert_eq!((&older["items"][0]["version"], &older["nextCursor"]), (&json!(1), &Value::Null));

    refused(&other.wire.get("/api/v1/config/A?nonce=n"), 403, "agent-mismatch");
    refused(&agent.wire.get("/api/v1/config/A"), 422, "schema-invalid");
    refused(&hub.wire.get("/api/v1/config/A"), 401, "token-missing");
    refused(&hub.operator("viewer").post("/api/v1/config/A", &json!({"config": {}})), 403, "scope-denied");
    refused(&operator.get("/api/v1/config/nobody"), 404, "not-found");
    refused(&post(json!({"config": {"intervalSeconds": 0}})), 422, "schema-invalid");
    refused(&post(json!({"config": 5})), 422, "schema-invalid");
}

#[test]
fn a_new_configuration_wakes_the_agent_that_waits() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let operator = hub.operator("operator");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| agent.pending("&wait=60"));
        // The wait may begin before or after the change; it ends at once either way, or the test's patience does.
        operator.post("/api/v1/config/A", &json!({"config": {"intervalSeconds": 9}})).expect(200);
        crate::harness::eventually("the waiting request is answered", || {
            operator.post("/api/v1/config/A", &json!({"config": {"intervalSeconds": 9}})).expect(200);
            waiting.is_finished().then_some(())
        });
        assert!(waiting.join().unwrap()["configVersion"].as_u64().unwrap() >= 1);
    });
}
