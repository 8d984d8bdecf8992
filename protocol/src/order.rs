//! Orders: what an operator signed with a key of their own, so that no hub can make it up.
//!
//! An order is Ed25519 over [`message`]: a domain of its own, and the canonical JSON of who is to do what, with what, for
//! how long, until when, under which nonce, by whose word. What travels beside a command ([`Order`]) is only what the
//! command does not say already: whoever verifies puts the rest together from the command itself, so there is nothing
//! that could be signed and yet differ.
//!
//! Many agents are ordered by a signature each: an order is as long for one agent of ten thousand as for one alone.

mod key;

pub use key::{
    KeyId, KeyIdError, KeyName, OperatorKey, OperatorKeyError, PrivateKey, SIGNATURE_BYTES, Signature,
};

use crate::{
    canonical::{self, JsonError},
    ids::{AgentId, is_nonce},
    limits::NONCE_CHARS_MAX,
    schema::{SchemaError, plain},
    time::Timestamp,
};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

/// What stands before the canonical JSON: no other message of the protocol begins so.
const DOMAIN: &[u8] = b"pingup-order/1\0";
const MICROS_PER_SECOND: i64 = 1_000_000;

/// What is asked, by a command: all that decides what will be done.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who is to do it.
    pub agent_id: &'a AgentId,
    /// What to do.
    pub action: &'a str,
    /// With what.
    pub params: &'a Map<String, Value>,
    /// How many seconds it may run, if that was said.
    pub timeout_seconds: Option<u64>,
}

/// What an order says beside what is asked.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Whose word it is.
    pub key_id: &'a KeyId,
    /// 1 to 128 visible ASCII characters, made up afresh: an agent takes each once.
    pub nonce: &'a str,
    /// When it may no longer be begun; whole seconds.
    pub expires_at: Timestamp,
}

/// An order to one agent, as it travels beside a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Order {
    /// The public key that it verifies with.
    pub key_id: KeyId,
    /// An agent takes each once.
    pub nonce: String,
    /// When it may no longer be begun: UTC in whole seconds, exactly `YYYY-MM-DDTHH:MM:SSZ`.
    #[serde(deserialize_with = "whole_seconds")]
    pub expires_at: Timestamp,
    /// Ed25519 over the message, 64 bytes in base64.
    pub signature: Signature,
}

/// Why an order does not hold, or cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// It does not have an order's form.
    #[error("it does not have the form of an order: {0}")]
    Malformed(String),
    /// A nonce that is none.
    #[error("a nonce is 1 to {NONCE_CHARS_MAX} visible ASCII characters")]
    Nonce,
    /// A moment between two seconds.
    #[error("an order expires at a whole second")]
    NotWholeSeconds,
    /// Parameters that are no strict JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A number whose canonical form would be refused.
    #[error("a whole number beyond 2^53-1 cannot be signed; write it as text")]
    Unacceptable,
    /// Something else was signed, or with another key.
    #[error("its signature is not of {0} over what is asked here")]
    NotSigned(KeyId),
}

/// The bytes that are signed.
pub fn message(asked: &Asked<'_>, terms: &Terms<'_>) -> Result<Vec<u8>, OrderError> {
    let mut message = DOMAIN.to_vec();
    message.extend_from_slice(&canonical(asked, terms)?);
    Ok(message)
}

/// What is signed, in the order of its names; the canonical form puts the names inside `params` in order too.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed<'a> {
    action: &'a str,
    agent_id: &'a AgentId,
    expires_at: Timestamp,
    key_id: &'a KeyId,
    nonce: &'a str,
    params: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<u64>,
}

fn canonical(asked: &Asked<'_>, terms: &Terms<'_>) -> Result<Vec<u8>, OrderError> {
    let Asked { agent_id, action, params, timeout_seconds } = *asked;
    let Terms { key_id, nonce, expires_at } = *terms;
    let signed = Signed { action, agent_id, expires_at, key_id, nonce, params, timeout_seconds };
    let json = serde_json::to_vec(&signed).map_err(|error| OrderError::Malformed(plain(&error)))?;
    Ok(canonical::rewrite(&json)?.bytes)
}

impl Order {
    /// Signs what is asked, with `key`. Refuses what the other side would.
    pub fn sign(
        key: &PrivateKey,
        asked: &Asked<'_>,
        nonce: &str,
        expires_at: Timestamp,
    ) -> Result<Self, OrderError> {
        if !is_nonce(nonce) {
            return Err(OrderError::Nonce);
        }
        if !is_whole(expires_at) {
            return Err(OrderError::NotWholeSeconds);
        }
        let key_id = key.id();
        let terms = Terms { key_id: &key_id, nonce, expires_at };
        let message = message(asked, &terms)?;
        // A canonical form that is not strict itself could not be handed out in a signed answer.
        canonical::rewrite(&message[DOMAIN.len()..]).map_err(|_| OrderError::Unacceptable)?;
        let signature = key.sign(&message);
        Ok(Self { key_id, nonce: nonce.to_owned(), expires_at, signature })
    }

    /// Reads an order that stood beside a command.
    pub fn read(json: &Value) -> Result<Self, OrderError> {
        let order = Self::deserialize(json).map_err(|error| OrderError::Malformed(plain(&error)))?;
        if is_nonce(&order.nonce) { Ok(order) } else { Err(OrderError::Nonce) }
    }

    /// Whether the key that it names signed what is asked. Whose key that is, is for the caller to know.
    pub fn verify(&self, asked: &Asked<'_>) -> Result<(), OrderError> {
        let Self { key_id, nonce, expires_at, signature } = self;
        let message = message(asked, &Terms { key_id, nonce, expires_at: *expires_at })?;
        match key_id.verify(&message, signature) {
            true => Ok(()),
            false => Err(OrderError::NotSigned(*key_id)),
        }
    }
}

/// Whether a nonce at `pointer` is one.
pub fn check_nonce(pointer: &str, nonce: &str) -> Result<(), SchemaError> {
    match is_nonce(nonce) {
        true => Ok(()),
        false => Err(SchemaError::at(pointer, OrderError::Nonce.to_string())),
    }
}

const fn is_whole(moment: Timestamp) -> bool {
    moment.as_micros().rem_euclid(MICROS_PER_SECOND) == 0
}

/// Reads a moment that is written in the one form that it is signed in.
pub fn whole_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let moment = Timestamp::parse(&text).map_err(de::Error::custom)?;
    match is_whole(moment) && moment.to_string() == text {
        true => Ok(moment),
        false => Err(de::Error::custom("UTC in whole seconds expected, such as 2026-02-25T10:00:00Z")),
    }
}

#[cfg(test)]
mod tests;
