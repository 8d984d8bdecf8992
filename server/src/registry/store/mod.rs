//! Agents in SQLite. Every function runs inside the transaction of whoever calls it.
//!
//! [`enrol`] and [`register`] let agents come, [`remove`] lets them go, [`beat`] and [`patch`] change them,
//! [`mark_offline`] and [`note_newest`] are a sweep's; here is how they are read.

mod change;
mod come;
mod everyone;
mod lapse;
mod select;

pub use change::{Beat, Beaten, Change, beat, compromise, config_reported, newest_word, patch, remove};
pub use come::{Enrolled, Enrolment, FIRST_GENERATION, JoinTokenRow, NewAgent, enrol, join_token, register};
pub use everyone::{everyone, version};
pub use lapse::mark_offline;
pub use select::select;

use super::{AgentRecord, AgentStatus, KeyState, Newest};
use crate::{
    standing::{NotLiving, Standing},
    storage::{Found, take_page},
};
use pingup_protocol::{
    heartbeat::{ConfigReport, RefusedConfig},
    ids::AgentId,
    labels::Labels,
    time::Timestamp,
};
use rusqlite::{
    Connection, OptionalExtension, Row,
    types::{FromSqlError, Type, Value},
};
use serde::de::DeserializeOwned;

const SELECT: &str = "SELECT a.id, a.name, a.status, a.last_seen_at, a.info, a.metadata, a.created_at, a.removed_at, \
                      l.timestamp, l.status, l.metrics, a.labels, a.config_applied, a.config_refused, a.config_reason, \
                      k.generation, k.created_at, n.generation \
                      FROM agents a LEFT JOIN agent_latest l ON l.agent_id = a.id \
                      LEFT JOIN agent_keys k ON k.agent_id = a.id AND k.used_at IS NOT NULL AND k.ends_at IS NULL \
                      LEFT JOIN agent_keys n ON n.agent_id = a.id AND n.used_at IS NULL";

/// Which agents a list is to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// That do so; without it, all that live. Errors are known from what was last written down.
    pub status: Option<AgentStatus>,
    /// With this in id, name or hostname, whatever the case of its ASCII letters.
    pub text: Option<String>,
    /// With all of these labels.
    pub labels: Labels,
    /// That come after this id.
    pub after: Option<String>,
}

/// Where an agent id stands.
pub fn standing(connection: &Connection, agent_id: &str) -> rusqlite::Result<Standing> {
    let removed: Option<bool> = connection
        .prepare_cached("SELECT removed_at IS NOT NULL FROM agents WHERE id = ?1")?
        .query_row([agent_id], |row| row.get(0))
        .optional()?;
    Ok(match removed {
        None => Standing::Unknown,
        Some(false) => Standing::Living,
        Some(true) => Standing::Removed,
    })
}

/// The agent of this id, or its tombstone.
pub fn find(connection: &Connection, agent_id: &str) -> rusqlite::Result<Option<AgentRecord>> {
    connection.prepare_cached(&format!("{SELECT} WHERE a.id = ?1"))?.query_row([agent_id], record).optional()
}

/// The living agent of this id.
pub fn find_living(connection: &Connection, agent_id: &str) -> Result<AgentRecord, super::RegistryError> {
    match find(connection, agent_id)? {
        None => Err(NotLiving::Unknown(agent_id.to_owned()).into()),
        Some(record) if record.removed_at.is_some() => Err(NotLiving::Removed(agent_id.to_owned()).into()),
        Some(record) => Ok(record),
    }
}

/// Up to `limit` agents that `filter` lets through, ordered by id.
pub fn list(connection: &Connection, filter: Filter, limit: u64) -> rusqlite::Result<Found<AgentRecord>> {
    let (mut conditions, mut values) = conditions(filter.status, filter.text.as_deref(), &filter.labels);
    if let Some(after) = filter.after {
        conditions.push_str(" AND a.id > ?");
        values.push(after.into());
    }
    // One more tells whether the list goes on.
    values.push((i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1).into());
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} WHERE {conditions} ORDER BY a.id LIMIT ?"))?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), record)?;
    take_page(rows, limit, |agent| {
        let name = serde_json::to_vec(&agent.name).map_or(0, |json| json.len());
        let labels: usize = agent.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        name + agent.info.get().len() + agent.metadata.get().len() + labels
    })
}

/// How many agents there are of each status, tombstones included.
pub fn count_by_status(connection: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    let count = |status| {
        let from = "agents a LEFT JOIN agent_latest l ON l.agent_id = a.id";
        connection
            .prepare_cached(&format!("SELECT count(*) FROM {from} WHERE {}", status_condition(Some(status))))?
            .query_row([], |row| row.get(0))
    };
    AgentStatus::ALL.into_iter().map(|status| Ok((status.as_str().to_owned(), count(status)?))).collect()
}

/// What an agent must be, have in its names, and carry, in SQL, and the values in it.
fn conditions(status: Option<AgentStatus>, text: Option<&str>, labels: &Labels) -> (String, Vec<Value>) {
    let mut conditions = status_condition(status).to_owned();
    let mut values: Vec<Value> = Vec::new();
    if let Some(text) = text {
        // Unlike LIKE, this knows no pattern and does not end at a NUL.
        let columns = ["a.id", "a.name", "a.info ->> '$.hostname'"];
        let found = columns.map(|column| format!("instr(lower({column}), ?) > 0"));
        conditions.push_str(&format!(" AND ({})", found.join(" OR ")));
        values.extend(columns.map(|_| text.to_ascii_lowercase().into()));
    }
    for (name, value) in labels.iter() {
        // The operator's word counts, and where there is none, the machine's. A name has no quotation mark in it.
        conditions.push_str(" AND coalesce(a.labels ->> ?, a.info ->> ?) = ?");
        let paths = [format!("$.\"{name}\""), format!("$.labels.\"{name}\"")];
        values.extend(paths.map(Value::from));
        values.push(value.to_owned().into());
    }
    (conditions, values)
}

/// The rule of [`AgentStatus`] in SQL.
const fn status_condition(status: Option<AgentStatus>) -> &'static str {
    match status {
        None => "a.removed_at IS NULL",
        Some(AgentStatus::Pending) => "a.removed_at IS NULL AND a.status = 'pending'",
        Some(AgentStatus::Online) => {
            "a.removed_at IS NULL AND a.status = 'online' AND l.status IS NOT 'error'"
        }
        Some(AgentStatus::Offline) => "a.removed_at IS NULL AND a.status = 'offline'",
        Some(AgentStatus::Error) => "a.removed_at IS NULL AND a.status = 'online' AND l.status = 'error'",
        Some(AgentStatus::Revoked) => "a.removed_at IS NOT NULL",
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<AgentRecord> {
    let moment =
        |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros));
    let (id, status): (String, String) = (row.get(0)?, row.get(2)?);
    let newest = match moment(8)? {
        None => None,
        Some(timestamp) => Some(Newest { timestamp, status: row.get(9)?, metrics: json(row, 10)? }),
    };
    Ok(AgentRecord {
        id: AgentId::parse(&id).map_err(|error| unreadable(0, error))?,
        name: row.get(1)?,
        stored_status: AgentStatus::from_word(&status)
            .ok_or_else(|| unreadable(2, FromSqlError::InvalidType))?,
        last_seen: moment(3)?,
        info: json(row, 4)?,
        metadata: json(row, 5)?,
        labels: json(row, 11)?,
        created_at: Timestamp::from_micros(row.get(6)?),
        removed_at: moment(7)?,
        newest,
        config: ConfigReport { applied: row.get(12)?, refused: refused(row)? },
        key: key(row)?,
    })
}

fn key(row: &Row<'_>) -> rusqlite::Result<Option<KeyState>> {
    let (generation, made_at): (Option<u32>, Option<i64>) = (row.get(15)?, row.get(16)?);
    let offered = row.get(17)?;
    let state =
        |(generation, made_at)| KeyState { generation, since: Timestamp::from_micros(made_at), offered };
    Ok(generation.zip(made_at).map(state))
}

fn refused(row: &Row<'_>) -> rusqlite::Result<Option<RefusedConfig>> {
    let (version, reason): (Option<u64>, Option<String>) = (row.get(13)?, row.get(14)?);
    Ok(version.zip(reason).map(|(version, reason)| RefusedConfig { version, reason }))
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| unreadable(column, error))
}

/// A row that this program did not write.
fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
