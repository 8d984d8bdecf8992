//! SQLite, as a database that can be migrated.

use super::{Applied, Migration, Target};

/// What a database remembers, in order.
const APPLIED: &str = "SELECT version, sha256 FROM schema_migrations ORDER BY version";

impl Target for rusqlite::Connection {
    const DATABASE: &'static str = "pingup.db";
    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    const REMEMBER: &'static str = "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY NOT NULL, \
         name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT";
    type Error = rusqlite::Error;

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.execute_batch(sql)
    }

    fn applied(&self) -> rusqlite::Result<Vec<Applied>> {
        let mut statement = self.prepare(APPLIED)?;
        let rows =
            statement.query_map([], |row| Ok(Applied { version: row.get(0)?, sha256: row.get(1)? }))?;
        rows.collect()
    }

    fn remember(&self, migration: &Migration, sha256: &str, now_micros: i64) -> rusqlite::Result<()> {
        let sql = "INSERT INTO schema_migrations (version, name, sha256, applied_at) VALUES (?, ?, ?, ?)";
        self.execute(sql, rusqlite::params![migration.version, migration.name, sha256, now_micros]).map(drop)
    }
}
