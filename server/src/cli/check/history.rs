//! What `check` finds in the history.

use super::{Findings, look_at_schema};
use crate::storage::{StorageError, inspect};
use duckdb::Connection;
use pingup_protocol::time::Timestamp;
use std::path::Path;

const WHAT: &str = "analytics.duckdb";
/// Tables whose rows are counted.
const TABLES: [&str; 4] = ["metrics", "discovery", "scans", "marks"];

pub(super) fn look(path: &Path, findings: &mut Findings) -> Result<(), StorageError> {
    let connection = inspect::open_history(path)?;
    let state = inspect::history_state(&connection)?;
    if !look_at_schema(WHAT, state, findings) {
        return Ok(());
    }
    for table in TABLES {
        let rows: i64 =
            connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
        findings.well(WHAT, format_args!("{rows} rows in {table}"));
    }
    look_at_span(&connection, findings)
}

fn look_at_span(connection: &Connection, findings: &mut Findings) -> Result<(), StorageError> {
    let sql = "SELECT epoch_us(min(timestamp)), epoch_us(max(timestamp)) FROM metrics";
    let span: (Option<i64>, Option<i64>) =
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if let (Some(oldest), Some(newest)) = span {
        let [oldest, newest] = [oldest, newest].map(Timestamp::from_micros);
        findings.well(WHAT, format_args!("samples from {oldest} to {newest}"));
    }
    Ok(())
}
