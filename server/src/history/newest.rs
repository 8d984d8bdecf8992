//! An agent's newest sample: in memory, in files, and as the sweep noted it in the records.

use super::{
    HistoryError, Row,
    plan::Fields,
    rows::{self, Keyed},
    sources::{self, Files},
};
use crate::{
    latest::LatestSample,
    tsdb::{Part, Tier, View},
};
use duckdb::Connection;
use pingup_protocol::{ids::AgentId, time::Timestamp};
use rusqlite::OptionalExtension;
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// After every timestamp.
const END: Timestamp = Timestamp::from_micros(i64::MAX);

/// An agent's newest sample, to be looked for from some moment on.
#[derive(Debug)]
pub(super) struct Query {
    view: Arc<View>,
    agent: AgentId,
    from: Timestamp,
    /// The files of each day, the newest first.
    days: Vec<Vec<Arc<Part>>>,
}

impl Query {
    /// Finds the files.
    pub(super) fn new(view: Arc<View>, agent: AgentId, from: Timestamp) -> Self {
        let mut days: BTreeMap<i64, Vec<Arc<Part>>> = BTreeMap::new();
        for part in view.parts_for(Tier::Raw, Some(agent.as_str()), &(from..END)) {
            days.entry(part.row().period).or_default().push(part);
        }
        Self { view, agent, from, days: days.into_values().rev().collect() }
    }

    /// Whether files have to be read.
    pub(super) const fn reads_files(&self) -> bool {
        !self.days.is_empty()
    }

    /// Looks.
    pub(super) fn run(self, connection: Option<&Connection>) -> Result<Option<LatestSample>, HistoryError> {
        let range = self.from..END;
        let on_disk = match connection {
            Some(connection) => on_disk(connection, &self.agent, self.days, &range)?,
            None => None,
        };
        let newest = [on_disk, in_memory(&self.view, &self.agent, &range)].into_iter().flatten().max();
        Ok(newest.map(|Keyed { row: Row { timestamp, status, metrics }, .. }| LatestSample {
            timestamp,
            status,
            metrics,
        }))
    }
}

/// Asks more and more days at once until one has a sample: most often the first.
fn on_disk(
    connection: &Connection,
    agent: &AgentId,
    mut days: Vec<Vec<Arc<Part>>>,
    range: &Range<Timestamp>,
) -> Result<Option<Keyed>, HistoryError> {
    let mut at_once = 1;
    while !days.is_empty() {
        let parts = days.drain(..at_once.min(days.len())).flatten().collect();
        at_once *= 4;
        let Some(files) = Files::among(parts, Tier::Raw, Some(agent), range) else { continue };
        let sql = format!(
            "SELECT {} FROM {}{} ORDER BY timestamp DESC, b DESC, s DESC LIMIT 1",
            rows::columns(&Fields::All),
            files.table(),
            files.condition("timestamp")
        );
        let mut newest = None;
        sources::each_batch(connection, &sql, |batch| {
            rows::read(batch, &Fields::All, |row| newest = Some(row))?;
            Ok(true)
        })?;
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

fn in_memory(view: &View, agent: &AgentId, range: &Range<Timestamp>) -> Option<Keyed> {
    let mut newest: Option<Keyed> = None;
    for segment in &view.segments {
        segment.each_sample(Some(agent.as_str()), range, |sample| {
            let key = rows::key(sample.timestamp(), sample.stream());
            if newest.as_ref().is_none_or(|newest| newest.key <= key) {
                let metrics = sample.to_measurements(|_| true);
                let row = Row { timestamp: sample.timestamp(), status: sample.status().to_owned(), metrics };
                newest = Some(Keyed { key, row });
            }
        });
    }
    newest
}

/// The agent's newest sample as the sweep last wrote it down.
pub(super) fn noted(
    connection: &rusqlite::Connection,
    agent_id: &str,
) -> rusqlite::Result<Option<LatestSample>> {
    let mut statement = connection
        .prepare_cached("SELECT timestamp, status, metrics FROM agent_latest WHERE agent_id = ?")?;
    let read = |row: &rusqlite::Row<'_>| {
        let text: String = row.get(2)?;
        let metrics = serde_json::from_str(&text).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(error))
        })?;
        Ok(LatestSample { timestamp: Timestamp::from_micros(row.get(0)?), status: row.get(1)?, metrics })
    };
    statement.query_row([agent_id], read).optional()
}

/// Writes an agent's newest sample down, unless a newer one is; for the sweep. Samples of an agent that the
/// records do not know are left to the history.
pub fn note(connection: &rusqlite::Connection, newest: &(AgentId, LatestSample)) -> rusqlite::Result<()> {
    let (agent_id, LatestSample { timestamp, status, metrics }) = newest;
    let metrics = serde_json::to_string(metrics)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO agent_latest (agent_id, timestamp, status, metrics)
         SELECT id, ?2, ?3, ?4 FROM agents WHERE id = ?1
         ON CONFLICT (agent_id) DO UPDATE
         SET timestamp = excluded.timestamp, status = excluded.status, metrics = excluded.metrics
         WHERE excluded.timestamp >= agent_latest.timestamp",
    )?;
    statement.execute((agent_id.as_str(), timestamp.as_micros(), status, metrics)).map(drop)
}
