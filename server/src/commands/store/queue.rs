//! New commands: numbered, bounded, and made once per idempotency key.

use super::{OPEN, find};
use crate::commands::{CommandView, CommandsError, OPEN_COMMANDS_MAX, Order};
use pingup_protocol::{ids::command_id, time::Timestamp};
use rusqlite::{Connection, OptionalExtension};

/// Queues `order`, or finds the command that its idempotency key made before; says whether it is new.
pub fn queue(
    connection: &Connection,
    order: &Order,
    now: Timestamp,
) -> Result<(CommandView, bool), CommandsError> {
    let (id, new) = match made_before(connection, order)? {
        Some(id) => (id, false),
        None => (insert(connection, order, now)?, true),
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
            "SELECT id, action = ?3 AND params = ?4 AND expires_at - created_at = ?5
             FROM commands WHERE agent_id = ?1 AND idempotency_key = ?2",
        )?
        .query_row(
            (
                order.agent_id.as_str(),
                key,
                &order.action,
                &order.params,
                order.ttl_seconds.saturating_mul(1_000_000),
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

fn insert(connection: &Connection, order: &Order, now: Timestamp) -> Result<String, CommandsError> {
    let agent_id = order.agent_id.as_str();
    if open(connection, agent_id, now)? >= OPEN_COMMANDS_MAX {
        return Err(CommandsError::TooManyOpen);
    }
    let number = connection
        .prepare_cached(
            "INSERT INTO command_numbers (year, last) VALUES (?1, 1)
             ON CONFLICT (year) DO UPDATE SET last = last + 1 RETURNING last",
        )?
        .query_row([now.year()], |row| row.get(0))?;
    let seq: u64 = connection
        .prepare_cached(
            "INSERT INTO command_seqs (agent_id, last) VALUES (?1, 1)
             ON CONFLICT (agent_id) DO UPDATE SET last = last + 1 RETURNING last",
        )?
        .query_row([agent_id], |row| row.get(0))?;
    let id = command_id(now.year(), number);
    let expires_at = now.plus_seconds(order.ttl_seconds);
    connection
        .prepare_cached(
            "INSERT INTO commands (id, agent_id, seq, action, params, idempotency_key, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            &id,
            agent_id,
            seq,
            &order.action,
            &order.params,
            &order.idempotency_key,
            now.as_micros(),
            expires_at.as_micros(),
        ))?;
    Ok(id)
}

/// How many commands may still be handed out or reported. One that ran over its time unheard counts no more.
fn open(connection: &Connection, agent_id: &str, now: Timestamp) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(&format!("SELECT count(*) FROM commands WHERE {OPEN} AND +expires_at > ?2"))?
        .query_row((agent_id, now.as_micros()), |row| row.get(0))
}
