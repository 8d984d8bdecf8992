//! /api/v1/config: versions, conflicts, and the agent's signed view.

use crate::harness::{Hub, agent::now, refused};
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
fn the_hub_shows_what_is_wanted_and_what_was_applied() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let operator = hub.operator("operator");
    let beat = |config: Value| {
        let body = json!({"agentId": "A", "timestamp": now(), "status": "online", "config": config});
        agent.post("/api/v1/agents/A/heartbeat", &body)
    };
    let shown = || operator.get("/api/v1/agents/A").expect(200)["config"].clone();
    assert_eq!(shown(), json!({"wanted": 0, "applied": null, "refused": null}));
    for _ in 0..2 {
        operator.post("/api/v1/config/A", &json!({"config": {"intervalSeconds": 5}})).expect(200);
    }
    beat(json!({"applied": 1, "refused": {"version": 2, "reason": "not so"}})).expect(200);
    let state = json!({"wanted": 2, "applied": 1, "refused": {"version": 2, "reason": "not so"}});
    assert_eq!(shown(), state);
    assert_eq!(operator.get("/api/v1/agents").expect(200)["items"][0]["config"], state);
    agent.heartbeat("online").expect(200);
    assert_eq!(shown(), state, "an agent that does not tell changes nothing");
    beat(json!({"applied": 2})).expect(200);
    assert_eq!(shown(), json!({"wanted": 2, "applied": 2, "refused": null}));
    let long = json!({"applied": 2, "refused": {"version": 3, "reason": "x".repeat(1025)}});
    let problem = refused(&beat(long), 422, "schema-invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/config/refused/reason");
}

#[test]
fn a_configuration_between_two_questions_is_told_by_the_next_once() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let operator = hub.operator("operator");
    let post = || operator.post("/api/v1/config/A", &json!({"config": {"intervalSeconds": 9}})).expect(200);
    assert_eq!(agent.pending("&wait=1")["configVersion"], 0);
    post();
    // Longer than the test's patience.
    assert_eq!(agent.pending("&wait=60")["configVersion"], 1);
    // One that never says what it made of it waits all the same: told again at once, it would ask without end.
    let waiting = std::time::Instant::now();
    assert_eq!(agent.pending("&wait=1")["configVersion"], 1);
    assert!(waiting.elapsed().as_secs() >= 1);
    post();
    assert_eq!(
        agent.pending(&format!("&wait=60&after={}", (1_u64 << 53) - 1))["configVersion"],
        2,
        "also while it is busy"
    );
    let body = json!({"agentId": "A", "timestamp": now(), "status": "online", "config": {"applied": 3}});
    agent.post("/api/v1/agents/A/heartbeat", &body).expect(200);
    post();
    assert_eq!(agent.pending("&wait=1")["configVersion"], 3, "it has that already");
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
