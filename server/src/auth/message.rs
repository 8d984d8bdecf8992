//! What is left of a request once it was checked. Only the gate makes these; handlers take them apart.

use super::{keys::AgentKeys, role::Operator};
use crate::http::problem::Refusal;
use bytes::Bytes;
use pingup_protocol::{
    command::{ProgressBody, ResultBody},
    discovery::DiscoveryBody,
    heartbeat::HeartbeatBody,
    ids::AgentId,
    metrics::MetricsBody,
    problem::ProblemType,
    schema::{self, Checked, SchemaError},
};
use serde::Deserialize;
use std::sync::Arc;

/// A body that says whose it is.
pub trait Addressed {
    /// The agent that the body names.
    fn agent_id(&self) -> &AgentId;
}

macro_rules! addressed {
    ($($body:ty),*) => { $(impl Addressed for $body {
        fn agent_id(&self) -> &AgentId { &self.agent_id }
    })* };
}
addressed!(DiscoveryBody, HeartbeatBody, ProgressBody, ResultBody);

/// An agent that asks something: its token was checked and its generation lives.
#[derive(Clone, Debug)]
pub struct AgentCaller {
    keys: Arc<AgentKeys>,
}

impl AgentCaller {
    pub(crate) const fn new(keys: Arc<AgentKeys>) -> Self {
        Self { keys }
    }

    /// Who it is.
    pub fn agent_id(&self) -> &AgentId {
        self.keys.agent_id()
    }

    /// What its answer is signed with.
    pub const fn keys(&self) -> &Arc<AgentKeys> {
        &self.keys
    }
}

/// An agent or an operator, where both may come.
#[derive(Clone, Debug)]
pub enum Caller {
    /// An agent.
    Agent(AgentCaller),
    /// An operator.
    Operator(Operator),
}

/// A body whose signature was verified with its agent's key.
#[derive(Clone, Debug)]
pub struct AgentMessage {
    keys: Arc<AgentKeys>,
    body: Bytes,
    received_bytes: usize,
}

impl AgentMessage {
    /// To be called with bytes that were verified with these keys, and with no others.
    /// `received_bytes` is how long it was as it came; `body` is its canonical form.
    pub(crate) const fn verified(keys: Arc<AgentKeys>, body: Bytes, received_bytes: usize) -> Self {
        Self { keys, body, received_bytes }
    }

    /// Who sent it.
    pub fn agent_id(&self) -> &AgentId {
        self.keys.agent_id()
    }

    /// What verified it.
    pub const fn keys(&self) -> &Arc<AgentKeys> {
        &self.keys
    }

    /// How long the body was as it came.
    pub const fn body_bytes(&self) -> usize {
        self.received_bytes
    }

    /// The body as a `T` that names the same agent as the bearer token.
    pub fn read<T: Checked + Addressed>(&self) -> Result<T, Refusal> {
        let body: T = schema::read(&self.body).map_err(|error| self.unreadable(error))?;
        self.same_agent(body.agent_id())?;
        Ok(body)
    }

    /// The body as metrics that name the same agent as the bearer token.
    pub fn read_metrics(&self) -> Result<MetricsBody, Refusal> {
        let body = MetricsBody::read(&self.body).map_err(|error| self.unreadable(error))?;
        self.same_agent(body.agent_id())?;
        Ok(body)
    }

    fn same_agent(&self, named: &AgentId) -> Result<(), Refusal> {
        match named == self.agent_id() {
            true => Ok(()),
            false => Err(mismatch("the body names another agent than the bearer token")),
        }
    }

    /// A body of another agent is that before it is anything else.
    fn unreadable(&self, error: SchemaError) -> Refusal {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Named {
            agent_id: AgentId,
        }
        match serde_json::from_slice::<Named>(&self.body) {
            Ok(named) if named.agent_id != *self.agent_id() => {
                mismatch("the body names another agent than the bearer token")
            }
            _ => error.into(),
        }
    }
}

pub(crate) fn mismatch(detail: &str) -> Refusal {
    Refusal::new(ProblemType::AgentMismatch, detail)
}

/// The body of an operator's request: strict JSON.
#[derive(Clone, Debug)]
pub struct OperatorBody(pub(crate) Bytes);

impl OperatorBody {
    /// The body as a `T`.
    pub fn read<T: Checked>(&self) -> Result<T, Refusal> {
        Ok(schema::read(&self.0)?)
    }
}

/// The body of an operator's request that is no JSON, as it came.
#[derive(Clone, Debug)]
pub struct PlainBody(pub(crate) Bytes);

/// A body that nobody vouches for yet: strict JSON, and that is all. Only registration takes one.
#[derive(Clone, Debug)]
pub struct RawBody(pub(crate) Bytes);

impl RawBody {
    /// The bytes, to be verified with a join token's key.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
