//! How commands end by their agent's word.

use super::{json, status};
use crate::commands::{CommandsError, Outcome, Verdict, judge, status_at};
use pingup_protocol::{command::CommandStatus, ids::AgentId, time::Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

/// A result that was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where the command stands.
    pub status: CommandStatus,
    /// Whether that is new.
    pub is_new: bool,
    /// Whether the command is one of a batch.
    pub is_of_batch: bool,
}

/// What of a command says whether a result is taken. Thousands come at once after a batch, so no more is read.
struct Reported {
    status: CommandStatus,
    expires_at: Timestamp,
    was_delivered: bool,
    result: Option<Outcome>,
    is_of_batch: bool,
}

/// Keeps what the agent reported of its command `command_id` at place `seq`.
pub fn keep_result(
    connection: &Connection,
    agent_id: &AgentId,
    (command_id, seq): (&str, u64),
    outcome: &Outcome,
    now: Timestamp,
) -> Result<Kept, CommandsError> {
    let Reported { status, expires_at, was_delivered, result, is_of_batch } = connection
        .prepare_cached(
            "SELECT status, expires_at, delivered_at IS NOT NULL, result, batch_id IS NOT NULL
             FROM commands WHERE id = ?1 AND agent_id = ?2 AND seq = ?3",
        )?
        .query_row((command_id, agent_id.as_str(), seq), reported)
        .optional()?
        .ok_or(CommandsError::NotIssued)?;
    let status = status_at(status, expires_at, now);
    match judge(status, was_delivered, result.as_ref(), outcome) {
        Verdict::Same => Ok(Kept { status, is_new: false, is_of_batch }),
        Verdict::NotIssued => Err(CommandsError::NotIssued),
        Verdict::Conflict => Err(CommandsError::ResultConflict(status)),
        Verdict::Keep => {
            Ok(Kept { status: write_result(connection, command_id, outcome)?, is_new: true, is_of_batch })
        }
    }
}

fn reported(row: &Row<'_>) -> rusqlite::Result<Reported> {
    let result: Option<String> = row.get(3)?;
    Ok(Reported {
        status: status(row, 0)?,
        expires_at: Timestamp::from_micros(row.get(1)?),
        was_delivered: row.get(2)?,
        result: result.map(|result| json(3, &result)).transpose()?,
        is_of_batch: row.get(4)?,
    })
}

/// The result has the output; only where the agent cannot tell any more does what it printed before stay.
fn write_result(
    connection: &Connection,
    command_id: &str,
    outcome: &Outcome,
) -> Result<CommandStatus, CommandsError> {
    let status = CommandStatus::from(outcome.status);
    let result = serde_json::to_string(outcome)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    connection
        .prepare_cached(
            "UPDATE commands SET status = ?2, result = ?3, started_at = ?4, finished_at = ?5,
                    progress = iif(?2 = 'unknown', progress, NULL)
             WHERE id = ?1",
        )?
        .execute((
            command_id,
            status.as_str(),
            result,
            outcome.started_at.as_micros(),
            outcome.finished_at.as_micros(),
        ))?;
    Ok(status)
}
