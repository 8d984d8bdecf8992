//! Which files there are: the catalogue in the records' database is the truth, a file that is not in it does
//! not exist.
//!
//! Each change is one SQLite transaction: what goes and what comes, and with a sealed segment its number and
//! marks. So a file is written, synced and named before its row is there, and deleted only after its row is
//! gone.

use super::{
    parts::{PartRow, Tier},
    rows::{BOOTS_PER_AGENT_MAX, Mark, MarkRow},
};
use crate::storage::{Sqlite, StorageError, touch};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use rusqlite::{Connection, params, types::Type};

/// What the catalogue says at start.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// Every part.
    pub parts: Vec<PartRow>,
    /// The newest segment of the journal that is sealed; all before it are, too.
    pub sealed: u64,
    /// How far each stream is sealed.
    pub marks: Vec<MarkRow>,
    /// Whether the history of the former version was taken over.
    pub has_taken_over: bool,
}

/// One change.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Parts that come.
    pub add: Vec<PartRow>,
    /// Parts that go.
    pub remove: Vec<u64>,
    /// The segment that these parts seal.
    pub sealed: Option<u64>,
    /// Marks of the sealed segment.
    pub marks: Vec<MarkRow>,
}

/// Reads the catalogue, on any connection to the records.
pub fn load(connection: &Connection) -> rusqlite::Result<Catalogue> {
    Ok(Catalogue {
        parts: parts(connection)?,
        sealed: sealed(connection)?,
        marks: marks(connection)?,
        has_taken_over: has_taken_over(connection)?,
    })
}

/// Makes a change, blocking; also when the disk is nearly full, since sealing and merging give room.
pub fn apply(sqlite: &Sqlite, change: Change) -> Result<(), StorageError> {
    sqlite.reclaim_blocking(move |connection| Ok(write(connection, &change)?))
}

/// Commits a change of nothing, blocking: once it is on disk, so is whatever was committed before.
pub fn settle(sqlite: &Sqlite) -> Result<(), StorageError> {
    sqlite.reclaim_blocking(|connection| Ok(touch(connection)?))
}

fn parts(connection: &Connection) -> rusqlite::Result<Vec<PartRow>> {
    let mut statement = connection.prepare(
        "SELECT id, tier, period, level, row_count, byte_count, first_at, last_at, first_agent, last_agent, created_at,
                crc32
         FROM parts ORDER BY id",
    )?;
    let rows = statement.query_map([], |row| {
        let tier: String = row.get(1)?;
        Ok(PartRow {
            id: row.get(0)?,
            tier: Tier::parse(&tier).ok_or_else(|| unknown(1, &tier))?,
            period: row.get(2)?,
            level: row.get(3)?,
            rows: row.get(4)?,
            bytes: row.get(5)?,
            times: (row.get(6)?, row.get(7)?),
            agents: (row.get(8)?, row.get(9)?),
            created: Timestamp::from_micros(row.get(10)?),
            crc32: row.get(11)?,
        })
    })?;
    rows.collect()
}

fn sealed(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT coalesce(max(segment), 0) FROM sealed", [], |row| row.get(0))
}

/// Whether the history of the former version was taken over.
pub(super) fn has_taken_over(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare("SELECT 1 FROM former")?.exists([])
}

/// Reads the marks alone.
pub fn marks(connection: &Connection) -> rusqlite::Result<Vec<MarkRow>> {
    let mut statement = connection.prepare("SELECT agent_id, boot, seq, timestamp FROM marks")?;
    let rows = statement.query_map([], |row| {
        let id: String = row.get(0)?;
        let timestamp = row.get::<_, Option<i64>>(3)?.map(Timestamp::from_micros);
        Ok(MarkRow {
            agent_id: AgentId::parse(&id).map_err(|_| unknown(0, &id))?,
            boot: row.get(1)?,
            mark: Mark { seq: row.get(2)?, timestamp },
        })
    })?;
    rows.collect()
}

/// Makes a change inside the caller's transaction.
pub(super) fn write(connection: &Connection, change: &Change) -> rusqlite::Result<()> {
    for id in &change.remove {
        connection.prepare_cached("DELETE FROM parts WHERE id = ?")?.execute([id])?;
    }
    for part in &change.add {
        connection
            .prepare_cached(
                "INSERT INTO parts (id, tier, period, level, row_count, byte_count, first_at, last_at, first_agent,
                                    last_agent, created_at, crc32)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                part.id,
                part.tier.as_str(),
                part.period,
                part.level,
                part.rows,
                part.bytes,
                part.times.0,
                part.times.1,
                part.agents.0,
                part.agents.1,
                part.created.as_micros(),
                part.crc32,
            ])?;
    }
    for MarkRow { agent_id, boot, mark } in &change.marks {
        connection
            .prepare_cached(
                "INSERT INTO marks (agent_id, boot, seq, timestamp) VALUES (?, ?, ?, ?)
                 ON CONFLICT (agent_id, boot) DO UPDATE SET seq = excluded.seq, timestamp = excluded.timestamp
                 WHERE excluded.seq > marks.seq",
            )?
            .execute(params![agent_id.as_str(), boot, mark.seq, mark.timestamp.map(Timestamp::as_micros)])?;
    }
    if !change.marks.is_empty() {
        // The ingest knows no others either: a lesser boot is refused as retired.
        connection
            .prepare_cached(
                "DELETE FROM marks WHERE (agent_id, boot) IN (
                     SELECT agent_id, boot FROM (
                         SELECT agent_id, boot, row_number() OVER (PARTITION BY agent_id ORDER BY boot DESC) AS place
                         FROM marks)
                     WHERE place > ?)",
            )?
            .execute([BOOTS_PER_AGENT_MAX])?;
    }
    if let Some(segment) = change.sealed {
        connection
            .prepare_cached(
                "INSERT INTO sealed (one, segment) VALUES (1, ?)
                 ON CONFLICT (one) DO UPDATE SET segment = max(segment, excluded.segment)",
            )?
            .execute([segment])?;
    }
    Ok(())
}

fn unknown(column: usize, text: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("{text:?} is unknown").into())
}
