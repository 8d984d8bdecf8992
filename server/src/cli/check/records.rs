//! What `check` finds in the records.

use super::{Findings, look_at_schema};
use crate::storage::{StorageError, inspect};
use rusqlite::Connection;
use std::path::Path;

const WHAT: &str = "pingup.db";
/// Tables whose rows are counted.
const TABLES: [&str; 8] = [
    "agents",
    "agent_keys",
    "agent_latest",
    "join_tokens",
    "operator_tokens",
    "commands",
    "configs",
    "written_series",
];

pub(super) fn look(path: &Path, findings: &mut Findings) -> Result<(), StorageError> {
    let connection = inspect::open_records(path)?;
    look_at_integrity(&connection, findings)?;
    let state = inspect::records_state(&connection)?;
    if !look_at_schema(WHAT, state, findings) {
        return Ok(());
    }
    for table in TABLES {
        let rows: u64 = count(&connection, table)?;
        findings.well(WHAT, format_args!("{rows} rows in {table}"));
    }
    look_at_agents(&connection, findings)
}

fn look_at_integrity(connection: &Connection, findings: &mut Findings) -> Result<(), StorageError> {
    // The first complaint is enough to know; a broken file may have thousands.
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        findings.well(WHAT, "whole");
    } else {
        findings.trouble(WHAT, format_args!("damaged: {verdict}; restore a backup"));
    }
    let orphans = connection.prepare("PRAGMA foreign_key_check")?.exists([])?;
    if orphans {
        findings.trouble(WHAT, "rows refer to agents that are not there; restore a backup");
    }
    Ok(())
}

fn count(connection: &Connection, table: &str) -> Result<u64, StorageError> {
    let rows: i64 = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
    Ok(rows.unsigned_abs())
}

fn look_at_agents(connection: &Connection, findings: &mut Findings) -> Result<(), StorageError> {
    let sql = "SELECT iif(removed_at IS NULL, status, 'removed') AS word, count(*) FROM agents GROUP BY word ORDER BY word";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (status, agents): (String, i64) = (row.get(0)?, row.get(1)?);
        findings.well(WHAT, format_args!("{agents} agents {status}"));
    }
    Ok(())
}
