//! How commands end by their agent's word.

use super::find;
use crate::commands::{CommandsError, Outcome, Verdict, judge};
use pingup_protocol::{command::CommandStatus, ids::AgentId, time::Timestamp};
use rusqlite::Connection;

/// Keeps what the agent reported of its command `command_id` at place `seq`; returns where the command stands, and
/// whether that is new.
pub fn keep_result(
    connection: &Connection,
    agent_id: &AgentId,
    (command_id, seq): (&str, u64),
    outcome: &Outcome,
    now: Timestamp,
) -> Result<(CommandStatus, bool), CommandsError> {
    let command = find(connection, command_id, now)?
        .filter(|command| command.agent_id == *agent_id && command.command_seq == seq)
        .ok_or(CommandsError::NotIssued)?;
    match judge(command.status, command.delivered_at.is_some(), command.result.as_ref(), outcome) {
        Verdict::Same => Ok((command.status, false)),
        Verdict::NotIssued => Err(CommandsError::NotIssued),
        Verdict::Conflict => Err(CommandsError::ResultConflict(command.status)),
        Verdict::Keep => Ok((write_result(connection, command_id, outcome)?, true)),
    }
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
