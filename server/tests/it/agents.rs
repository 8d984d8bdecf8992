//! /api/v1/agents: what operators register, see and change, presence, removal. By join token: `enrolment`.

mod enrolment;

use crate::harness::{Hub, agent::now, eventually, refused};
use serde_json::{Value, json};

#[test]
fn an_operator_registers_an_agent_and_sees_it() {
    let hub = Hub::start();
    let operator = hub.operator("operator");
    let body = json!({"id": "AGENT-001", "name": "the first", "metadata": {"rack": 7}});
    let made = operator.post("/api/v1/agents", &body).expect(201);
    assert_eq!(made["agent"]["id"], "AGENT-001");
    assert_eq!(made["credentials"]["generation"], 1);

    let seen = operator.get("/api/v1/agents/AGENT-001").expect(200);
    assert_eq!((&seen["name"], &seen["status"]), (&json!("the first"), &json!("pending")));
    assert_eq!(
        (&seen["metadata"], &seen["lastSeen"], &seen["latest"]),
        (&json!({"rack": 7}), &Value::Null, &Value::Null)
    );
    assert!(seen["createdAt"].is_string());
    assert!(seen.get("credentials").is_none(), "shown once, never again: {seen}");

    let unnamed = operator.post("/api/v1/agents", &json!({})).expect(201);
    assert!(!unnamed["agent"]["id"].as_str().unwrap().is_empty());
    refused(&operator.post("/api/v1/agents", &body), 409, "agent-id-retired");
    refused(&operator.post("/api/v1/agents", &json!({"id": "a b"})), 422, "schema-invalid");
    refused(&hub.operator("viewer").post("/api/v1/agents", &json!({})), 403, "scope-denied");
    refused(&operator.get("/api/v1/agents/nobody"), 404, "not-found");
}

#[test]
fn a_farewell_of_long_ago_is_answered_and_changes_nothing() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let viewer = hub.operator("viewer");
    let before = viewer.get("/api/v1/agents/A").expect(200);
    let farewell = json!({"agentId": "A", "timestamp": "1970-01-01T00:00:00Z", "status": "offline"});
    agent.verified(&agent.post("/api/v1/agents/A/heartbeat", &farewell));
    assert_eq!(viewer.get("/api/v1/agents/A").expect(200), before);
}

#[test]
fn a_heartbeat_sets_online_and_a_farewell_offline_at_once() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let viewer = hub.operator("viewer");
    let answer = agent.verified(&agent.heartbeat("online"));
    assert_eq!(
        (&answer["configVersion"], &answer["pendingCommands"], &answer["generation"]),
        (&json!(0), &json!(0), &json!(1))
    );
    let seen = viewer.get("/api/v1/agents/A").expect(200);
    assert_eq!(seen["status"], "online");
    assert!(seen["lastSeen"].is_string());

    let farewell = json!({"agentId": "A", "timestamp": now(), "status": "offline"});
    agent.post("/api/v1/agents/A/heartbeat", &farewell).expect(200);
    assert_eq!(viewer.get("/api/v1/agents/A").expect(200)["status"], "offline");
    agent.heartbeat("online").expect(200);
    agent.post("/api/v1/agents/A/heartbeat", &farewell).expect(200);
    let replayed = viewer.get("/api/v1/agents/A").expect(200)["status"].clone();
    assert_eq!(replayed, "online", "a heartbeat that is not newer changes nothing");

    let info = json!({"agentId": "A", "timestamp": now(), "status": "online", "info": {"hostname": "h", "cpuCores": 4}, "metrics": {"cpu": 3}});
    agent.post("/api/v1/agents/A/heartbeat", &info).expect(200);
    let seen = viewer.get("/api/v1/agents/A").expect(200);
    assert_eq!((&seen["info"]["cpuCores"], &seen["latest"]["metrics"]["cpu"]), (&json!(4), &json!(3.0)));
    let future = json!({"agentId": "A", "timestamp": now().plus_seconds(3600), "status": "online"});
    refused(&agent.post("/api/v1/agents/A/heartbeat", &future), 422, "timestamp-in-future");
}

#[test]
fn an_agent_is_renamed_and_its_metadata_replaced() {
    let hub = Hub::start();
    hub.register("A");
    let operator = hub.operator("operator");
    let seen =
        operator.patch("/api/v1/agents/A", &json!({"name": "new", "metadata": {"a": [1]}})).expect(200);
    assert_eq!((&seen["name"], &seen["metadata"]), (&json!("new"), &json!({"a": [1]})));
    operator.patch("/api/v1/agents/A", &json!({"name": null})).expect(200);
    let seen = operator.get("/api/v1/agents/A").expect(200);
    assert_eq!((&seen["name"], &seen["metadata"]), (&Value::Null, &json!({"a": [1]})));
    refused(&operator.patch("/api/v1/agents/A", &json!({"metadata": 7})), 422, "schema-invalid");
    refused(&operator.patch("/api/v1/agents/B", &json!({"name": "x"})), 404, "not-found");
}

#[test]
fn a_removed_agent_is_dead_at_once_and_its_id_is_never_used_again() {
    let mut hub = Hub::start();
    let agent = hub.register("A");
    agent.post("/api/v1/metrics", &agent.sample(now(), 5.0)).expect(200);
    let operator = hub.operator("operator");
    let open = operator.post("/api/v1/commands", &json!({"agentId": "A", "action": "ping"})).expect(201);
    refused(&operator.delete("/api/v1/agents/A"), 403, "scope-denied");
    assert_eq!(hub.operator("admin").delete("/api/v1/agents/A").status, 200);

    refused(&agent.post("/api/v1/metrics", &agent.sample(now(), 5.0)), 403, "agent-revoked");
    refused(&agent.wire.get("/api/v1/commands/pending/A?nonce=n"), 403, "agent-revoked");
    refused(&operator.get("/api/v1/agents/A"), 410, "gone");
    refused(&hub.operator("admin").delete("/api/v1/agents/A"), 410, "gone");
    refused(&operator.post("/api/v1/agents", &json!({"id": "A"})), 409, "agent-id-retired");
    refused(&operator.post("/api/v1/commands", &json!({"agentId": "A", "action": "ping"})), 410, "gone");
    let id = open["commandId"].as_str().unwrap();
    assert_eq!(operator.get(&format!("/api/v1/commands/{id}")).expect(200)["status"], "cancelled");
    assert_eq!(
        operator.get("/api/v1/metrics/A").expect(200)["items"].as_array().unwrap().len(),
        1,
        "history is kept"
    );
    assert_eq!(operator.get("/api/v1/agents").expect(200)["items"], json!([]));
    assert_eq!(operator.get("/api/v1/agents?status=revoked").expect(200)["items"][0]["id"], "A");

    hub.stop();
    hub.restart();
    let agent = agent.at(&hub.wire);
    refused(&agent.post("/api/v1/metrics", &agent.sample(now(), 5.0)), 403, "agent-revoked");
}

#[test]
fn a_removal_is_whole_though_its_client_hangs_up() {
    let hub = Hub::start();
    let admin = hub.operator("admin");
    for round in 0..12 {
        let agent = hub.register(&format!("A-{round}"));
        agent.post("/api/v1/metrics", &agent.sample(now(), 5.0)).expect(200);
        let head = format!(
            "DELETE /api/v1/agents/A-{round} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\n\r\n",
            admin.token()
        );
        admin.hang_up_after(head.as_bytes());
        eventually("the agent is removed, if the request arrived", || {
            let status = admin.get(&format!("/api/v1/agents/A-{round}")).status;
            // A hub that never read the request has removed nobody; then ask it properly.
            (status == 410)
                .then_some(())
                .or_else(|| (admin.delete(&format!("/api/v1/agents/A-{round}")).status == 200).then_some(()))
        });
        refused(&agent.post("/api/v1/metrics", &agent.sample(now(), 5.0)), 403, "agent-revoked");
    }
}

#[test]
fn a_body_that_arrives_after_its_agent_was_removed_is_refused() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let body = agent.sign(&agent.sample(now(), 1.0));
    let head = format!(
        "POST /api/v1/metrics HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        agent.wire.token(),
        body.len()
    );
    // The hub says "continue" once it has let the head in and asks for the body.
    let answer = agent.wire.raw_in_two(
        head.as_bytes(),
        || drop(hub.operator("admin").delete("/api/v1/agents/A").expect(200)),
        &body,
    );
    refused(&answer, 403, "agent-revoked");
    assert_eq!(hub.operator("viewer").get("/api/v1/metrics/A").expect(200)["items"], json!([]));
}

#[test]
fn agents_are_listed_by_page_status_and_words() {
    let hub = Hub::start();
    let operator = hub.operator("operator");
    for i in 0..5 {
        operator
            .post("/api/v1/agents", &json!({"id": format!("A-{i}"), "name": format!("50% of {i}_x")}))
            .expect(201);
    }
    let mut seen = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = operator.get(&format!("/api/v1/agents{query}")).expect(200);
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|agent| agent["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["A-0", "A-1", "A-2", "A-3", "A-4"]);
    let count = |query: &str| {
        operator.get(&format!("/api/v1/agents?{query}")).expect(200)["items"].as_array().unwrap().len()
    };
    assert_eq!(
        (count("q=a-3"), count("q=50%25"), count("q=%25"), count("q=3_X"), count("q=none")),
        (1, 5, 5, 1, 0)
    );
    assert_eq!((count("status=pending"), count("status=online")), (5, 0));
    for bad in ["status=asleep", "limit=0", "limit=x", "cursor=x", "colour=red", "q=a&q=b"] {
        refused(&operator.get(&format!("/api/v1/agents?{bad}")), 422, "schema-invalid");
    }
}

#[test]
fn labels_that_a_machine_gives_itself_count_where_no_operator_set_one() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let operator = hub.operator("operator");
    let beat = |labels: Value| {
        let info = json!({"hostname": "h", "labels": labels});
        let body = json!({"agentId": "A", "timestamp": now(), "status": "online", "info": info});
        agent.post("/api/v1/agents/A/heartbeat", &body)
    };
    beat(json!({"role": "web", "rack": "7"})).expect(200);
    let labels = || operator.get("/api/v1/agents/A").expect(200)["labels"].clone();
    assert_eq!(labels(), json!({"role": "web", "rack": "7"}));
    operator.patch("/api/v1/agents/A", &json!({"labels": {"role": "db"}})).expect(200);
    assert_eq!(labels(), json!({"role": "db", "rack": "7"}));
    let found = |label: &str| {
        let page = operator.get(&format!("/api/v1/agents?label={label}")).expect(200);
        page["items"].as_array().unwrap().len()
    };
    assert_eq!((found("role:web"), found("role:db"), found("rack:7")), (0, 1, 1));
    let order = |role: &str| json!({"selector": {"labels": {"role": role}}, "action": "ping"});
    refused(&operator.post("/api/v1/commands", &order("web")), 422, "schema-invalid");
    operator.post("/api/v1/commands", &order("db")).expect(201);
    operator.patch("/api/v1/agents/A", &json!({"labels": {"role": null}})).expect(200);
    assert_eq!(labels(), json!({"role": "web", "rack": "7"}), "where the operator is silent again");
    let many: serde_json::Map<_, _> = (0..=32).map(|n| (format!("l{n}"), json!("x"))).collect();
    for (labels, pointer) in [(Value::Object(many), "/info/labels"), (json!({"A": "x"}), "/info/labels/A")] {
        assert_eq!(refused(&beat(labels), 422, "schema-invalid")["errors"][0]["pointer"], pointer);
    }
}
