//! Everyone there is or was, for whoever names series by them.

use super::{SELECT, record};
use crate::registry::AgentRecord;
use rusqlite::Connection;

/// What `tell` makes of each agent, tombstones included, ordered by id; the first `limit` of them.
pub fn everyone<T>(
    connection: &Connection,
    limit: usize,
    tell: impl Fn(AgentRecord) -> T,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY a.id LIMIT ?1"))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement.query_map([limit], record)?.map(|agent| agent.map(&tell)).collect()
}
