//! What may be queued: the body of a new command, and the order it becomes once it was found fit.
//!
//! Refused here is what could not be handed out later, so that a queued command never fails for its form.

use pingup_protocol::{
    command::Action,
    ids::AgentId,
    limits::{BODY_BYTES_MAX, COMMAND_TTL_SECONDS_MAX, DEPTH_MAX},
    schema::{Checked, SchemaError},
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Parameters of one command, in bytes of compact JSON.
pub const PARAMS_BYTES_MAX: usize = BODY_BYTES_MAX;
/// How deep parameters may be nested: handed out, they stand inside a command inside a list inside an answer.
pub const PARAMS_DEPTH_MAX: usize = DEPTH_MAX - 3;
/// How long a command may wait unless it says otherwise.
const TTL_SECONDS_DEFAULT: u64 = 3_600;
/// An idempotency key, in characters.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 128;

/// `POST /api/v1/commands`.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandBody {
    /// Who is to do it.
    pub agent_id: AgentId,
    /// What to do. A name that this hub does not know is queued all the same: the agent may know it.
    pub action: String,
    /// With what.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub params: Map<String, Value>,
    /// How many seconds it may wait; an hour when absent.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// The same key with the same content makes no second command.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Checked for CommandBody {
    fn check(&self) -> Result<(), SchemaError> {
        Action::read(&self.action, &self.params)?;
        if self.ttl_seconds.is_some_and(|ttl| !(1..=COMMAND_TTL_SECONDS_MAX).contains(&ttl)) {
            let detail = format!("1 to {COMMAND_TTL_SECONDS_MAX} seconds expected");
            return Err(SchemaError::at("/ttlSeconds", detail));
        }
        let key_chars = self.idempotency_key.as_ref().map_or(1, |key| key.chars().count());
        if !(1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&key_chars) {
            let detail = format!("1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters expected");
            return Err(SchemaError::at("/idempotencyKey", detail));
        }
        if object_depth(&self.params) > PARAMS_DEPTH_MAX {
            let detail = format!("nested at most {PARAMS_DEPTH_MAX} deep expected");
            return Err(SchemaError::at("/params", detail));
        }
        Ok(())
    }
}

fn object_depth(object: &Map<String, Value>) -> usize {
    1 + object.values().map(depth).max().unwrap_or(0)
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(object) => object_depth(object),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A command that was found fit to be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who is to do it.
    pub agent_id: AgentId,
    /// What to do.
    pub action: String,
    /// With what, as compact JSON.
    pub params: String,
    /// How many seconds it may wait.
    pub ttl_seconds: i64,
    /// Under which it is recognised again.
    pub idempotency_key: Option<String>,
}

impl Order {
    /// Takes a body that was checked, if its parameters keep to [`PARAMS_BYTES_MAX`] as they are stored.
    pub fn new(body: CommandBody) -> Result<Self, SchemaError> {
        let params = Value::Object(body.params).to_string();
        if params.len() > PARAMS_BYTES_MAX {
            let detail = format!("at most {PARAMS_BYTES_MAX} bytes of compact JSON expected");
            return Err(SchemaError::at("/params", detail));
        }
        let ttl_seconds = body.ttl_seconds.unwrap_or(TTL_SECONDS_DEFAULT);
        Ok(Self {
            agent_id: body.agent_id,
            action: body.action,
            params,
            ttl_seconds: i64::try_from(ttl_seconds).unwrap_or(i64::MAX),
            idempotency_key: body.idempotency_key,
        })
    }
}

#[cfg(test)]
mod tests {
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
            (json!({"agentId": "a", "action": "exec", "params": {"argv": []}}), "/params/argv"),
            (json!({"agentId": "a", "action": "ping", "ttlSeconds": 0}), "/ttlSeconds"),
            (
                json!({"agentId": "a", "action": "ping", "ttlSeconds": COMMAND_TTL_SECONDS_MAX + 1}),
                "/ttlSeconds",
            ),
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
            Order::new(serde_json::from_value(body).unwrap())
        };
        assert_eq!(order(PARAMS_BYTES_MAX).unwrap().params.len(), PARAMS_BYTES_MAX);
        assert_eq!(order(PARAMS_BYTES_MAX + 1).unwrap_err().errors[0].pointer, "/params");
    }
}
