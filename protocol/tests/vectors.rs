//! The worked inputs and outputs that every implementation of the protocol must reproduce.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails may panic")]

use pingup_protocol::{
    canonical,
    ids::AgentId,
    keys::{Direction, Secret, derive, derive_enrolment},
    order::{Asked, Order, PrivateKey, Terms, message},
    signing::{self, Key},
};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn derived(vectors: &Value, direction: Direction) -> Secret {
    let given = &vectors["derivation"];
    let master = Secret::from_slice(&hex(&given["master"])).unwrap();
    let salt = hex(&given["salt"]).try_into().unwrap();
    let generation = u32::try_from(given["generation"].as_u64().unwrap()).unwrap();
    derive(&master, &salt, direction, given["agentId"].as_str().unwrap(), generation)
}

#[test]
fn keys_are_derived_as_written() {
    let vectors = vectors();
    assert_eq!(derived(&vectors, Direction::Up).expose().to_vec(), hex(&vectors["derivation"]["up"]));
    assert_eq!(derived(&vectors, Direction::Down).expose().to_vec(), hex(&vectors["derivation"]["down"]));
    let secret = Secret::from_slice(&hex(&vectors["enrolment"]["secret"])).unwrap();
    assert_eq!(derive_enrolment(&secret).expose().to_vec(), hex(&vectors["enrolment"]["key"]));
}

#[test]
fn bodies_are_written_and_signed_as_written() {
    let vectors = vectors();
    let cases = vectors["signatures"].as_array().unwrap();
    assert!(cases.len() >= 6);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let direction = if case["key"] == "up" { Direction::Up } else { Direction::Down };
        let key = Key::new(&derived(&vectors, direction));
        let body = serde_json::to_vec(&case["body"]).unwrap();
        let written = canonical::rewrite(&body).unwrap().bytes;
        assert_eq!(String::from_utf8(written).unwrap(), case["canonical"].as_str().unwrap(), "{name}");

        let signed = signing::sign_json(&key, &body).unwrap();
        let carried: Value = serde_json::from_slice(&signed).unwrap();
        assert_eq!(carried["signature"], case["signature"], "{name}");
        assert!(canonical::recognise(&signed).is_some(), "{name}: what is signed here is canonical");
        assert!(signing::scan(&signed).unwrap().verify(&key), "{name}");

        let mut appended = case["body"].clone();
        appended["signature"] = case["signature"].clone();
        let pretty = serde_json::to_vec_pretty(&appended).unwrap();
        assert!(signing::scan(&pretty).unwrap().verify(&key), "{name}: any JSON form is accepted");
    }
}

#[test]
fn what_must_be_refused_is_refused_by_its_name() {
    let vectors = vectors();
    let cases = vectors["refused"].as_array().unwrap();
    assert!(cases.len() >= 8);
    for case in cases {
        let body = case["json"].as_str().unwrap().as_bytes();
        let error = signing::scan(body).expect_err(&case["name"].to_string());
        assert_eq!(error.problem().name(), case["problem"].as_str().unwrap(), "{}", case["name"]);
    }
}

#[test]
fn orders_are_signed_as_written_and_any_change_is_refused() {
    let vectors = vectors();
    let given = &vectors["orders"];
    let key = PrivateKey::new(&Secret::from_slice(&hex(&given["seed"])).unwrap());
    assert_eq!(key.id().to_string(), given["keyId"].as_str().unwrap());
    for case in given["signed"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let agent_id = AgentId::parse(case["agentId"].as_str().unwrap()).unwrap();
        let asked = Asked {
            agent_id: &agent_id,
            action: case["action"].as_str().unwrap(),
            params: case["params"].as_object().unwrap(),
            timeout_seconds: case["timeoutSeconds"].as_u64(),
        };
        let carried = Order::read(&case["order"]).unwrap();
        let Order { key_id, nonce, expires_at, .. } = &carried;
        let written = message(&asked, &Terms { key_id, nonce, expires_at: *expires_at }).unwrap();
        let canonical = case["canonical"].as_str().unwrap();
        assert_eq!(written, [hex(&given["domain"]), canonical.as_bytes().to_vec()].concat(), "{name}");
        assert_eq!(Order::sign(&key, &asked, nonce, *expires_at).unwrap(), carried, "{name}");
        carried.verify(&asked).unwrap();
        let other = AgentId::parse("AGENT-002").unwrap();
        assert!(carried.verify(&Asked { agent_id: &other, ..asked }).is_err(), "{name}");
    }
}
