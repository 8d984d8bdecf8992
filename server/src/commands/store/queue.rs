//! New commands: numbered, bounded, and made once per idempotency key.

use super::{OPEN, find, text};
use crate::commands::{CommandView, CommandsError, OPEN_COMMANDS_MAX, Order, Task};
use pingup_protocol::{
    ids::{AgentId, command_id},
    order::Order as SignedOrder,
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension};

/// Queues `order`, or finds the command that its idempotency key made before; says whether it is new.
pub fn queue(
    connection: &Connection,
    order: &Order,
    now: Timestamp,
) -> Result<(CommandView, bool), CommandsError> {
    let (id, new) = match made_before(connection, order)? {
        Some(id) => (id, false),
        None => {
            let Order { agent_id, task, idempotency_key, signed } = order;
            if !has_room(connection, agent_id, now)? {
                return Err(CommandsError::TooManyOpen(agent_id.to_string()));
            }
            let number = take_numbers(connection, 1, now)?;
            let from = Origin {
                idempotency_key: idempotency_key.as_deref(),
                batch_id: None,
                signed: signed.as_ref(),
            };
            (insert(connection, (agent_id, number), task, from, now)?, true)
        }
    };
    match find(connection, &id, now)? {
        Some(view) => Ok((view, new)),
        None => Err(CommandsError::Unknown(id)),
    }
}

/// The command that the order's key made, if its content is the order's.
fn made_before(connection: &Connection, order: &Order) -> Result<Option<String>, CommandsError> {
    let Some(key) = &order.idempotency_key else { return Ok(None) };
    let found = connection
        .prepare_cached(
            // A signed order says itself when it expires, however late it comes.
            "SELECT id, action = ?3 AND params = ?4 AND timeout_seconds IS ?6 AND signed_order IS ?7
                    AND (?7 IS NOT NULL OR expires_at - created_at = ?5)
             FROM commands WHERE agent_id = ?1 AND idempotency_key = ?2",
        )?
        .query_row(
            (
                order.agent_id.as_str(),
                key,
                &order.task.action,
                &order.task.params,
                order.task.ttl_seconds.saturating_mul(1_000_000),
                order.task.timeout_seconds,
                order.signed.as_ref().map(text).transpose()?,
            ),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    match found {
        Some((_, false)) => Err(CommandsError::KeyReused),
        Some((id, true)) => Ok(Some(id)),
        None => Ok(None),
    }
}

/// Takes `count` numbers of the year, and returns the first.
pub(super) fn take_numbers(connection: &Connection, count: u64, now: Timestamp) -> rusqlite::Result<u64> {
    let last: u64 = connection
        .prepare_cached(
            "INSERT INTO command_numbers (year, last) VALUES (?1, ?2)
             ON CONFLICT (year) DO UPDATE SET last = last + ?2 RETURNING last",
        )?
        .query_row((now.year(), count), |row| row.get(0))?;
    Ok(last + 1 - count)
}

/// What a command comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    /// Under which it is recognised again; a batch's is the batch's own.
    pub(super) idempotency_key: Option<&'a str>,
    /// The batch it is one of.
    pub(super) batch_id: Option<&'a str>,
    /// What its operator signed; it then says when the command expires.
    pub(super) signed: Option<&'a SignedOrder>,
}

/// Makes the command with this number of the year, in its agent's next place, and returns its id. Whoever calls it has
/// seen that the agent [has room](has_room).
pub(super) fn insert(
    connection: &Connection,
    (agent_id, number): (&AgentId, u64),
    task: &Task,
    from: Origin<'_>,
    now: Timestamp,
) -> rusqlite::Result<String> {
    let agent_id = agent_id.as_str();
    let seq: u64 = connection
        .prepare_cached(
            "INSERT INTO command_seqs (agent_id, last) VALUES (?1, 1)
             ON CONFLICT (agent_id) DO UPDATE SET last = last + 1 RETURNING last",
        )?
        .query_row([agent_id], |row| row.get(0))?;
    let id = command_id(now.year(), number);
    connection
        .prepare_cached(
            "INSERT INTO commands (id, agent_id, seq, action, params, idempotency_key, batch_id, created_at, expires_at,
                                   timeout_seconds, signed_order)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute((
            &id,
            agent_id,
            seq,
            &task.action,
            &task.params,
            from.idempotency_key,
            from.batch_id,
            now.as_micros(),
            from.signed.map_or(now.plus_seconds(task.ttl_seconds), |signed| signed.expires_at).as_micros(),
            task.timeout_seconds,
            from.signed.map(text).transpose()?,
        ))?;
    Ok(id)
}

/// Whether the agent may get one more. Of those that may still be handed out or reported, one that ran over its time
/// unheard counts no more.
pub(super) fn has_room(
    connection: &Connection,
    agent_id: &AgentId,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let open: u64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM commands WHERE {OPEN} AND +expires_at > ?2"))?
        .query_row((agent_id.as_str(), now.as_micros()), |row| row.get(0))?;
    Ok(open < OPEN_COMMANDS_MAX)
}
