//! Which master key generations come from: what tells master keys apart, and what is counted and ended by it.

use pingup_protocol::keys::{Secret, derive_hub};
use rusqlite::{
    Connection, ToSql,
    types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef},
};
use std::fmt;

/// Bytes of what tells master keys apart.
const MASTER_ID_BYTES: usize = 8;

/// Tells one master key from another, and nothing of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterId([u8; MASTER_ID_BYTES]);

impl MasterId {
    /// The id of a master key.
    pub fn of(master: &Secret) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = *derive_hub(master, "master-id").expose();
        Self([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Debug for MasterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterId({:016x})", u64::from_be_bytes(self.0))
    }
}

impl ToSql for MasterId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for MasterId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        FromSql::column_result(value).map(Self)
    }
}

/// How many keys come from another master key than this one. Those of before, when there was only one, do where there is a
/// former one beside it, and are its own else.
pub fn count_of_others(connection: &Connection, master: MasterId, has_former: bool) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM agent_keys WHERE master IS NOT ?1 AND (?2 OR master IS NOT NULL)",
        )?
        .query_row((master, has_former), |row| row.get(0))
}

/// How many keys come from none of these master keys; those of before, when there was only one, are not counted.
pub fn count_of_strangers(connection: &Connection, known: [MasterId; 2]) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM agent_keys WHERE master NOT IN (?1, ?2)")?
        .query_row(known, |row| row.get(0))
}

/// Whether there are keys of before, of which nobody knows yet that they come from the master key that is there.
pub fn has_unproven(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM agent_keys WHERE master IS NULL)")?
        .query_row((), |row| row.get(0))
}

/// Writes down that keys of before, when there was only one master key and none was written, come from this one; how many
/// there were.
pub fn adopt(connection: &Connection, master: MasterId) -> rusqlite::Result<usize> {
    connection.prepare_cached("UPDATE agent_keys SET master = ?1 WHERE master IS NULL")?.execute([master])
}

/// Ends all keys that come from another master key than this one, as [`count_of_others`] counts them; how many there were.
pub fn end_others(connection: &Connection, master: MasterId, has_former: bool) -> rusqlite::Result<usize> {
    connection
        .prepare_cached("DELETE FROM agent_keys WHERE master IS NOT ?1 AND (?2 OR master IS NOT NULL)")?
        .execute((master, has_former))
}
