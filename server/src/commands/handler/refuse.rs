//! What is answered when the room cannot do as it was asked.

use crate::{commands::CommandsError, http::problem::Refusal};
use pingup_protocol::{problem::ProblemType, schema::SchemaError};

/// When to come back after an agent's open commands reached their bound: some time must pass for it to work.
const TOO_MANY_OPEN_RETRY_SECONDS: u64 = 30;

impl From<CommandsError> for Refusal {
    fn from(error: CommandsError) -> Self {
        let detail = error.to_string();
        match error {
            CommandsError::NotLiving(error) => Self::new(error.problem(), detail),
            CommandsError::Unknown(_) | CommandsError::UnknownBatch(_) => {
                Self::new(ProblemType::NotFound, detail)
            }
            CommandsError::NobodyFits | CommandsError::TooManyFit => {
                SchemaError::at("/selector", detail).into()
            }
            CommandsError::Order(error) => error.into(),
            CommandsError::BatchTooLarge => SchemaError::at("/params", detail).into(),
            CommandsError::TooManyOpen(_) | CommandsError::NobodyHasRoom => {
                Self::new(ProblemType::Overloaded, detail).retry_after(TOO_MANY_OPEN_RETRY_SECONDS)
            }
            CommandsError::TooManyWaiters(_) => Self::new(ProblemType::Overloaded, detail),
            CommandsError::KeyReused => SchemaError::at("/idempotencyKey", detail).into(),
            CommandsError::Revoked(_) => Self::new(ProblemType::AgentRevoked, detail),
            CommandsError::NotIssued => Self::new(ProblemType::AgentMismatch, detail),
            CommandsError::Ended(_) | CommandsError::ResultConflict(_) => {
                Self::new(ProblemType::ResultConflict, detail)
            }
            CommandsError::Storage(error) => error.into(),
            CommandsError::Shared(error) => Self::from(&*error),
        }
    }
}
