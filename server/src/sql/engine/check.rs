//! What a question may say. DuckDB's own parser reads it, and what it read is looked through whole ([`super::tree`]) before
//! anything is run.
//!
//! A list of what is allowed, not of what is forbidden: what a later DuckDB brings is refused until somebody looked at it.

use super::{EngineError, tree::Reader, words};
use crate::sql::views::View;
use duckdb::Connection;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// What the parser read.
#[derive(Deserialize)]
struct Parsed {
    error: bool,
    #[serde(default)]
    statements: Vec<Value>,
    #[serde(default)]
    error_message: String,
    /// Characters before the place that it does not understand.
    position: Option<String>,
}

/// The views that `query` names, if it is one SELECT that names nothing else.
pub(super) fn check(connection: &Connection, query: &str) -> Result<BTreeSet<View>, EngineError> {
    let parsed: String =
        connection.query_row("SELECT json_serialize_sql(?::VARCHAR)", [query], |row| row.get(0))?;
    // The reader of JSON counts levels; no question for people has so many.
    let parsed: Parsed = serde_json::from_str(&parsed).map_err(|_| EngineError::refused(words::TOO_DEEP))?;
    if parsed.error {
        return Err(EngineError::Refused(told(&parsed)));
    }
    let [statement] = &parsed.statements[..] else {
        let found = parsed.statements.len();
        return Err(EngineError::refused(format!("one SELECT expected, found {found} statements")));
    };
    read(statement, query).map_err(EngineError::Refused)
}

/// The same for what the parser read of it already.
pub(super) fn read(statement: &Value, query: &str) -> Result<BTreeSet<View>, String> {
    let mut reader = Reader::new(query);
    reader.read(statement)?;
    Ok(reader.into_views())
}

/// The parser's words, and where.
fn told(parsed: &Parsed) -> String {
    if parsed.error_message.starts_with("Only SELECT statements") {
        return "one SELECT expected; other statements are not run here".to_owned();
    }
    if words::is_too_deep(&parsed.error_message) {
        return words::TOO_DEEP.to_owned();
    }
    match parsed.position.as_deref().and_then(|before| before.parse::<usize>().ok()) {
        Some(before) => format!("{} (character {} of the query)", parsed.error_message, before + 1),
        None => parsed.error_message.clone(),
    }
}

#[cfg(test)]
mod tests;
