//! The keys of one generation of an agent, ready to verify and to sign with.

use crate::{clock::Clock, generations::KeyRow, http::problem::Refusal};
use pingup_protocol::{
    command::Command,
    ids::AgentId,
    keys::{Direction, Secret, derive},
    signing::{self, Key},
    time::Timestamp,
};
use serde::Serialize;

/// The keys of one generation of an agent.
#[derive(Debug)]
pub struct AgentKeys {
    agent_id: AgentId,
    generation: u32,
    up: Key,
    down: Key,
    /// Nothing was verified with them yet, as far as was known when they were made.
    is_unused: bool,
    /// From when on they are refused, if that is known.
    ends_at: Option<Timestamp>,
}

impl AgentKeys {
    /// The keys that come from the master key and what is kept of a generation.
    pub(super) fn of(master: &Secret, agent_id: &AgentId, row: &KeyRow) -> Self {
        let generation = row.generation;
        let key = |direction| Key::new(&derive(master, &row.salt, direction, agent_id.as_str(), generation));
        Self {
            agent_id: agent_id.clone(),
            generation,
            up: key(Direction::Up),
            down: key(Direction::Down),
            is_unused: row.used_at.is_none(),
            ends_at: row.ends_at,
        }
    }

    /// Whether what is verified with them now may be the first that is.
    pub(crate) const fn are_unused(&self) -> bool {
        self.is_unused
    }

    /// Whether they are good; few have an end that the clock must be asked for.
    pub(crate) fn live(&self, clock: &Clock) -> bool {
        self.ends_at.is_none_or(|ends_at| clock.now() < ends_at)
    }

    /// Whose they are.
    pub const fn agent_id(&self) -> &AgentId {
        &self.agent_id
    }

    /// Which generation they are.
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// What the agent signs with.
    pub(crate) const fn up(&self) -> &Key {
        &self.up
    }

    /// `answer` as canonical JSON, signed by the hub for this agent.
    pub fn sign(&self, answer: &impl Serialize) -> Result<Vec<u8>, Refusal> {
        signing::sign(&self.down, answer)
            .map_err(|error| Refusal::internal("an answer could not be signed", &error))
    }

    /// `command` with its own signature, to be put into an answer.
    pub fn sign_command(&self, command: &Command) -> Result<serde_json::Value, Refusal> {
        let bytes = self.sign(command)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Refusal::internal("a signed command could not be read back", &error))
    }
}
