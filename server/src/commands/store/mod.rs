//! Commands in SQLite. Every function runs inside the transaction of whoever calls it.
//!
//! [`queue`] makes them, [`batch`] many at a time, [`deliver`] hands them out, [`progress`] hears that they run, [`close`] ends
//! them, [`cancel`] what nobody needs any more, [`lapse`] those whose time is over, [`forget`] deletes them in the end; here
//! is how they are read, and in [`each`] all of them in short.

mod batch;
mod cancel;
mod close;
mod deliver;
mod each;
mod end;
mod forget;
mod lapse;
mod progress;
mod queue;
#[cfg(test)]
mod tests;

pub use batch::{batch_made_before, find_batch, left_out, missing, queue_batch};
pub use cancel::{Taken, cancel, cancel_batch, cancel_open};
pub use close::{Kept, keep_result};
pub use deliver::{Deliverable, Delivery, Due, conclude, count_pending, due, mark_delivered};
pub use each::{CommandFacts, each};
pub use end::{end_batch, over};
pub use forget::{Forgotten, forget};
pub use lapse::lapse;
pub use progress::{Piece, Placed, keep_progress};
pub use queue::queue;

use super::{Change, CommandView, reason, status_at};
use crate::storage::{Found, take_page};
use pingup_protocol::{command::CommandStatus, ids::AgentId, time::Timestamp};
use rusqlite::{
    Connection, OptionalExtension, Row, Rows,
    types::{FromSqlError, Type, Value},
};
use serde::{Serialize, de::DeserializeOwned};

const COLUMNS: &str = "id, agent_id, seq, action, params, status, result, created_at, expires_at, delivered_at, \
                       started_at, finished_at, timeout_seconds, cancel_asked_at, progress, signed_order ->> '$.keyId'";

/// What still concerns agent ?1: word for word the condition of the index `commands_open`, so that SQLite sees
/// it fits. Further conditions on status or expiry must carry a unary plus, or SQLite takes the index for those.
const OPEN: &str = "agent_id = ?1 AND status IN ('pending', 'delivered', 'running')";

/// Which commands a list is to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this agent.
    pub agent_id: Option<String>,
    /// That stand so.
    pub status: Option<CommandStatus>,
    /// Of this batch.
    pub batch_id: Option<String>,
    /// With this action.
    pub action: Option<String>,
    /// Queued at this moment or later.
    pub since: Option<Timestamp>,
    /// That come after this one in the list.
    pub after: Option<Place>,
}

/// A command's place in a list: when it was queued, and its id, since one moment can have several.
pub type Place = (i64, String);

/// The command of this id.
pub fn find(
    connection: &Connection,
    command_id: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<CommandView>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM commands WHERE id = ?1"))?
        .query_row([command_id], |row| view(row, now))
        .optional()
}

/// Up to `limit` commands that `filter` lets through, the newest first.
pub fn list(
    connection: &Connection,
    filter: Filter,
    limit: u64,
    now: Timestamp,
) -> rusqlite::Result<Found<CommandView>> {
    let (conditions, mut values) = conditions(filter, now);
    // Named, or SQLite would sort all there is through a file. One more tells whether the list goes on.
    values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1));
    // Ids of one year differ in length before they differ in text.
    let sql = format!(
        "SELECT {COLUMNS} FROM commands WHERE {conditions}
         ORDER BY created_at DESC, length(id) DESC, id DESC LIMIT ?"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| view(row, now))?;
    take_page(rows, limit, CommandView::bytes)
}

/// How many commands there are of each status, as written down.
pub fn count_by_status(connection: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut count = connection.prepare_cached("SELECT count(*) FROM commands WHERE status = ?1")?;
    CommandStatus::ALL
        .into_iter()
        .map(|status| Ok((status.as_str().to_owned(), count.query_row([status.as_str()], |row| row.get(0))?)))
        .collect()
}

fn conditions(filter: Filter, now: Timestamp) -> (String, Vec<Value>) {
    let mut conditions = String::from("true");
    let mut values = Vec::new();
    let mut and = |condition: &str, condition_values: Vec<Value>| {
        conditions.push_str(" AND ");
        conditions.push_str(condition);
        values.extend(condition_values);
    };
    if let Some(agent_id) = filter.agent_id {
        and("agent_id = ?", vec![agent_id.into()]);
    }
    if let Some(batch_id) = filter.batch_id {
        and("batch_id = ?", vec![batch_id.into()]);
    }
    if let Some(action) = filter.action {
        and("action = ?", vec![action.into()]);
    }
    if let Some(since) = filter.since {
        and("created_at >= ?", vec![since.as_micros().into()]);
    }
    if let Some((created_at, id)) = filter.after {
        let length = i64::try_from(id.len()).unwrap_or(i64::MAX);
        and("(created_at, length(id), id) < (?, ?, ?)", vec![created_at.into(), length.into(), id.into()]);
    }
    let now = now.as_micros().into();
    match filter.status {
        None => {}
        Some(CommandStatus::Pending) => and("status = 'pending' AND expires_at > ?", vec![now]),
        Some(CommandStatus::Expired) => {
            and("(status = 'expired' OR status = 'pending' AND expires_at <= ?)", vec![now]);
        }
        Some(status) => and("status = ?", vec![status.as_str().to_owned().into()]),
    }
    (conditions, values)
}

fn view(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<CommandView> {
    let moment =
        |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros));
    let expires_at = Timestamp::from_micros(row.get(8)?);
    let status = status_at(status(row, 5)?, expires_at, now);
    let result: Option<String> = row.get(6)?;
    let delivered_at = moment(9)?;
    let reason = if result.is_none() { reason(status, delivered_at.is_some()) } else { None };
    Ok(CommandView {
        command_id: row.get(0)?,
        agent_id: agent_id(row, 1)?,
        command_seq: row.get(2)?,
        action: row.get(3)?,
        params: json(4, &row.get::<_, String>(4)?)?,
        status,
        result: result.map(|result| json(6, &result)).transpose()?,
        created_at: Timestamp::from_micros(row.get(7)?),
        expires_at,
        delivered_at,
        started_at: moment(10)?,
        finished_at: moment(11)?,
        timeout_seconds: row.get(12)?,
        cancel_asked_at: moment(13)?,
        output_so_far: row.get(14)?,
        reason,
        signed_by: row.get(15)?,
    })
}

/// The changes of `rows` of an id and an agent each, all of which came to stand so at `at`.
fn changes(mut rows: Rows<'_>, status: CommandStatus, at: Timestamp) -> rusqlite::Result<Vec<Change>> {
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        changes.push(Change { command_id: row.get(0)?, agent_id: agent_id(row, 1)?, status, at });
    }
    Ok(changes)
}

fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<CommandStatus> {
    let word: String = row.get(column)?;
    CommandStatus::from_word(&word).ok_or_else(|| unreadable(column, FromSqlError::InvalidType))
}

fn agent_id(row: &Row<'_>, column: usize) -> rusqlite::Result<AgentId> {
    let text: String = row.get(column)?;
    AgentId::parse(&text).map_err(|error| unreadable(column, error))
}

fn json<T: DeserializeOwned>(column: usize, text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| unreadable(column, error))
}

fn text(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// A row that this program did not write.
fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
