//! Generations of agents' keys, as the records keep them: which there are, which is offered, which is at its end.
//!
//! Of an agent there are at most two. The hub makes the next one and **offers** it; the first message that verifies under
//! it puts it **in use**, and from then on the one before is **ending**, for [`ENDING_SECONDS`] of the hub's clock. When a
//! third is made, what was ending is gone at once: its successor is in use. Numbers are never given twice.
//!
//! Rooms ask inside their own transactions; keys are made of rows by `auth::keyring` alone.

mod figures;
mod masters;

pub use figures::{KeyFigures, figures};
pub use masters::{MasterId, adopt, count_of_others, count_of_strangers, end_others, has_unproven};

use pingup_protocol::{ids::AgentId, keys::SALT_BYTES, limits::GENERATION_ENDING_SECONDS, time::Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

/// How long a generation is still good once its successor is in use.
pub const ENDING_SECONDS: i64 = GENERATION_ENDING_SECONDS;
/// A generation as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Its number.
    pub generation: u32,
    /// What its keys are made from, beside the master key.
    pub salt: [u8; SALT_BYTES],
    /// Which master key; none of before, when there was only one, until it is known which.
    pub master: Option<MasterId>,
    /// When it was made. Its token says the same however often it is made.
    pub made_at: Timestamp,
    /// When the first message came under it; none while it is offered.
    pub used_at: Option<Timestamp>,
    /// From when on it is refused, once its successor is in use.
    pub ends_at: Option<Timestamp>,
}

impl KeyRow {
    /// Whether it is good at this moment.
    pub fn lives(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|ends_at| now < ends_at)
    }
}

/// What of a generation's keys stands in the records, and what of its agent's newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    own: KeyRow,
    newest: KeyRow,
}

impl Outlook {
    /// The generation that is offered to whoever comes with this one.
    pub fn offered(self) -> Option<KeyRow> {
        (self.newest.generation > self.own.generation && self.newest.used_at.is_none()).then_some(self.newest)
    }

    /// The newest, where it is the one that was asked for: nothing follows it yet.
    pub fn last(&self) -> Option<&KeyRow> {
        (self.newest.generation == self.own.generation).then_some(&self.own)
    }
}

/// A generation that was made, or that was offered already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The one.
    pub row: KeyRow,
    /// Whether it was made now.
    pub is_new: bool,
}

const COLUMNS: &str = "generation, salt, master, created_at, used_at, ends_at";

/// Reads [`COLUMNS`], which begin at `first`.
fn key_row(row: &Row<'_>, first: usize) -> rusqlite::Result<KeyRow> {
    let moment = |column: usize| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros))
    };
    Ok(KeyRow {
        generation: row.get(first)?,
        salt: row.get(first + 1)?,
        master: row.get(first + 2)?,
        made_at: Timestamp::from_micros(row.get(first + 3)?),
        used_at: moment(first + 4)?,
        ends_at: moment(first + 5)?,
    })
}

/// A generation of an agent: `None` for no such agent, `Some(None)` for one without that generation.
pub fn find(
    connection: &Connection,
    agent_id: &str,
    generation: u32,
) -> rusqlite::Result<Option<Option<KeyRow>>> {
    connection
        .prepare_cached(
            "SELECT k.generation, k.salt, k.master, k.created_at, k.used_at, k.ends_at FROM agents a
             LEFT JOIN agent_keys k ON k.agent_id = a.id AND k.generation = ?2 AND a.removed_at IS NULL
             WHERE a.id = ?1",
        )?
        .query_row((agent_id, generation), |row| {
            row.get::<_, Option<u32>>(0)?.map(|_| key_row(row, 0)).transpose()
        })
        .optional()
}

/// What follows for whoever comes with this generation; `None` where it is refused now.
pub fn look(
    connection: &Connection,
    agent_id: &str,
    generation: u32,
    now: Timestamp,
) -> rusqlite::Result<Option<Outlook>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM agent_keys WHERE agent_id = ?1 AND generation >= ?2 ORDER BY generation"
    ))?;
    let rows: Vec<_> =
        statement.query_map((agent_id, generation), |row| key_row(row, 0))?.collect::<Result<_, _>>()?;
    let own = rows.first().filter(|own| own.generation == generation && own.lives(now));
    Ok(own.zip(rows.last()).map(|(own, newest)| Outlook { own: own.clone(), newest: newest.clone() }))
}

/// Keeps a generation.
pub fn insert(connection: &Connection, agent_id: &str, row: &KeyRow) -> rusqlite::Result<()> {
    let moment = |moment: Option<Timestamp>| moment.map(Timestamp::as_micros);
    connection
        .prepare_cached(&format!(
            "INSERT INTO agent_keys (agent_id, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        ))?
        .execute((
            agent_id,
            row.generation,
            &row.salt[..],
            row.master,
            row.made_at.as_micros(),
            moment(row.used_at),
            moment(row.ends_at),
        ))
        .map(drop)
}

/// Offers a living agent its next generation, made of `salt` and `master`, unless one is offered already; `None` for an
/// agent without keys. What was ending is gone with that.
pub fn offer(
    connection: &Connection,
    agent_id: &str,
    (salt, master): ([u8; SALT_BYTES], MasterId),
    now: Timestamp,
) -> rusqlite::Result<Option<Offer>> {
    let newest = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM agent_keys WHERE agent_id = ?1 ORDER BY generation DESC LIMIT 1"
        ))?
        .query_row([agent_id], |row| key_row(row, 0))
        .optional()?;
    let Some(newest) = newest else { return Ok(None) };
    if newest.used_at.is_none() {
        return Ok(Some(Offer { row: newest, is_new: false }));
    }
    connection
        .prepare_cached("DELETE FROM agent_keys WHERE agent_id = ?1 AND generation < ?2")?
        .execute((agent_id, newest.generation))?;
    let generation = number_next(connection, agent_id)?;
    let row = KeyRow { generation, salt, master: Some(master), made_at: now, used_at: None, ends_at: None };
    insert(connection, agent_id, &row)?;
    Ok(Some(Offer { row, is_new: true }))
}

/// The next number, which none of the agent's keys ever had.
pub fn number_next(connection: &Connection, agent_id: &str) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(
            "UPDATE agents SET key_generation = key_generation + 1 WHERE id = ?1 RETURNING key_generation",
        )?
        .query_row([agent_id], |row| row.get(0))
}

/// A message verified under a generation: it is in use from now on, and those before it are ending. Again it changes
/// nothing; whether it was the first is said.
pub fn note_use(
    connection: &Connection,
    agent_id: &str,
    generation: u32,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let used = connection
        .prepare_cached(
            "UPDATE agent_keys SET used_at = ?3 WHERE agent_id = ?1 AND generation = ?2 AND used_at IS NULL",
        )?
        .execute((agent_id, generation, now.as_micros()))?;
    if used > 0 {
        connection
            .prepare_cached(
                "UPDATE agent_keys SET ends_at = ?3 WHERE agent_id = ?1 AND generation < ?2 AND ends_at IS NULL",
            )?
            .execute((agent_id, generation, now.plus_seconds(ENDING_SECONDS).as_micros()))?;
    }
    Ok(used > 0)
}

/// How many generations an agent has.
pub fn count(connection: &Connection, agent_id: &str) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM agent_keys WHERE agent_id = ?1")?
        .query_row([agent_id], |row| row.get(0))
}

/// Ends all keys of an agent at once; how many there were.
pub fn end_all(connection: &Connection, agent_id: &str) -> rusqlite::Result<usize> {
    connection.prepare_cached("DELETE FROM agent_keys WHERE agent_id = ?1")?.execute([agent_id])
}

/// Deletes those that are refused by now; whose they were.
pub fn remove_ended(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("DELETE FROM agent_keys WHERE ends_at <= ?1 RETURNING agent_id")?
        .query_map([now.as_micros()], |row| row.get(0))?
        .collect()
}

/// Up to `limit` agents whose newest keys are in use and were made before that moment, the oldest first.
pub fn due(connection: &Connection, made_before: Timestamp, limit: usize) -> rusqlite::Result<Vec<AgentId>> {
    let mut statement = connection.prepare_cached(
        "SELECT k.agent_id FROM agent_keys k WHERE k.created_at < ?1 AND k.used_at IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM agent_keys n WHERE n.agent_id = k.agent_id AND n.generation > k.generation)
         ORDER BY k.created_at, k.agent_id LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map((made_before.as_micros(), limit), |row| row.get::<_, String>(0))?;
    rows.map(|id| {
        AgentId::parse(&id?).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
        })
    })
    .collect()
}

#[cfg(test)]
mod tests;
