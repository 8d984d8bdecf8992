//! The triggers by which SQLite itself keeps rows of the audit as they are, and what became of them.
//!
//! Against owners of the file they help nothing; that one of them was touched tells of somebody. So does one that was added:
//! a trigger can have the next rows swallowed, and the chain of those that are there stays whole.

use crate::storage::migrate::SQLITE;
use rusqlite::Connection;
use std::fmt;

/// Those that the records were made with.
const GUARDS: [&str; 5] = [
    "audit_goes_on",
    "audit_is_not_changed",
    "audit_is_not_deleted",
    "audit_genesis_is_not_changed",
    "audit_genesis_is_not_deleted",
];
/// How a trigger's text ends in a step; SQLite keeps it without the semicolon.
const END: &str = "END";

/// What is not as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// A trigger is gone.
    Gone(&'static str),
    /// A trigger does something else than it did.
    Changed(&'static str),
    /// There is one that nobody here made.
    Added(String),
}

impl fmt::Display for Touched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(name) => write!(f, "trigger {name} was taken away"),
            Self::Changed(name) => write!(f, "trigger {name} was changed"),
            Self::Added(name) => write!(f, "trigger {name:?} was added"),
        }
    }
}

/// What of the triggers on the audit is not as it was made; by name.
pub fn touched(connection: &Connection) -> rusqlite::Result<Vec<Touched>> {
    // The table is written as whoever made the trigger wrote it.
    let sql = "SELECT name, sql FROM sqlite_schema
               WHERE type = 'trigger' AND lower(tbl_name) IN ('audit', 'audit_genesis') ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let there = rows.collect::<rusqlite::Result<Vec<(String, String)>>>()?;
    let mut touched = Vec::new();
    for guard in GUARDS {
        match there.iter().find(|(name, _)| name == guard) {
            None => touched.push(Touched::Gone(guard)),
            Some((_, text)) if Some(text.as_str()) != made(guard) => touched.push(Touched::Changed(guard)),
            Some(_) => {}
        }
    }
    let strangers = there.into_iter().filter(|(name, _)| !GUARDS.contains(&name.as_str()));
    touched.extend(strangers.map(|(name, _)| Touched::Added(name)));
    Ok(touched)
}

/// The text of a trigger, in the step that makes it.
fn made(guard: &str) -> Option<&'static str> {
    let head = format!("CREATE TRIGGER {guard} ");
    let text = SQLITE.iter().find_map(|step| step.sql.find(&head).map(|at| &step.sql[at..]))?;
    text.find(&format!("\n{END};")).map(|end| &text[..end + 1 + END.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Connection {
        let records = Connection::open_in_memory().unwrap();
        SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        records
    }

    /// What is told after `sql`.
    fn told(sql: &str) -> Vec<Touched> {
        let records = records();
        records.execute_batch(sql).unwrap();
        touched(&records).unwrap()
    }

    #[test]
    fn triggers_are_known_by_what_they_do() {
        assert_eq!(told(""), []);
        for guard in GUARDS {
            assert_eq!(told(&format!("DROP TRIGGER {guard}")), [Touched::Gone(guard)]);
            let table = if guard.contains("genesis") { "audit_genesis" } else { "audit" };
            // The name is there, and nothing is kept.
            let empty = format!(
                "DROP TRIGGER {guard}; CREATE TRIGGER {guard} BEFORE DELETE ON {table} BEGIN SELECT 1; END;"
            );
            assert_eq!(told(&empty), [Touched::Changed(guard)]);
        }
        let elsewhere = "DROP TRIGGER audit_is_not_deleted;
            CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON agents BEGIN SELECT 1; END;";
        assert_eq!(told(elsewhere), [Touched::Gone("audit_is_not_deleted")]);
    }

    #[test]
    fn what_was_added_is_told() {
        for table in ["audit", "AUDIT", "Audit_Genesis"] {
            let sql = format!("CREATE TRIGGER helpful AFTER INSERT ON {table} BEGIN SELECT 1; END;");
            assert_eq!(told(&sql), [Touched::Added("helpful".to_owned())], "{table}");
        }
        let elsewhere = "CREATE TRIGGER helpful AFTER INSERT ON agents BEGIN SELECT 1; END;";
        assert_eq!(told(elsewhere), []);
    }
}
