//! Looking without touching: the records opened read-only, for `check`.

use super::{MigrationError, StorageError, migrate};
use rusqlite::OpenFlags;
use std::path::Path;

/// The records, read-only; works beside a running hub.
pub fn open_records(path: &Path) -> Result<rusqlite::Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if path.with_extension("db-wal").exists() {
        return Ok(rusqlite::Connection::open_with_flags(path, flags)?);
    }
    // Without a log nobody has it open, and saying so keeps SQLite from making the files that go with one.
    let escaped = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let uri = format!("file:{escaped}?immutable=1");
    Ok(rusqlite::Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?)
}

/// How far a database has been migrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaState {
    /// Migrations that this program knows.
    pub known: usize,
    /// Those of them that are still to be applied.
    pub missing: usize,
}

/// How far the records have been migrated; refuses what a hub would refuse.
pub fn records_state(connection: &rusqlite::Connection) -> Result<SchemaState, MigrationError> {
    state(connection, migrate::SQLITE)
}

fn state<T: migrate::Target>(
    target: &T,
    known: &[migrate::Migration],
) -> Result<SchemaState, MigrationError> {
    let missing = migrate::find_missing(target, known)?.len();
    Ok(SchemaState { known: known.len(), missing })
}
