//! Agents' keys: derived from the master key and the salt in the agent's row, kept ready in memory.
//!
//! What is kept is only ever a copy of what the database said: a removal commits first and is told here
//! ([`Keyring::forget`]) before it is answered, so a key is dead before its remover hears of it.

use super::{
    passes::{CACHED_TOKENS_MAX, Pass, Passes},
    token::{AgentToken, TokenError, Tokens},
};
use crate::{
    clock::Clock,
    http::problem::Refusal,
    storage::{Sqlite, StorageError},
};
use pingup_protocol::{
    command::Command,
    enrol::{Credentials, KeyPair},
    ids::AgentId,
    keys::{Direction, KEY_BYTES, SALT_BYTES, Secret, derive},
    problem::ProblemType,
    signing::{self, Key},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use std::{fmt, sync::Arc};

/// The keys of one generation of an agent.
#[derive(Debug)]
pub struct AgentKeys {
    agent_id: AgentId,
    generation: u32,
    up: Key,
    down: Key,
}

impl AgentKeys {
    /// The keys that come from the master key and an agent's salt.
    pub(super) fn derived(
        master: &Secret,
        agent_id: &AgentId,
        generation: u32,
        salt: &[u8; SALT_BYTES],
    ) -> Self {
        let key = |direction| Key::new(&derive(master, salt, direction, agent_id.as_str(), generation));
        Self { agent_id: agent_id.clone(), generation, up: key(Direction::Up), down: key(Direction::Down) }
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

/// Whether an agent's generation lives.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It does; these are its keys.
    Alive(Arc<AgentKeys>),
    /// The agent was removed, or this generation ended.
    Revoked,
    /// No such agent was ever known.
    Unknown,
}

/// A new agent's credentials, and the salt that must be stored for them to live.
pub struct Fresh {
    /// For the agent's row.
    pub salt: [u8; SALT_BYTES],
    /// For the agent, once.
    pub credentials: Credentials,
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fresh({:?})", self.credentials)
    }
}

/// All agents' keys.
#[derive(Clone)]
pub struct Keyring(Arc<Inner>);

struct Inner {
    master: Secret,
    tokens: Tokens,
    sqlite: Sqlite,
    clock: Clock,
    passes: Passes,
    /// Takes a key's place where there is none, so that an unknown agent costs what a known one does.
    nobody: Key,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(…)")
    }
}

impl Keyring {
    /// The keyring of the hub with this master key.
    pub fn new(master: Secret, sqlite: Sqlite, clock: Clock) -> Self {
        let tokens = Tokens::new(&master);
        let nobody = Key::new(&Secret::new([0; KEY_BYTES]));
        Self(Arc::new(Inner {
            master,
            tokens,
            sqlite,
            clock,
            passes: Passes::new(CACHED_TOKENS_MAX),
            nobody,
        }))
    }

    /// The hub's bearer tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// A key that verifies nothing, at the price of one that does.
    pub fn nobody(&self) -> &Key {
        &self.0.nobody
    }

    /// Checks an agent's bearer token as of `now`. Whether its generation lives is another question ([`Self::standing`]).
    pub fn check(&self, token: &str, now: Timestamp) -> Result<Arc<Pass>, TokenError> {
        self.0.passes.of(token, now, || self.0.tokens.read_agent(token))
    }

    /// Whether the generation of a checked token lives now.
    pub async fn standing(&self, pass: &Pass) -> Result<Standing, StorageError> {
        if let Some(keys) = pass.keys() {
            return Ok(Standing::Alive(Arc::clone(keys)));
        }
        let now = self.0.clock.now();
        if pass.is_unknown(now) {
            return Ok(Standing::Unknown);
        }
        // In a box: it is the rare case, and every request would have to hold the room for it.
        let standing = Box::pin(self.find(pass.token())).await?;
        match &standing {
            Standing::Alive(keys) => self.0.passes.remember(pass, Arc::clone(keys)),
            Standing::Unknown => pass.note_unknown(now),
            Standing::Revoked => {}
        }
        Ok(standing)
    }

    /// Asks the database whether the generation that `token` names lives.
    pub async fn find(&self, token: &AgentToken) -> Result<Standing, StorageError> {
        let (id, generation) = (token.agent_id.clone(), token.generation);
        let row = self
            .0
            .sqlite
            .read(move |connection| Ok::<_, StorageError>(load(connection, &id, generation)?))
            .await?;
        Ok(match row {
            None => Standing::Unknown,
            Some(None) => Standing::Revoked,
            Some(Some(salt)) => Standing::Alive(Arc::new(AgentKeys::derived(
                &self.0.master,
                &token.agent_id,
                generation,
                &salt,
            ))),
        })
    }

    /// Makes the first or next credentials of an agent. They live once the salt is stored with the agent.
    pub fn fresh(&self, agent_id: &AgentId, generation: u32) -> Result<Fresh, Refusal> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|error| Refusal::internal("no random bytes to be had", &error))?;
        let now = self.0.clock.now();
        let token = self
            .0
            .tokens
            .issue_agent(agent_id, generation, now)
            .map_err(|error| Refusal::internal("an agent's token could not be made", &error))?;
        let key =
            |direction| derive(&self.0.master, &salt, direction, agent_id.as_str(), generation).to_base64();
        let keys = KeyPair { up: key(Direction::Up), down: key(Direction::Down) };
        let credentials = Credentials { agent_id: agent_id.clone(), generation, keys, token };
        Ok(Fresh { salt, credentials })
    }

    /// Drops every key of an agent. Call it once the removal is committed, before it is answered.
    pub fn forget(&self, agent_id: &str) {
        self.0.passes.forget(agent_id);
    }
}

/// The salt of a generation: `None` for no such agent, `Some(None)` for one without that generation.
fn load(
    connection: &Connection,
    agent_id: &AgentId,
    generation: u32,
) -> rusqlite::Result<Option<Option<[u8; SALT_BYTES]>>> {
    connection
        .prepare_cached(
            "SELECT k.salt FROM agents a
             LEFT JOIN agent_keys k ON k.agent_id = a.id AND k.generation = ?2 AND a.removed_at IS NULL
             WHERE a.id = ?1",
        )?
        .query_row((agent_id.as_str(), generation), |row| row.get(0))
        .optional()
}

/// The answer to whoever comes with a key that is no more.
pub(crate) fn revoked(agent_id: &AgentId) -> Refusal {
    Refusal::new(
        ProblemType::AgentRevoked,
        format!("agent {agent_id} was removed or its key revoked; enrol it anew with a join token"),
    )
}
