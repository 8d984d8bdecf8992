//! Batches: queued in one write for all that have room, counted and listed from their commands. [`super::cancel`]
//! takes them back.

use super::{
    agent_id as read_agent_id,
    queue::{Origin, has_room, insert, take_numbers},
    status, text, unreadable,
};
use crate::{
    commands::{
        BATCH_AGENTS_MAX, BATCH_PARAMS_BYTES_MAX, BatchOrder, BatchView, Change, CommandsError, Counts,
        LEFT_OUT_MAX, LeftOut, LeftOutReason, Missing, SignedBatch, status_at,
    },
    storage::{Found, take_page},
};
use pingup_protocol::{
    command::CommandStatus,
    ids::{AgentId, batch_id},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension, types::FromSqlError};
use sha2::{Digest, Sha256};

/// The batch that the order's key made, if its content is the order's.
pub fn batch_made_before(
    connection: &Connection,
    order: &BatchOrder,
) -> Result<Option<String>, CommandsError> {
    let Some(key) = &order.idempotency_key else { return Ok(None) };
    let found = connection
        .prepare_cached(
            // What is signed is in the digest of who is asked, and says when it expires.
            "SELECT id, action = ?2 AND params = ?3 AND asked = ?5 AND timeout_seconds IS ?6
                    AND (?7 OR expires_at - created_at = ?4)
             FROM command_batches WHERE idempotency_key = ?1",
        )?
        .query_row(
            (
                key,
                &order.task.action,
                &order.task.params,
                order.task.ttl_seconds.saturating_mul(1_000_000),
                digest(order)?,
                order.task.timeout_seconds,
                order.signed.is_some(),
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

/// Queues `order` for `agents`, who must live; returns the batch's id and its commands. An agent with too much to do is
/// left out, and named in the batch: one machine that is off must not keep an order from all others. When that leaves
/// nobody, nothing is queued.
pub fn queue_batch(
    connection: &Connection,
    order: &BatchOrder,
    agents: &[AgentId],
    now: Timestamp,
) -> Result<(String, Vec<Change>), CommandsError> {
    let BatchOrder { task, idempotency_key, signed, .. } = order;
    if agents.is_empty() {
        return Err(CommandsError::NobodyFits);
    }
    if agents.len() > BATCH_AGENTS_MAX {
        return Err(CommandsError::TooManyFit);
    }
    if task.params.len().saturating_mul(agents.len()) > BATCH_PARAMS_BYTES_MAX {
        return Err(CommandsError::BatchTooLarge);
    }
    let (free, full) = split_by_room(connection, agents, now)?;
    if free.is_empty() {
        return Err(CommandsError::NobodyHasRoom);
    }
    let first = take_numbers(connection, free.len() as u64, now)?;
    let id = batch_id(now.year(), first);
    connection
        .prepare_cached(
            "INSERT INTO command_batches (id, action, params, asked, idempotency_key, created_at, expires_at,
                                          timeout_seconds, left_out_count, signed_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute((
            &id,
            &task.action,
            &task.params,
            digest(order)?,
            idempotency_key,
            now.as_micros(),
            signed.as_ref().map_or(now.plus_seconds(task.ttl_seconds), SignedBatch::expires_at).as_micros(),
            task.timeout_seconds,
            full.len() as u64,
            signed.as_ref().map(|signed| signed.key_id().to_string()),
        ))?;
    keep_left_out(connection, &id, &full)?;
    let mut queued = Vec::with_capacity(free.len());
    for (agent_id, number) in free.into_iter().zip(first..) {
        let signed = signed.as_ref().and_then(|signed| signed.to_agent(agents.binary_search(agent_id).ok()?));
        let from = Origin { idempotency_key: None, batch_id: Some(&id), signed: signed.as_ref() };
        let command_id = insert(connection, (agent_id, number), task, from, now)?;
        let agent_id = agent_id.clone();
        queued.push(Change { command_id, agent_id, status: CommandStatus::Pending, at: now });
    }
    Ok((id, queued))
}

/// Writes down whom the batch leaves out: all of them have too much to do.
fn keep_left_out(connection: &Connection, id: &str, agents: &[&AgentId]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO command_batch_left_out (batch_id, agent_id, reason) VALUES (?1, ?2, ?3)",
    )?;
    let reason = LeftOutReason::TooManyOpenCommands.as_str();
    agents.iter().try_for_each(|agent_id| insert.execute((id, agent_id.as_str(), reason)).map(drop))
}

/// Those of `agents` that may get one more command, and those that may not, in their order.
fn split_by_room<'a>(
    connection: &Connection,
    agents: &'a [AgentId],
    now: Timestamp,
) -> rusqlite::Result<(Vec<&'a AgentId>, Vec<&'a AgentId>)> {
    let (mut free, mut full) = (Vec::with_capacity(agents.len()), Vec::new());
    for agent_id in agents {
        if has_room(connection, agent_id, now)? { free.push(agent_id) } else { full.push(agent_id) }
    }
    Ok((free, full))
}

/// The batch of this id, with the first [`LEFT_OUT_MAX`] of those whom it left out.
pub fn find_batch(connection: &Connection, id: &str, now: Timestamp) -> Result<BatchView, CommandsError> {
    let mut batch = connection
        .prepare_cached(
            "SELECT action, created_at, expires_at, left_out_count, signed_by FROM command_batches WHERE id = ?1",
        )?
        .query_row([id], |row| {
            Ok(BatchView {
                batch_id: id.to_owned(),
                action: row.get(0)?,
                created_at: Timestamp::from_micros(row.get(1)?),
                expires_at: Timestamp::from_micros(row.get(2)?),
                agents: 0,
                counts: Counts::default(),
                left_out_count: row.get(3)?,
                signed_by: row.get(4)?,
                left_out: Vec::new(),
            })
        })
        .optional()?
        .ok_or_else(|| CommandsError::UnknownBatch(id.to_owned()))?;
    let mut statement =
        connection.prepare_cached("SELECT status, count(*) FROM commands WHERE batch_id = ?1 GROUP BY 1")?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        // All commands of a batch end at one moment.
        batch.counts.add(status_at(status(row, 0)?, batch.expires_at, now), row.get(1)?);
    }
    batch.agents = batch.counts.total();
    batch.left_out = left_out(connection, id, "", LEFT_OUT_MAX as u64)?.items;
    Ok(batch)
}

/// Up to `limit` agents behind `after` that did not report and were not spared it, by id. Whoever the hub itself gave up
/// did not report either: an agent that says it does not know how a command ended sends a result.
pub fn missing(
    connection: &Connection,
    batch: &BatchView,
    after: &str,
    limit: u64,
    now: Timestamp,
) -> rusqlite::Result<Found<Missing>> {
    // The unary plus keeps SQLite to the batch's own index.
    let mut statement = connection.prepare_cached(
        "SELECT agent_id, id, status FROM commands
         WHERE batch_id = ?1 AND agent_id > ?2
             AND (+status IN ('pending', 'delivered', 'running', 'expired') OR +status = 'unknown' AND result IS NULL)
         ORDER BY agent_id LIMIT ?3",
    )?;
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
    let rows = statement.query_map((&batch.batch_id, after, one_more), |row| {
        Ok(Missing {
            agent_id: read_agent_id(row, 0)?,
            command_id: row.get(1)?,
            status: status_at(status(row, 2)?, batch.expires_at, now),
        })
    })?;
    take_page(rows, limit, Missing::bytes)
}

/// Up to `limit` agents behind `after` that the batch left out, by id.
pub fn left_out(
    connection: &Connection,
    batch_id: &str,
    after: &str,
    limit: u64,
) -> rusqlite::Result<Found<LeftOut>> {
    let mut statement = connection.prepare_cached(
        "SELECT agent_id, reason FROM command_batch_left_out
         WHERE batch_id = ?1 AND agent_id > ?2 ORDER BY agent_id LIMIT ?3",
    )?;
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
    let rows = statement.query_map((batch_id, after, one_more), |row| {
        let reason = LeftOutReason::from_word(&row.get::<_, String>(1)?)
            .ok_or_else(|| unreadable(1, FromSqlError::InvalidType))?;
        Ok(LeftOut { agent_id: read_agent_id(row, 0)?, reason })
    })?;
    take_page(rows, limit, LeftOut::bytes)
}

/// By which an order to the same agents, or by the same selector, is known again, and with the same signatures.
fn digest(order: &BatchOrder) -> rusqlite::Result<[u8; 32]> {
    let mut digest = Sha256::new_with_prefix(text(&order.asked)?);
    if let Some(signed) = &order.signed {
        digest.update(text(signed)?);
    }
    Ok(digest.finalize().into())
}
