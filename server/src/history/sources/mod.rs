//! Where answers come from: one agent's rows in files ([`agent`]), all agents' samples in files ([`raw`]) and
//! rollups ([`rollup`], [`fleet`]), samples in memory ([`head`]).
//!
//! Each adds what it has to the same [`Sums`](super::buckets::Sums). What is asked of DuckDB is bounded by its
//! own LIMIT, in the order of the answer, and a source that was cut says how far it is complete. SQL is made of
//! checked words only: agents' ids and measurements' names have no quotes, the rest are numbers; so the limits of
//! time are constants to the engine, which leaves out what they exclude.

pub(super) mod agent;
pub(super) mod fleet;
pub(super) mod head;
pub(super) mod raw;
pub(super) mod rollup;

use super::{HistoryError, plan::Fields};
use crate::tsdb::{Part, PartRow, Tier, View, file_list, fleet::FLEET};
use arrow::array::{Array, Float64Array, Int64Array, RecordBatch, StringArray};
use duckdb::Connection;
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{ops::Range, sync::Arc};

/// The files of one tier that rows asked about can be in; at least one. They stay while this does.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) tier: Tier,
    parts: Vec<Arc<Part>>,
    range: Range<i64>,
}

impl Files {
    /// Those of an agent, or of all; `None` if no file can hold any of its rows.
    pub(super) fn of(
        view: &View,
        tier: Tier,
        agent: Option<&AgentId>,
        range: &Range<Timestamp>,
    ) -> Option<Self> {
        let parts = view.parts_for(tier, agent.map(AgentId::as_str), range);
        let first = parts.iter().map(|part| part.row().times.0).min()?;
        let last = parts.iter().map(|part| part.row().times.1).max()?;
        // Within what is there, every moment is one that DuckDB can tell.
        let from = range.start.as_micros().max(first);
        let to = range.end.as_micros().min(last.saturating_add(1));
        Some(Self { tier, parts, range: from..to })
    }

    /// The files.
    pub(super) fn parts(&self) -> &[Arc<Part>] {
        &self.parts
    }

    /// From when until when, microseconds.
    pub(super) const fn range(&self) -> &Range<i64> {
        &self.range
    }

    /// The files as a table.
    pub(super) fn table(&self) -> String {
        format!("read_parquet({})", file_list(&self.parts))
    }

    /// Which of their rows of all agents, as a WHERE clause; `at` is the column with the time. Nothing where all are asked for:
    /// to filter by what excludes nothing costs as much as to filter.
    pub(super) fn condition(&self, at: &str) -> String {
        let Range { start, end } = self.range;
        let rows = || self.parts.iter().map(|part| part.row());
        let mut all = Vec::new();
        if rows().any(PartRow::has_fleet) {
            all.push(format!("agent_id <> '{FLEET}'"));
        }
        if rows().any(|row| row.times.0 < start) {
            all.push(format!("{at} >= make_timestamp({start})"));
        }
        if rows().any(|row| row.times.1 >= end) {
            all.push(format!("{at} < make_timestamp({end})"));
        }
        if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
    }
}

/// The start of a moment's bucket in SQL: the greatest multiple of the step that is not after it, before 1970 too.
fn start_of_bucket(at: &str, step_micros: i64) -> String {
    format!("epoch_us({at}) - ((epoch_us({at}) % {step_micros}) + {step_micros}) % {step_micros}")
}

/// Names as a condition on the column `name`; nothing if all are asked for.
fn names_are(names: Option<Vec<&str>>) -> String {
    let quoted =
        |names: Vec<&str>| names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    names.map_or_else(String::new, |names| format!("name IN ({})", quoted(names)))
}

/// The names that rollups are asked for: those of `fields`, and the one that counts samples.
pub(super) fn rollup_names(fields: &Fields) -> Option<Vec<&str>> {
    match fields {
        Fields::All => None,
        Fields::Named(names) => {
            Some([crate::tsdb::schema::SAMPLES].into_iter().chain(names.iter().map(String::as_str)).collect())
        }
    }
}

/// Shows what `sql` answers, batch by batch, until `take` has enough and says `false`.
pub(super) fn each_batch(
    connection: &Connection,
    sql: &str,
    mut take: impl FnMut(&RecordBatch) -> Result<bool, HistoryError>,
) -> Result<(), HistoryError> {
    let mut statement = connection.prepare(sql)?;
    for batch in statement.query_arrow([])? {
        if !take(&batch)? {
            break;
        }
    }
    Ok(())
}

/// All that `sql` answers, which must be bounded.
fn batches(connection: &Connection, sql: &str) -> Result<Vec<RecordBatch>, HistoryError> {
    Ok(connection.prepare(sql)?.query_arrow([])?.collect())
}

/// Whole numbers, by the column's place.
pub(super) fn integers(batch: &RecordBatch, place: usize) -> Result<&Int64Array, HistoryError> {
    column(batch, place)
}

/// Doubles.
pub(super) fn doubles(batch: &RecordBatch, place: usize) -> Result<&Float64Array, HistoryError> {
    column(batch, place)
}

/// Texts.
pub(super) fn texts(batch: &RecordBatch, place: usize) -> Result<&StringArray, HistoryError> {
    column(batch, place)
}

fn column<A: Array + 'static>(batch: &RecordBatch, place: usize) -> Result<&A, HistoryError> {
    let found = batch.columns().get(place).and_then(|column| column.as_any().downcast_ref());
    found.ok_or(HistoryError::Columns)
}

/// A count as the engine tells it: never negative.
pub(super) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}
