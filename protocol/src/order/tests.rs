//! Keys as text, and what breaks a signature: everything.

use super::*;
use crate::{
    keys::Secret,
    limits::{BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX, ORDER_AGENTS_MAX},
};
use proptest::prelude::*;
use serde_json::json;

const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn key() -> PrivateKey {
    PrivateKey::new(&Secret::new([7; 32]))
}

/// What is asked, as a test can change it.
#[derive(Clone, Debug)]
struct Question {
    agent_id: AgentId,
    action: String,
    params: Map<String, Value>,
    timeout_seconds: Option<u64>,
}

impl Question {
    fn new() -> Self {
        let Value::Object(params) = json!({"argv": ["systemctl", "restart", "nginx"]}) else {
            unreachable!()
        };
        let agent_id = AgentId::parse("web-1").unwrap();
        Self { agent_id, action: "exec".to_owned(), params, timeout_seconds: Some(60) }
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            agent_id: &self.agent_id,
            action: &self.action,
            params: &self.params,
            timeout_seconds: self.timeout_seconds,
        }
    }
}

fn order() -> Order {
    Order::sign(&key(), &Question::new().asked(), "nonce-1", NOON).unwrap()
}

#[test]
fn what_was_signed_verifies_and_travels_as_text() {
    let order = order();
    order.verify(&Question::new().asked()).unwrap();
    let json = serde_json::to_value(&order).unwrap();
    assert_eq!(Order::read(&json).unwrap(), order);
    assert_eq!(json["expiresAt"], "2027-01-15T08:00:00Z");
    let lengths = ["keyId", "signature"].map(|member| json[member].as_str().unwrap().len());
    assert_eq!(lengths, [47, 88]);
}

#[test]
fn an_order_of_anything_else_does_not_hold() {
    let order = order();
    let differs = |change: fn(&mut Question)| {
        let mut question = Question::new();
        change(&mut question);
        matches!(order.verify(&question.asked()), Err(OrderError::NotSigned(_)))
    };
    assert!(differs(|question| question.agent_id = AgentId::parse("web-2").unwrap()));
    assert!(differs(|question| question.action = "restart_service".to_owned()));
    assert!(differs(|question| question.params["argv"][0] = json!("systemctl ")));
    assert!(differs(|question| _ = question.params.insert("x".to_owned(), Value::Null)));
    assert!(differs(|question| question.timeout_seconds = None));
    assert!(differs(|question| question.timeout_seconds = Some(61)));
    let question = Question::new();
    for changed in [
        Order { nonce: "nonce-2".to_owned(), ..order.clone() },
        Order { expires_at: NOON.plus_seconds(1), ..order.clone() },
        Order { key_id: PrivateKey::new(&Secret::new([8; 32])).id(), ..order.clone() },
    ] {
        assert!(changed.verify(&question.asked()).is_err(), "{changed:?}");
    }
}

/// Numbers have many forms on their way through a hub; what they mean is signed.
#[test]
fn another_form_of_the_same_parameters_is_the_same_order() {
    let form = |text: &str| Question { params: serde_json::from_str(text).unwrap(), ..Question::new() };
    let signed = Order::sign(&key(), &form(r#"{"b":1.0,"a":"é"}"#).asked(), "n", NOON).unwrap();
    signed.verify(&form(r#"{"a":"\u00e9","b":1}"#).asked()).unwrap();
    assert!(signed.verify(&form(r#"{"a":"e","b":1}"#).asked()).is_err());
}

#[test]
fn what_could_not_be_handed_out_is_not_signed() {
    let sign = |params: &str, nonce: &str, expires_at| {
        let question = Question { params: serde_json::from_str(params).unwrap(), ..Question::new() };
        Order::sign(&key(), &question.asked(), nonce, expires_at)
    };
    assert!(matches!(sign(r#"{"n":1e16}"#, "n", NOON), Err(OrderError::Unacceptable)));
    assert!(matches!(sign(r#"{"n":9007199254740993}"#, "n", NOON), Err(OrderError::Json(_))));
    assert!(matches!(sign("{}", "", NOON), Err(OrderError::Nonce)));
    assert!(matches!(sign("{}", &"n".repeat(129), NOON), Err(OrderError::Nonce)));
    assert!(matches!(sign("{}", "n", Timestamp::from_micros(1)), Err(OrderError::NotWholeSeconds)));
}

#[test]
fn an_order_that_does_not_have_the_form_is_not_read() {
    let good = serde_json::to_value(order()).unwrap();
    assert!(Order::read(&json!("order")).is_err() && Order::read(&Value::Null).is_err());
    for (member, value) in [
        ("keyId", json!("pok_")),
        ("keyId", json!(7)),
        ("nonce", json!("")),
        ("nonce", json!("a b")),
        ("expiresAt", json!("2027-01-15T08:00:00.000Z")),
        ("expiresAt", json!("2027-01-15T09:00:00+01:00")),
        ("expiresAt", json!("2027-01-15t08:00:00Z")),
        ("expiresAt", json!(1_800_000_000)),
        ("signature", json!("AA==")),
        ("signature", Value::Null),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        assert!(Order::read(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_public_key_is_a_line_with_a_name_or_without() {
    let id = key().id();
    for (line, name) in [(format!("{id}"), None), (format!(" {id}  ada@laptop\n"), Some("ada@laptop"))] {
        let read: OperatorKey = line.parse().unwrap();
        assert_eq!((&read.id, read.name.as_ref().map(KeyName::as_str)), (&id, name));
        assert_eq!(read.to_string().parse(), Ok(read));
    }
    assert_eq!(id.to_string().parse(), Ok(id));
    let text = id.to_string();
    let weak = format!("pok_{}", "A".repeat(43));
    for bad in ["", "pok_", &text[4..], &text[..46], &format!("{text}="), &format!("{text}A"), &weak] {
        assert!(bad.parse::<OperatorKey>().is_err(), "{bad:?}");
    }
    for bad in ["two words", "größe", "a\tb", &"x".repeat(65)] {
        assert_eq!(format!("{text} {bad}").parse::<OperatorKey>(), Err(OperatorKeyError::Name), "{bad:?}");
    }
}

#[test]
fn the_largest_batch_fits_a_body() {
    let (id, signature) = ("\"\",".len() + crate::limits::AGENT_ID_CHARS_MAX, "\"\",".len() + 88);
    assert!(ORDER_AGENTS_MAX * (id + signature) + BODY_BYTES_MAX + 1_024 < BATCH_BODY_BYTES_MAX);
}

#[test]
fn a_private_key_is_not_printed() {
    let said = format!("{:?}", key());
    assert!(said.contains(&key().id().to_string()) && !said.contains("7, 7"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bit_of_the_message_that_is_changed_is_refused(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (order, question) = (order(), Question::new());
        let terms = Terms { key_id: &order.key_id, nonce: &order.nonce, expires_at: order.expires_at };
        let mut message = message(&question.asked(), &terms).unwrap();
        prop_assert!(order.key_id.verify(&message, &order.signature));
        let at = at.index(message.len());
        message[at] ^= 1 << bit;
        prop_assert!(!order.key_id.verify(&message, &order.signature));
    }

    #[test]
    fn any_bit_of_the_signature_that_is_changed_is_refused(at in 0..SIGNATURE_BYTES, bit in 0_u8..8) {
        let order = order();
        let mut bytes = *order.signature.as_bytes();
        bytes[at] ^= 1 << bit;
        let changed = Order { signature: Signature::new(bytes), ..order };
        prop_assert!(changed.verify(&Question::new().asked()).is_err());
    }

    #[test]
    fn any_bit_of_the_key_that_is_changed_is_refused(at in 0..32_usize, bit in 0_u8..8) {
        let order = order();
        let mut bytes = *order.key_id.as_bytes();
        bytes[at] ^= 1 << bit;
        let text = format!("pok_{}", base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes));
        // What is a key at all is another's.
        if let Ok(key_id) = text.parse() {
            let changed = Order { key_id, ..order };
            prop_assert!(changed.verify(&Question::new().asked()).is_err());
        }
    }

    #[test]
    fn what_is_signed_verifies(action in "[a-z][a-z0-9_]{0,20}", text in any::<String>(), number in any::<i32>(),
                               timeout in prop::option::of(1_u64..=86_400), nonce in "[!-~]{1,128}") {
        let mut params = Map::new();
        params.insert(text.clone(), json!([number, text]));
        let question = Question { action, params, timeout_seconds: timeout, ..Question::new() };
        let order = Order::sign(&key(), &question.asked(), &nonce, NOON).unwrap();
        let read = Order::read(&serde_json::to_value(&order).unwrap()).unwrap();
        prop_assert!(read.verify(&question.asked()).is_ok());
    }
}
