//! Taking commands back: at once where no agent has them, else as a wish that their agents are told.

use super::{OPEN, batch::find_batch, changes, find, status};
use crate::commands::{BatchView, Change, CommandView, CommandsError, OPEN_COMMANDS_MAX};
use pingup_protocol::{command::CommandStatus, ids::AgentId, time::Timestamp};
use rusqlite::{Connection, Rows};

/// What came of taking a batch back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The batch, as it is now.
    pub batch: BatchView,
    /// Those of its commands that nobody had seen: they are cancelled.
    pub cancelled: Vec<Change>,
    /// Agents that have one, and are to be told.
    pub asked: Vec<AgentId>,
}

/// Takes a command back that nobody has seen, or writes down that its agent is to end it.
pub fn cancel(
    connection: &Connection,
    command_id: &str,
    now: Timestamp,
) -> Result<CommandView, CommandsError> {
    let unknown = || CommandsError::Unknown(command_id.to_owned());
    let command = find(connection, command_id, now)?.ok_or_else(unknown)?;
    match command.status {
        CommandStatus::Pending => connection
            .prepare_cached("UPDATE commands SET status = 'cancelled', cancel_asked_at = ?2 WHERE id = ?1")?
            .execute((command_id, now.as_micros()))?,
        CommandStatus::Delivered | CommandStatus::Running => connection
            .prepare_cached(
                "UPDATE commands SET cancel_asked_at = coalesce(cancel_asked_at, ?2) WHERE id = ?1",
            )?
            .execute((command_id, now.as_micros()))?,
        ended => return Err(CommandsError::Ended(ended)),
    };
    find(connection, command_id, now)?.ok_or_else(unknown)
}

/// As [`cancel`], for all of a batch that are not over.
pub fn cancel_batch(connection: &Connection, id: &str, now: Timestamp) -> Result<Taken, CommandsError> {
    let mut cancel = connection.prepare_cached(
        "UPDATE commands SET status = 'cancelled', cancel_asked_at = ?2
         WHERE batch_id = ?1 AND +status = 'pending' AND +expires_at > ?2 RETURNING id, agent_id",
    )?;
    let cancelled = changes(cancel.query((id, now.as_micros()))?, CommandStatus::Cancelled, now)?;
    let mut ask = connection.prepare_cached(
        "UPDATE commands SET cancel_asked_at = ?2
         WHERE batch_id = ?1 AND +status IN ('delivered', 'running') AND cancel_asked_at IS NULL RETURNING agent_id",
    )?;
    let asked = agents(ask.query((id, now.as_micros()))?)?;
    Ok(Taken { batch: find_batch(connection, id, now)?, cancelled, asked })
}

/// Ends all that is open of an agent that goes. What ran over its time unheard ends as expired. Says what ended, up to
/// [`OPEN_COMMANDS_MAX`]: more are open only of an agent that fetched them for long and reported none.
pub fn cancel_open(
    connection: &Connection,
    agent_id: &AgentId,
    now: Timestamp,
) -> rusqlite::Result<Vec<Change>> {
    let mut end = connection.prepare_cached(&format!(
        "UPDATE commands SET status = iif(status = 'pending' AND expires_at <= ?2, 'expired', 'cancelled')
         WHERE {OPEN} RETURNING id, status"
    ))?;
    let ended = end.query_map((agent_id.as_str(), now.as_micros()), |row| {
        let (command_id, status) = (row.get(0)?, status(row, 1)?);
        Ok(Change { command_id, agent_id: agent_id.clone(), status, at: now })
    })?;
    let most = usize::try_from(OPEN_COMMANDS_MAX).unwrap_or(usize::MAX);
    // All are ended before the first is told.
    ended.take(most).collect()
}

fn agents(mut rows: Rows<'_>) -> rusqlite::Result<Vec<AgentId>> {
    let mut agents = Vec::new();
    while let Some(row) = rows.next()? {
        agents.push(super::agent_id(row, 0)?);
    }
    Ok(agents)
}
