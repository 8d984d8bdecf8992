//! Bodies of new commands: where they are wrong, and their sizes.

use super::*;
use pingup_protocol::schema;
use serde_json::json;

#[test]
fn bodies_are_refused_where_they_are_wrong() {
    let read = |body: Value| schema::read::<CommandBody>(body.to_string().as_bytes());
    assert!(read(json!({"agentId": "a", "action": "ping"})).is_ok());
    assert!(read(json!({"agentId": "a", "action": "never_heard_of", "params": {"x": [1]}})).is_ok());
    let nested = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({ "x": inner }));
    assert!(read(json!({"agentId": "a", "action": "other", "params": nested(PARAMS_DEPTH_MAX)})).is_ok());
    for (body, pointer) in [
        (json!({"agentId": "a b", "action": "ping"}), "/agentId"),
        (json!({"agentId": "a", "action": "Ping!"}), "/action"),
        (json!({"action": "ping"}), ""),
        (json!({"agentId": "a", "agentIds": ["b"], "action": "ping"}), ""),
        (json!({"agentIds": ["a"], "selector": {"q": "b"}, "action": "ping"}), ""),
        (json!({"agentIds": [], "action": "ping"}), "/agentIds"),
        (json!({"agentIds": ["a", "b c"], "action": "ping"}), "/agentIds/1"),
        (json!({"agentIds": ["a", "b", "a"], "action": "ping"}), "/agentIds/2"),
        (json!({"selector": {}, "action": "ping"}), "/selector"),
        (json!({"selector": {"lables": {}}, "action": "ping"}), "/selector/lables"),
        (json!({"agentId": "a", "action": "exec", "params": {"argv": []}}), "/params/argv"),
        (json!({"agentId": "a", "action": "ping", "ttlSeconds": 0}), "/ttlSeconds"),
        (json!({"agentId": "a", "action": "ping", "ttlSeconds": COMMAND_TTL_SECONDS_MAX + 1}), "/ttlSeconds"),
        (json!({"agentId": "a", "action": "ping", "timeoutSeconds": 0}), "/timeoutSeconds"),
        (json!({"agentId": "a", "action": "ping", "timeoutSeconds": 86_401}), "/timeoutSeconds"),
        (json!({"agentId": "a", "action": "ping", "idempotencyKey": ""}), "/idempotencyKey"),
        (json!({"agentId": "a", "action": "ping", "idempotencyKey": "k".repeat(129)}), "/idempotencyKey"),
        (json!({"agentId": "a", "action": "other", "params": nested(PARAMS_DEPTH_MAX + 1)}), "/params"),
    ] {
        assert_eq!(read(body.clone()).unwrap_err().errors[0].pointer, pointer, "{body}");
    }
}

#[test]
fn parameters_have_their_size() {
    let order = |bytes: usize| {
        let text = "x".repeat(bytes - r#"{"a":""}"#.len());
        let body = json!({"agentId": "a", "action": "other", "params": {"a": text}});
        Wanted::new(serde_json::from_value(body).unwrap())
    };
    let Wanted::One(taken) = order(PARAMS_BYTES_MAX).unwrap() else { panic!("one agent is named") };
    assert_eq!(taken.task.params.len(), PARAMS_BYTES_MAX);
    assert_eq!(order(PARAMS_BYTES_MAX + 1).unwrap_err().errors[0].pointer, "/params");
}

#[test]
fn a_batch_has_its_size_and_its_order_is_not_the_askers() {
    let named = |count: usize| {
        let ids: Vec<_> = (0..count).rev().map(|n| format!("a{n:05}")).collect();
        schema::read::<CommandBody>(json!({"agentIds": ids, "action": "ping"}).to_string().as_bytes())
    };
    let Wanted::Many(order) = Wanted::new(named(BATCH_AGENTS_MAX).unwrap()).unwrap() else {
        panic!("many are named")
    };
    assert!(matches!(order.asked, Asked::Agents(ids) if ids.is_sorted() && ids.len() == BATCH_AGENTS_MAX));
    assert_eq!(named(BATCH_AGENTS_MAX + 1).unwrap_err().errors[0].pointer, "/agentIds");
}
