//! What may be queued: the body of a new command, and the order it becomes once it was found fit, for one agent or
//! for a batch of them.
//!
//! Refused here is what could not be handed out later, so that a queued command never fails for its form.

use super::{BATCH_AGENTS_MAX, SignedBatch, SignedBody};
use crate::selector::Selector;
use pingup_protocol::{
    command::{Action, check_timeout},
    ids::AgentId,
    limits::{BODY_BYTES_MAX, COMMAND_TTL_SECONDS_MAX, DEPTH_MAX},
    order,
    schema::{Checked, SchemaError},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Parameters of one command, in bytes of compact JSON.
pub const PARAMS_BYTES_MAX: usize = BODY_BYTES_MAX;
/// How deep parameters may be nested: handed out, they stand inside a command inside a list inside an answer.
pub const PARAMS_DEPTH_MAX: usize = DEPTH_MAX - 3;
/// How long a command may wait unless it says otherwise.
const TTL_SECONDS_DEFAULT: u64 = 3_600;
/// An idempotency key, in characters.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 128;

/// `POST /api/v1/commands`: exactly one of `agentId`, `agentIds` and `selector`.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandBody {
    /// Who is to do it.
    #[serde(default)]
    pub agent_id: Option<AgentId>,
    /// Who are to do it, each named once.
    #[serde(default)]
    pub agent_ids: Option<Vec<AgentId>>,
    /// Who are to do it: those that fit at the moment it is queued.
    #[serde(default)]
    pub selector: Option<Selector>,
    /// What to do. A name that this hub does not know is queued all the same: the agent may know it.
    pub action: String,
    /// With what.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub params: Map<String, Value>,
    /// How many seconds it may wait; an hour when absent.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// How many seconds it may run, at most a day; what its action says when absent.
    #[serde(default)]
    pub timeout_seconds: Option<u64>,
    /// The same key with the same content makes no second command.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// What an operator signed of all this, for agents that run nothing else.
    #[serde(default)]
    pub order: Option<SignedBody>,
}

impl Checked for CommandBody {
    fn check(&self) -> Result<(), SchemaError> {
        self.check_agents()?;
        Action::read(&self.action, &self.params)?;
        if self.ttl_seconds.is_some_and(|ttl| !(1..=COMMAND_TTL_SECONDS_MAX).contains(&ttl)) {
            let detail = format!("1 to {COMMAND_TTL_SECONDS_MAX} seconds expected");
            return Err(SchemaError::at("/ttlSeconds", detail));
        }
        check_timeout("/timeoutSeconds", self.timeout_seconds)?;
        let key_chars = self.idempotency_key.as_ref().map_or(1, |key| key.chars().count());
        if !(1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&key_chars) {
            let detail = format!("1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters expected");
            return Err(SchemaError::at("/idempotencyKey", detail));
        }
        if object_depth(&self.params) > PARAMS_DEPTH_MAX {
            let detail = format!("nested at most {PARAMS_DEPTH_MAX} deep expected");
            return Err(SchemaError::at("/params", detail));
        }
        self.order.as_ref().map_or(Ok(()), |order| order.check(self))
    }
}

impl CommandBody {
    fn check_agents(&self) -> Result<(), SchemaError> {
        match (&self.agent_id, &self.agent_ids, &self.selector) {
            (Some(_), None, None) => Ok(()),
            (None, Some(agent_ids), None) => check_named(agent_ids),
            (None, None, Some(selector)) => selector.check("/selector"),
            _ => Err(SchemaError::at("", "exactly one of agentId, agentIds and selector expected")),
        }
    }
}

fn check_named(agent_ids: &[AgentId]) -> Result<(), SchemaError> {
    if !(1..=BATCH_AGENTS_MAX).contains(&agent_ids.len()) {
        return Err(SchemaError::at("/agentIds", format!("1 to {BATCH_AGENTS_MAX} agents expected")));
    }
    let mut seen = HashSet::with_capacity(agent_ids.len());
    match agent_ids.iter().position(|agent_id| !seen.insert(agent_id)) {
        Some(index) => {
            let detail = format!("{} is named before; each agent once expected", agent_ids[index]);
            Err(SchemaError::at(format!("/agentIds/{index}"), detail))
        }
        None => Ok(()),
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

/// What is to be done, and how long it may wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What to do.
    pub action: String,
    /// With what, as compact JSON.
    pub params: String,
    /// How many seconds it may wait.
    pub ttl_seconds: i64,
    /// How many seconds it may run, if that was said.
    pub timeout_seconds: Option<u64>,
}

/// A command that was found fit to be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who is to do it.
    pub agent_id: AgentId,
    /// What is to be done.
    pub task: Task,
    /// Under which it is recognised again.
    pub idempotency_key: Option<String>,
    /// What its operator signed.
    pub signed: Option<order::Order>,
}

/// Commands to many that were found fit to be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchOrder {
    /// Who are to do it.
    pub asked: Asked,
    /// What each is to do.
    pub task: Task,
    /// Under which it is recognised again.
    pub idempotency_key: Option<String>,
    /// What its operator signed, for each of [`Asked::Agents`] in their order.
    pub signed: Option<SignedBatch>,
}

/// Whom a batch is asked of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Asked {
    /// Those named, in order of their ids.
    Agents(Vec<AgentId>),
    /// Those that fit.
    Fitting(Selector),
}

/// What an operator asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A command of one agent.
    One(Order),
    /// A batch.
    Many(BatchOrder),
}

impl Wanted {
    /// Takes a body that was checked, if its parameters keep to [`PARAMS_BYTES_MAX`] as they are stored.
    pub fn new(body: CommandBody) -> Result<Self, SchemaError> {
        let params = Value::Object(body.params).to_string();
        if params.len() > PARAMS_BYTES_MAX {
            let detail = format!("at most {PARAMS_BYTES_MAX} bytes of compact JSON expected");
            return Err(SchemaError::at("/params", detail));
        }
        let ttl_seconds = i64::try_from(body.ttl_seconds.unwrap_or(TTL_SECONDS_DEFAULT)).unwrap_or(i64::MAX);
        let task = Task { action: body.action, params, ttl_seconds, timeout_seconds: body.timeout_seconds };
        let idempotency_key = body.idempotency_key;
        if let Some(agent_id) = body.agent_id {
            let signed = body.order.and_then(SignedBody::into_one);
            return Ok(Self::One(Order { agent_id, task, idempotency_key, signed }));
        }
        let (asked, signed) = match (body.agent_ids, body.order) {
            (Some(mut agent_ids), order) => {
                let signed = order.and_then(|order| order.into_batch(&mut agent_ids));
                agent_ids.sort_unstable();
                (Asked::Agents(agent_ids), signed)
            }
            (None, _) => (Asked::Fitting(body.selector.unwrap_or_default()), None),
        };
        Ok(Self::Many(BatchOrder { asked, task, idempotency_key, signed }))
    }
}

#[cfg(test)]
mod tests;
