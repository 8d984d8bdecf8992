//! How commands end by someone's word: a result, or a cancellation.

use super::{OPEN, find};
use crate::commands::{CommandView, CommandsError, Outcome, Verdict, judge};
use pingup_protocol::{command::CommandStatus, ids::AgentId, time::Timestamp};
use rusqlite::Connection;

/// Keeps what the agent reported of its command `command_id` at place `seq`; returns where the command
/// stands, and whether that is new.
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
    match judge(command.status, command.result.as_ref(), outcome) {
        Verdict::Same => Ok((command.status, false)),
        Verdict::NotIssued => Err(CommandsError::NotIssued),
        Verdict::Conflict => Err(CommandsError::ResultConflict(command.status)),
        Verdict::Keep => Ok((write_result(connection, command_id, outcome)?, true)),
    }
}

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
            "UPDATE commands SET status = ?2, result = ?3, started_at = ?4, finished_at = ?5 WHERE id = ?1",
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

/// Takes back a command that nobody has seen yet.
pub fn cancel(
    connection: &Connection,
    command_id: &str,
    now: Timestamp,
) -> Result<CommandView, CommandsError> {
    let unknown = || CommandsError::Unknown(command_id.to_owned());
    let command = find(connection, command_id, now)?.ok_or_else(unknown)?;
    if command.status != CommandStatus::Pending {
        return Err(CommandsError::NotPending(command.status));
    }
    connection
        .prepare_cached("UPDATE commands SET status = 'cancelled' WHERE id = ?1")?
        .execute([command_id])?;
    Ok(CommandView { status: CommandStatus::Cancelled, ..command })
}

/// Ends all that is open of an agent that goes, and says how many that were. What ran over its time unheard
/// ends as expired.
pub fn cancel_open(connection: &Connection, agent_id: &str, now: Timestamp) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(&format!(
            "UPDATE commands SET status = iif(status = 'pending' AND expires_at <= ?2, 'expired', 'cancelled')
             WHERE {OPEN}"
        ))?
        .execute((agent_id, now.as_micros()))
}
