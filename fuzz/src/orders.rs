//! Orders that operators signed: what was signed verifies, for what was asked and nothing else; what is read is written as it
//! was; and whoever has no key makes none.

use pingup_protocol::{
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    order::{Asked, KeyId, KeyName, OperatorKey, Order, PrivateKey},
    time::Timestamp,
};
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// An operator's key.
pub(crate) static KEY: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::new(&Secret::new([0x0d; KEY_BYTES])));
const EXPIRES_AT: Timestamp = Timestamp::from_micros(1_900_000_000_000_000);
/// Of a byte.
const BITS: usize = 8;

/// A byte that says how the rest is taken: parameters that are signed, an order as it came, or short texts.
pub fn run(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    match choice % 4 {
        0 | 1 => signed(choice / 4, rest),
        2 => came(rest),
        _ => words(rest),
    }
}

/// Two bytes that choose a bit, then a line each for action and nonce, then parameters.
fn signed(timeout: u8, bytes: &[u8]) {
    let Some((&[high, low], rest)) = bytes.split_first_chunk::<2>() else { return };
    let mut parts = rest.splitn(3, |&byte| byte == b'\n').map(std::str::from_utf8);
    let (Some(Ok(action)), Some(Ok(nonce)), Some(Ok(params))) = (parts.next(), parts.next(), parts.next())
    else {
        return;
    };
    let Ok(params) = serde_json::from_str::<Map<String, Value>>(params) else { return };
    let (one, other) = (AgentId::parse("one").expect("an id"), AgentId::parse("other").expect("an id"));
    let timeout_seconds = (timeout > 0).then_some(timeout.into());
    let asked = Asked { agent_id: &one, action, params: &params, timeout_seconds };
    let Ok(order) = Order::sign(&KEY, &asked, nonce, EXPIRES_AT) else { return };
    order.verify(&asked).expect("what was signed verifies");
    let json = serde_json::to_value(&order).expect("an order can be written");
    assert_eq!(Order::read(&json).expect("and read"), order);
    // As it travels: what the hub hands on is what was signed, whatever it does to the text.
    let text = serde_json::to_vec(&params).expect("parameters can be written");
    let again: Map<String, Value> = serde_json::from_slice(&text).expect("and read");
    order.verify(&Asked { params: &again, ..asked }).expect("parameters survive the way");

    let longer = format!("{action}x");
    let mut more = params.clone();
    // A name that is not there yet.
    more.insert("x".repeat(params.keys().map(String::len).max().unwrap_or(0) + 1), true.into());
    for changed in [
        Asked { agent_id: &other, ..asked },
        Asked { action: &longer, ..asked },
        Asked { params: &more, ..asked },
        Asked { timeout_seconds: Some(u64::from(timeout) + 1), ..asked },
    ] {
        assert!(order.verify(&changed).is_err(), "{changed:?}");
    }
    let later = Order { expires_at: order.expires_at.plus_seconds(1), ..order.clone() };
    assert!(later.verify(&asked).is_err());
    let mut text = serde_json::to_vec(&order).expect("an order can be written");
    let bit = usize::from(u16::from_be_bytes([high, low])) % (text.len() * BITS);
    text[bit / BITS] ^= 1 << (bit % BITS);
    let read = serde_json::from_slice::<Value>(&text).ok().and_then(|json| Order::read(&json).ok());
    let holds = read.is_some_and(|read| read != order && read.verify(&asked).is_ok());
    assert!(!holds, "bit {bit} changed the order, and it holds");
}

/// An order of whoever comes.
fn came(bytes: &[u8]) {
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return };
    let Ok(order) = Order::read(&json) else { return };
    let written = serde_json::to_value(&order).expect("what was read can be written");
    assert_eq!(Order::read(&written).expect("and read"), order);
    // The texts of its members have one form each.
    for (name, value) in written.as_object().expect("an object") {
        assert_eq!(json.get(name), Some(value));
    }
    let agent_id = AgentId::parse("one").expect("an id");
    let _ = order.verify(&Asked {
        agent_id: &agent_id,
        action: "exec",
        params: &Map::new(),
        timeout_seconds: None,
    });
}

/// Texts of settings and flags.
fn words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = text.parse::<KeyId>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(name) = text.parse::<KeyName>() {
        assert_eq!(name.as_str(), text);
    }
    if let Ok(key) = text.parse::<OperatorKey>() {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
}
