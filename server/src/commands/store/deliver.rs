//! Handing commands out: what is due to an agent, and the mark that it was given.
//!
//! Reading and marking are two steps, so that a request that finds nothing costs the writer nothing, and
//! signing happens on neither database thread. In between a command may be cancelled: the mark then fails for
//! it, and it must not be handed out.

use super::{OPEN, agent_id as read_agent_id, changes, json};
use crate::commands::{CANCEL_MAX, Change, DELIVERY_BYTES_MAX, DELIVERY_MAX};
use pingup_protocol::{
    command::{Command, CommandStatus},
    ids::AgentId,
    time::Timestamp,
};
use rusqlite::Connection;

/// What an agent is to be told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Due {
    /// Commands it is to be handed, in order.
    pub commands: Vec<Deliverable>,
    /// Commands it has, and is to end.
    pub cancel: Vec<String>,
    /// Whether there are commands that were handed out and that it has not begun and will not, or that it had before this
    /// hub knew: [`conclude`] ends them.
    pub forgone: bool,
}

/// A command that is due to its agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Deliverable {
    /// The command.
    pub command: Command,
    /// Under which signature it was handed out before, if it was.
    pub handed_out_with: Option<String>,
}

/// The mark to be made before a command is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which command.
    pub command_id: String,
    /// The signature it is handed out with.
    pub signature: String,
}

/// What is due to an agent that has taken down the commands up to `after`.
pub fn due(connection: &Connection, agent_id: &AgentId, after: u64, now: Timestamp) -> rusqlite::Result<Due> {
    let at = (agent_id.as_str(), after, now.as_micros());
    let forgone = connection
        .prepare_cached(&format!(
            "SELECT EXISTS (SELECT 1 FROM commands WHERE {OPEN} AND ({FORGONE} OR {FORGOTTEN}))"
        ))?
        .query_row(at, |row| row.get(0))?;
    Ok(Due {
        commands: deliverable(connection, agent_id, after, now)?,
        cancel: to_cancel(connection, agent_id, after)?,
        forgone,
    })
}

/// Handed out, but the agent says that it has not begun it; and it must not any more.
const FORGONE: &str =
    "seq > ?2 AND +status = 'delivered' AND (cancel_asked_at IS NOT NULL OR +expires_at <= ?3)";

/// The agent says that it has taken it down, and these records do not know that it was handed out: they were restored from
/// a backup that had it. It may have run, and cannot be handed out again. What was queued since then waits, whatever is
/// said: a question is not signed, and whoever has a token from a log could end all that waits.
const FORGOTTEN: &str = "seq <= ?2 AND +status = 'pending'
    AND seq <= (SELECT restored FROM command_seqs WHERE command_seqs.agent_id = commands.agent_id)";

/// The commands after `after` that are due to the agent, in order: those that wait, and those that were handed
/// out before and not heard of since. At most [`DELIVERY_MAX`], and [`DELIVERY_BYTES_MAX`] of parameters.
fn deliverable(
    connection: &Connection,
    agent_id: &AgentId,
    after: u64,
    now: Timestamp,
) -> rusqlite::Result<Vec<Deliverable>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, agent_id, seq, action, params, created_at, expires_at, timeout_seconds,
                iif(status = 'delivered', signature, NULL), signed_order
         FROM commands WHERE {OPEN} AND seq > ?2 AND +status IN ('pending', 'delivered') AND +expires_at > ?3
              AND cancel_asked_at IS NULL
         ORDER BY seq LIMIT ?4"
    ))?;
    let mut rows = statement.query((agent_id.as_str(), after, now.as_micros(), DELIVERY_MAX))?;
    let (mut due, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let params: String = row.get(4)?;
        bytes += params.len();
        if bytes > DELIVERY_BYTES_MAX && !due.is_empty() {
            break;
        }
        let command = Command {
            command_id: row.get(0)?,
            agent_id: read_agent_id(row, 1)?,
            command_seq: row.get(2)?,
            action: row.get(3)?,
            params: json(4, &params)?,
            issued_at: Timestamp::from_micros(row.get(5)?),
            expires_at: Timestamp::from_micros(row.get(6)?),
            timeout_seconds: row.get(7)?,
            order: row.get::<_, Option<String>>(9)?.map(|order| json(9, &order)).transpose()?,
        };
        due.push(Deliverable { command, handed_out_with: row.get(8)? });
    }
    Ok(due)
}

/// Commands up to `after` that the agent is to end, in order; at most [`CANCEL_MAX`].
fn to_cancel(connection: &Connection, agent_id: &AgentId, after: u64) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id FROM commands WHERE {OPEN} AND seq <= ?2 AND cancel_asked_at IS NOT NULL ORDER BY seq LIMIT ?3"
    ))?;
    let rows = statement.query_map((agent_id.as_str(), after, CANCEL_MAX), |row| row.get(0))?;
    rows.collect()
}

/// Ends what was handed out to an agent that has not begun it, by its own word, where an operator or time says that it
/// must not any more; and what it had from the hub before these records were restored.
pub fn conclude(
    connection: &Connection,
    agent_id: &AgentId,
    after: u64,
    now: Timestamp,
) -> rusqlite::Result<Vec<Change>> {
    let mut ended = Vec::new();
    for (status, which) in [
        (CommandStatus::Cancelled, "cancel_asked_at IS NOT NULL"),
        (CommandStatus::Expired, "cancel_asked_at IS NULL"),
    ] {
        let mut end = connection.prepare_cached(&format!(
            "UPDATE commands SET status = ?4 WHERE {OPEN} AND {FORGONE} AND {which} RETURNING id, agent_id"
        ))?;
        let rows = end.query((agent_id.as_str(), after, now.as_micros(), status.as_str()))?;
        ended.extend(changes(rows, status, now)?);
    }
    let mut forget = connection.prepare_cached(&format!(
        "UPDATE commands SET status = 'unknown' WHERE {OPEN} AND {FORGOTTEN} RETURNING id, agent_id"
    ))?;
    ended.extend(changes(forget.query((agent_id.as_str(), after))?, CommandStatus::Unknown, now)?);
    Ok(ended)
}

/// Marks commands as handed out, and returns the ids of those that still could be, each with whether it is for the
/// first time.
pub fn mark_delivered(
    connection: &Connection,
    deliveries: &[Delivery],
    now: Timestamp,
) -> rusqlite::Result<Vec<(String, bool)>> {
    let mut mark = connection.prepare_cached(
        "UPDATE commands SET status = 'delivered', delivered_at = coalesce(delivered_at, ?2), signature = ?3
         WHERE id = ?1 AND status = ?4 AND expires_at > ?2 AND cancel_asked_at IS NULL",
    )?;
    let mut marked = Vec::with_capacity(deliveries.len());
    for Delivery { command_id, signature } in deliveries {
        for status in [CommandStatus::Pending, CommandStatus::Delivered] {
            if mark.execute((command_id, now.as_micros(), signature, status.as_str()))? == 1 {
                marked.push((command_id.clone(), status == CommandStatus::Pending));
                break;
            }
        }
    }
    Ok(marked)
}

/// How many commands wait to be pulled by the agent.
pub fn count_pending(connection: &Connection, agent_id: &str, now: Timestamp) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM commands WHERE {OPEN} AND +status = 'pending' AND +expires_at > ?2"
        ))?
        .query_row((agent_id, now.as_micros()), |row| row.get(0))
}
