//! Agents' keys: derived from the master key and the salt in the agent's row, kept ready in memory.
//!
//! What is kept is only ever a copy of what the database said: a removal commits first and is told here
//! ([`Keyring::forget`]) before it is answered, so a key is dead before its remover hears of it.
//!
//! While a rotation of the master key is under way there are two ([`super::masters`]): new keys come from the one in force,
//! those that are there from either. How generations follow each other is [`super::rotation`]'s.

use super::{
    keys::AgentKeys,
    masters::{Known, Master},
    operators::Operators,
    passes::{CACHED_TOKENS_MAX, Pass, Passes},
    token::{AgentToken, TokenError, Tokens},
};
use crate::{
    clock::Clock,
    deed::Record,
    generations::{self, KeyRow, MasterId},
    http::problem::Refusal,
    storage::{Masters, Sqlite, StorageError},
};
use pingup_protocol::{
    enrol::{Credentials, KeyPair},
    ids::AgentId,
    keys::{Direction, KEY_BYTES, SALT_BYTES, Secret, derive},
    problem::ProblemType,
    signing::Key,
    time::Timestamp,
};
use std::{fmt, sync::Arc};

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

/// Credentials of a generation that is in use from the start, and the row that must be stored for them to live.
pub struct Fresh {
    /// For the records.
    pub row: KeyRow,
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
pub struct Keyring(pub(super) Arc<Inner>);

pub(super) struct Inner {
    masters: Known,
    operators: Operators,
    pub(super) sqlite: Sqlite,
    pub(super) clock: Clock,
    pub(super) record: Record,
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
    /// The keyring of the hub with this master key, or these; what is done with keys is written down by `record`.
    pub fn new(masters: impl Into<Masters>, sqlite: Sqlite, clock: Clock, record: Record) -> Self {
        let masters: Masters = masters.into();
        let masters = Known::from(masters);
        let operators = Operators::new(masters.current.tokens.clone(), sqlite.clone(), clock.clone(), record);
        let nobody = Key::new(&Secret::new([0; KEY_BYTES]));
        Self(Arc::new(Inner {
            masters,
            operators,
            sqlite,
            clock,
            record,
            passes: Passes::new(CACHED_TOKENS_MAX),
            nobody,
        }))
    }

    /// Operators' tokens.
    pub fn operators(&self) -> &Operators {
        &self.0.operators
    }

    /// What signs tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.0.masters.current.tokens
    }

    /// A key that verifies nothing, at the price of one that does.
    pub fn nobody(&self) -> &Key {
        &self.0.nobody
    }

    /// Checks an agent's bearer token as of `now`. Whether its generation lives is another question ([`Self::standing`]).
    pub fn check(&self, token: &str, now: Timestamp) -> Result<Arc<Pass>, TokenError> {
        self.0.passes.of(token, now, || {
            let read = self.tokens().read_agent(token);
            match self.0.masters.former() {
                Some(former) if read.is_err() => former.tokens.read_agent(token),
                _ => read,
            }
        })
    }

    /// Whether the generation of a checked token lives now.
    pub async fn standing(&self, pass: &Pass) -> Result<Standing, StorageError> {
        if let Some(keys) = pass.keys().filter(|keys| keys.live(&self.0.clock)) {
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
            .read(move |connection| {
                Ok::<_, StorageError>(generations::find(connection, id.as_str(), generation)?)
            })
            .await?;
        let Some(row) = row else { return Ok(Standing::Unknown) };
        let now = self.0.clock.now();
        let Some(row) = row.filter(|row| row.lives(now)) else { return Ok(Standing::Revoked) };
        let Some(keys) = self.keys(token, &row) else { return Ok(Standing::Revoked) };
        self.note_proof(&row).await;
        Ok(Standing::Alive(Arc::new(keys)))
    }

    /// The keys of a row, where its master key is there, and is the token's too.
    fn keys(&self, token: &AgentToken, row: &KeyRow) -> Option<AgentKeys> {
        let of = |master: &Master| {
            (master.tokens.master() == token.master)
                .then(|| AgentKeys::of(&master.secret, &token.agent_id, row))
        };
        self.0.masters.with(row.master, of).flatten()
    }

    /// Makes credentials of an agent that are in use from the start. They live once the row is stored.
    pub fn fresh(&self, agent_id: &AgentId, generation: u32) -> Result<Fresh, Refusal> {
        let now = self.0.clock.now();
        let (salt, master) = self.material()?;
        let row = KeyRow {
            generation,
            salt,
            master: Some(master),
            made_at: now,
            used_at: Some(now),
            ends_at: None,
        };
        let credentials = self.credentials(agent_id, &row)?;
        Ok(Fresh { row, credentials })
    }

    /// What a new generation is made of: a salt, and the master key in force.
    pub fn material(&self) -> Result<([u8; SALT_BYTES], MasterId), Refusal> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|error| Refusal::internal("no random bytes to be had", &error))?;
        Ok((salt, self.tokens().master()))
    }

    /// The credentials of a generation, for its agent: the same each time.
    pub fn credentials(&self, agent_id: &AgentId, row: &KeyRow) -> Result<Credentials, Refusal> {
        let of = |master: &Master| {
            let key = |direction| {
                derive(&master.secret, &row.salt, direction, agent_id.as_str(), row.generation).to_base64()
            };
            let token = master
                .tokens
                .issue_agent(agent_id, row.generation, row.made_at)
                .map_err(|error| Refusal::internal("an agent's token could not be made", &error))?;
            let keys = KeyPair { up: key(Direction::Up), down: key(Direction::Down) };
            Ok(Credentials { agent_id: agent_id.clone(), generation: row.generation, keys, token })
        };
        let gone =
            || Refusal::internal("the master key of a generation is gone", &format!("{:?}", row.master));
        self.0.masters.with(row.master, of).unwrap_or_else(|| Err(gone()))
    }

    pub(super) fn masters(&self) -> &Known {
        &self.0.masters
    }

    pub(super) fn sqlite(&self) -> &Sqlite {
        &self.0.sqlite
    }

    /// Drops every key of an agent. Call it once the removal is committed, before it is answered.
    pub fn forget(&self, agent_id: &str) {
        self.0.passes.forget(agent_id);
    }
}

/// The answer to whoever comes with a key that is no more.
pub(crate) fn revoked(agent_id: &AgentId) -> Refusal {
    Refusal::new(
        ProblemType::AgentRevoked,
        format!("agent {agent_id} was removed or its key revoked; enrol it anew with a join token"),
    )
}
