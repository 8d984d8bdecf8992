//! How agents' keys do, in numbers.

use super::MasterId;
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;

/// How agents' keys do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyFigures {
    /// The newest of their agents, and in use.
    pub in_use: u64,
    /// Offered, and not used yet.
    pub offered: u64,
    /// Ending.
    pub ending: u64,
    /// From the former master key.
    pub former_master: u64,
    /// The age of the oldest that is in use, seconds.
    pub oldest_seconds: u64,
}

/// How they do now. `master` is the one in force, where there is a former one beside it.
pub fn figures(
    connection: &Connection,
    master: Option<MasterId>,
    now: Timestamp,
) -> rusqlite::Result<KeyFigures> {
    connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE used_at IS NOT NULL AND ends_at IS NULL),
                    count(*) FILTER (WHERE used_at IS NULL),
                    count(*) FILTER (WHERE ends_at IS NOT NULL),
                    count(*) FILTER (WHERE ?1 IS NOT NULL AND master IS NOT ?1),
                    min(created_at) FILTER (WHERE used_at IS NOT NULL AND ends_at IS NULL)
             FROM agent_keys",
        )?
        .query_row([master], |row| {
            let oldest: Option<i64> = row.get(4)?;
            let age = oldest.map_or(0, |oldest| now.as_micros().saturating_sub(oldest).max(0) / 1_000_000);
            Ok(KeyFigures {
                in_use: row.get(0)?,
                offered: row.get(1)?,
                ending: row.get(2)?,
                former_master: row.get(3)?,
                oldest_seconds: age.unsigned_abs(),
            })
        })
}
