//! The audit in SQLite. Every function runs inside the transaction of whoever calls it.

use super::{DETAIL_BYTES_MAX, DONE, Entry, Hash, Head, NAME_BYTES_MAX};
use crate::{
    deed::{Act, Deed},
    storage::{Found, take_page},
};
use pingup_protocol::{problem::ProblemType, time::Timestamp};
use rusqlite::{
    Connection, OptionalExtension, Row, params, params_from_iter,
    types::{Type, Value},
};
use serde_json::value::RawValue;

const COLUMNS: &str =
    "seq, at, act, by_kind, who, role, came_from, agent_id, subject, detail, result, times, hash";

/// What may stand between values of JSON, where it means nothing, and would make two lines of a row: only whoever writes in the
/// file can have put it there.
const BREAKS: [char; 3] = ['\t', '\r', '\n'];

/// Adds a row behind the last: the [`crate::deed::Record`] that rooms are handed.
pub fn record(connection: &Connection, deed: &Deed<'_>) -> rusqlite::Result<()> {
    let Head { count, hash: previous } = head(connection)?;
    let detail = serde_json::to_string(&deed.detail).map_err(unwritable)?;
    if detail.len() > DETAIL_BYTES_MAX {
        return Err(unwritable(format!("{} has a detail of {} bytes", deed.act.as_str(), detail.len())));
    }
    let mut entry = Entry {
        seq: count + 1,
        at: deed.at,
        act: deed.act.as_str().to_owned(),
        by: deed.by.who.kind().to_owned(),
        who: deed.by.who.name().map(|name| cut(name).to_owned()),
        role: deed.by.who.role().map(|role| role.as_str().to_owned()),
        from: deed.by.address.map(|address| address.to_string()),
        agent_id: deed.agent_id.clone(),
        on: deed.subject.clone(),
        detail: RawValue::from_string(detail).map_err(unwritable)?,
        result: deed.refused.map_or(DONE, ProblemType::name).to_owned(),
        times: deed.times,
        hash: previous,
    };
    entry.hash =
        entry.hash_behind(&previous).ok_or_else(|| unwritable("a row that has no canonical form"))?;
    insert(connection, &entry)
}

fn insert(connection: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    let sql = format!("INSERT INTO audit ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    let row = params![
        entry.seq,
        entry.at.as_micros(),
        entry.act,
        entry.by,
        entry.who,
        entry.role,
        entry.from,
        entry.agent_id,
        entry.on,
        entry.detail.get(),
        entry.result,
        entry.times,
        &entry.hash[..],
    ];
    match connection.prepare_cached(&sql)?.execute(row)? {
        1 => Ok(()),
        // A trigger that somebody added swallowed it: then what it tells of is not done either.
        rows => Err(rusqlite::Error::StatementChangedRows(rows)),
    }
}

/// A name of any length, of which so much is kept.
fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default()
}

/// Where the chain ends.
pub fn head(connection: &Connection) -> rusqlite::Result<Head> {
    let last = connection
        .prepare_cached("SELECT seq, hash FROM audit WHERE seq > 0 ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok(Head { count: row.get(0)?, hash: row.get(1)? }))
        .optional()?;
    last.map_or_else(|| Ok(Head { count: 0, hash: genesis(connection)? }), Ok)
}

/// Where the chain begins.
pub fn genesis(connection: &Connection) -> rusqlite::Result<Hash> {
    connection.prepare_cached("SELECT hash FROM audit_genesis")?.query_row([], |row| row.get(0))
}

/// Whether these records have an audit at all: those of a former version have none.
pub fn is_kept(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'audit'")?.exists([])
}

/// The place of a row that stands before the first of the chain, if there is one: none was ever written there.
pub fn stray(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.prepare("SELECT min(seq) FROM audit WHERE seq < 1")?.query_row([], |row| row.get(0))
}

/// Up to `limit` rows behind `seq`, in order.
pub fn behind(connection: &Connection, seq: u64, limit: usize) -> rusqlite::Result<Vec<Entry>> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"))?;
    let rows = statement.query_map(params![seq, limit], entry)?;
    rows.collect()
}

/// Which rows a list is to show.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// At this moment or later.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
    /// Of this act.
    pub act: Option<Act>,
    /// Done to this agent.
    pub agent_id: Option<String>,
    /// By the doer of this name.
    pub who: Option<String>,
    /// That come behind this one in the list.
    pub before: Option<u64>,
}

/// Up to `limit` rows that `filter` lets through, the newest first.
pub fn list(connection: &Connection, filter: Filter, limit: u64) -> rusqlite::Result<Found<Entry>> {
    let mut conditions = String::from("seq > 0");
    let mut values = Vec::<Value>::new();
    let mut and = |condition: &str, value: Option<Value>| {
        if let Some(value) = value {
            conditions.push_str(" AND ");
            conditions.push_str(condition);
            values.push(value);
        }
    };
    let number = |number: u64| Value::from(i64::try_from(number).unwrap_or(i64::MAX));
    and("at >= ?", filter.from.map(|at| at.as_micros().into()));
    and("at < ?", filter.to.map(|at| at.as_micros().into()));
    and("act = ?", filter.act.map(|act| act.as_str().to_owned().into()));
    and("agent_id = ?", filter.agent_id.map(Value::from));
    and("who = ?", filter.who.map(Value::from));
    and("seq < ?", filter.before.map(number));
    // One more tells whether the list goes on.
    values.push(number(limit.saturating_add(1)));
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE {conditions} ORDER BY seq DESC LIMIT ?");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), entry)?;
    take_page(rows, limit, Entry::bytes)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    const DETAIL: usize = 9;
    let detail: String = row.get(DETAIL)?;
    // What is no JSON was changed; as a text it has another hash, and says so.
    let detail = RawValue::from_string(detail)
        .and_then(|detail| match detail.get().contains(BREAKS) {
            true => RawValue::from_string(detail.get().replace(BREAKS, "")),
            false => Ok(detail),
        })
        .or_else(|_| RawValue::from_string("\"changed: not readable\"".to_owned()))
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(DETAIL, Type::Text, Box::new(error)))?;
    Ok(Entry {
        seq: row.get(0)?,
        at: Timestamp::from_micros(row.get(1)?),
        act: row.get(2)?,
        by: row.get(3)?,
        who: row.get(4)?,
        role: row.get(5)?,
        from: row.get(6)?,
        agent_id: row.get(7)?,
        on: row.get(8)?,
        detail,
        result: row.get(10)?,
        times: row.get(11)?,
        hash: row.get(12)?,
    })
}

fn unwritable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}
