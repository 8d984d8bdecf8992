//! Bodies with an order: their form, and whether it is of what they ask.

use super::*;
use crate::commands::{Asked as Meant, Wanted};
use pingup_protocol::{
    keys::{KEY_BYTES, Secret},
    order::PrivateKey,
    schema,
};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn signature(agent: &str, expires_at: Timestamp) -> Order {
    let agent_id = AgentId::parse(agent).unwrap();
    let Value::Object(params) = json!({"argv": ["true"]}) else { unreachable!() };
    let asked = Asked { agent_id: &agent_id, action: "exec", params: &params, timeout_seconds: None };
    Order::sign(&PrivateKey::new(&Secret::new([1; KEY_BYTES])), &asked, "n", expires_at).unwrap()
}

fn one() -> Value {
    let order = signature("a", NOW.plus_seconds(60));
    json!({"agentId": "a", "action": "exec", "params": {"argv": ["true"]}, "order": order})
}

fn many(agents: &[&str]) -> Value {
    let mut order = json!(signature("a", NOW.plus_seconds(60)));
    order.as_object_mut().unwrap().remove("signature");
    let signatures: Vec<_> =
        agents.iter().map(|agent| signature(agent, NOW.plus_seconds(60)).signature).collect();
    order["signatures"] = json!(signatures);
    json!({"agentIds": agents, "action": "exec", "params": {"argv": ["true"]}, "order": order})
}

/// Where a body is refused, if it is.
fn refused_at(body: &Value, now: Timestamp) -> Option<String> {
    let pointer = |error: SchemaError| error.errors[0].pointer.clone();
    match schema::read::<CommandBody>(body.to_string().as_bytes()) {
        Err(error) => Some(pointer(error)),
        Ok(body) => match verify_order(&body, now) {
            Ok(()) => None,
            Err(CommandsError::Order(error)) => Some(pointer(error)),
            Err(other) => panic!("{other}"),
        },
    }
}

#[test]
fn what_is_signed_must_be_what_is_asked() {
    assert_eq!((refused_at(&one(), NOW), refused_at(&many(&["b", "a"]), NOW)), (None, None));
    for (member, value) in [
        ("agentId", json!("b")),
        ("action", json!("other")),
        ("params", json!({"argv": ["false"]})),
        ("timeoutSeconds", json!(5)),
    ] {
        let mut body = one();
        body[member] = value;
        assert_eq!(refused_at(&body, NOW).as_deref(), Some("/order/signature"), "{body}");
    }
    let mut swapped = many(&["a", "b", "c"]);
    swapped["agentIds"] = json!(["a", "c", "b"]);
    assert_eq!(refused_at(&swapped, NOW).as_deref(), Some("/order/signatures/1"));
}

#[test]
fn an_order_has_its_form_and_its_time() {
    let with = |member: &str, value: Value| {
        let mut body = one();
        body["order"][member] = value;
        body
    };
    for (body, pointer) in [
        (with("keyId", json!("pok_x")), "/order/keyId"),
        (with("nonce", json!("")), "/order/nonce"),
        (with("expiresAt", json!("2027-01-15T08:00:00.5Z")), "/order/expiresAt"),
        (with("signature", json!("x")), "/order/signature"),
        (with("signature", Value::Null), "/order"),
        (with("signatures", json!([])), "/order"),
    ] {
        assert_eq!(refused_at(&body, NOW).as_deref(), Some(pointer), "{body}");
    }
    let mut selected = one();
    selected.as_object_mut().unwrap().remove("agentId");
    selected["selector"] = json!({"q": "a"});
    assert_eq!(refused_at(&selected, NOW).as_deref(), Some("/order"), "the hub does not choose");
    let mut with_ttl = one();
    with_ttl["ttlSeconds"] = json!(60);
    assert_eq!(refused_at(&with_ttl, NOW).as_deref(), Some("/ttlSeconds"));
    let mut fewer = many(&["a", "b"]);
    fewer["agentIds"] = json!(["a"]);
    assert_eq!(refused_at(&fewer, NOW).as_deref(), Some("/order/signatures"));
    assert_eq!(refused_at(&one(), NOW.plus_seconds(60)).as_deref(), Some("/order/expiresAt"), "over");
    let ttl = i64::try_from(COMMAND_TTL_SECONDS_MAX).unwrap();
    assert_eq!(refused_at(&one(), NOW.plus_seconds(59 - ttl)).as_deref(), Some("/order/expiresAt"));
}

#[test]
fn a_signed_batch_has_its_size() {
    let ids: Vec<String> = (0..=ORDER_AGENTS_MAX).map(|n| format!("a{n:05}")).collect();
    let mut body = many(&["a"]);
    let signature = body["order"]["signatures"][0].clone();
    body["agentIds"] = json!(ids);
    body["order"]["signatures"] = json!(vec![signature; ids.len()]);
    assert_eq!(refused_at(&body, NOW).as_deref(), Some("/agentIds"));
    let params: Value = json!({"a": "x".repeat(60_000)});
    let mut body = many(&["a"]);
    body["agentIds"] = json!(ids[..2_000]);
    let signature = body["order"]["signatures"][0].clone();
    body["order"]["signatures"] = json!(vec![signature; 2_000]);
    (body["action"], body["params"]) = (json!("other"), params);
    let body = schema::read::<CommandBody>(body.to_string().as_bytes()).unwrap();
    assert!(matches!(verify_order(&body, NOW), Err(CommandsError::BatchTooLarge)), "before any is verified");
}

#[test]
fn each_agent_of_a_batch_gets_its_own_signature() {
    let body = schema::read::<CommandBody>(many(&["c", "a", "b"]).to_string().as_bytes()).unwrap();
    let Wanted::Many(order) = Wanted::new(body).unwrap() else { panic!("many are named") };
    let Meant::Agents(agents) = &order.asked else { panic!("they are named") };
    let signed = order.signed.unwrap();
    for (place, agent) in agents.iter().enumerate() {
        assert_eq!(signed.to_agent(place).unwrap(), signature(agent.as_str(), NOW.plus_seconds(60)));
    }
    assert_eq!(signed.to_agent(3), None);
}
