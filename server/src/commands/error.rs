//! What can go wrong with commands.

use super::{BATCH_AGENTS_MAX, BATCH_PARAMS_BYTES_MAX, IDEMPOTENCY_KEY_CHARS_MAX, OPEN_COMMANDS_MAX};
use crate::{standing::NotLiving, storage::StorageError};
use pingup_protocol::{command::CommandStatus, schema::SchemaError};
use std::sync::Arc;

/// Why a command was not queued, read, handed out, cancelled or closed.
#[derive(Debug, thiserror::Error)]
pub enum CommandsError {
    /// Nobody to do it.
    #[error(transparent)]
    NotLiving(#[from] NotLiving),
    /// The asker was removed while it waited.
    #[error("agent {0:?} was removed while it waited")]
    Revoked(String),
    /// No such command.
    #[error("there is no command {0:?}; GET /api/v1/commands lists those there are")]
    Unknown(String),
    /// The agent has enough to do.
    #[error(
        "{OPEN_COMMANDS_MAX} commands are open for agent {0:?}; cancel some, or wait until it worked some off"
    )]
    TooManyOpen(String),
    /// A batch of agents none of which has room.
    #[error(
        "{OPEN_COMMANDS_MAX} commands are open for each agent that is meant; cancel some, or wait until they worked \
         some off"
    )]
    NobodyHasRoom,
    /// A selector that fits nobody.
    #[error("no living agent fits; GET /api/v1/agents shows labels, states and names")]
    NobodyFits,
    /// A selector that fits more than a batch may have.
    #[error("more than {BATCH_AGENTS_MAX} agents fit; ask fewer at a time")]
    TooManyFit,
    /// Parameters that are stored for each agent, and are too much for so many.
    #[error(
        "at most {BATCH_PARAMS_BYTES_MAX} bytes of parameters for all agents of a batch together expected; ask fewer \
         at a time"
    )]
    BatchTooLarge,
    /// No such batch.
    #[error("there is no batch {0:?}; its id was in the answer to POST /api/v1/commands")]
    UnknownBatch(String),
    /// One key, two contents.
    #[error(
        "this key (of at most {IDEMPOTENCY_KEY_CHARS_MAX} characters) was used for another command; \
         send the same content, or another key"
    )]
    KeyReused,
    /// A signed order that no agent would take.
    #[error(transparent)]
    Order(#[from] SchemaError),
    /// Too late to take it back.
    #[error("the command is {} already", .0.as_str())]
    Ended(CommandStatus),
    /// The agent reports on what it was never given.
    #[error("no command with this id and place was issued to this agent")]
    NotIssued,
    /// Another result is kept, or none can be.
    #[error("the command is {} already, and this is not the result that was kept", .0.as_str())]
    ResultConflict(CommandStatus),
    /// Too many requests are held open.
    #[error("{0} requests are held open already; ask without wait, or later")]
    TooManyWaiters(usize),
    /// The records could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The same, for all who shared the work.
    #[error("{0}")]
    Shared(Arc<StorageError>),
}

impl From<rusqlite::Error> for CommandsError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}
