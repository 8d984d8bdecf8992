//! An agent's newest sample: in memory, in files, and as the sweep noted it in the records.

use super::{
    HistoryError, Row,
    plan::Fields,
    rows::{self, Keyed, StoredRows},
};
use crate::{
    latest::LatestSample,
    storage::Wanted,
    tsdb::{Part, Tier, View, pick, rollup},
};
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
    /// The files of each day, counted from 1970, the newest first.
    days: Vec<(i64, Vec<Arc<Part>>)>,
}

impl Query {
    /// Finds the files.
    pub(super) fn new(view: Arc<View>, agent: AgentId, from: Timestamp) -> Self {
        let mut days: BTreeMap<i64, Vec<Arc<Part>>> = BTreeMap::new();
        for part in view.parts_for(Tier::Raw, Some(agent.as_str()), &(from..END)) {
            days.entry(part.row().period).or_default().push(part);
        }
        Self { view, agent, from, days: days.into_iter().rev().collect() }
    }

    /// Looks: in files day by day, the newest first; most often the first has one.
    pub(super) fn run(self, wanted: &Wanted) -> Result<Option<LatestSample>, HistoryError> {
        let range = self.from..END;
        let mut newest = in_memory(&self.view, &self.agent, &range);
        for (day, parts) in &self.days {
            // What came late may be all that is in memory.
            if newest.as_ref().is_some_and(|newest| rollup::day(newest.key.0) > *day) {
                break;
            }
            for part in parts {
                newest = newest.max(on_disk(part, &self.agent, &range, wanted)?);
            }
        }
        Ok(newest.map(|Keyed { row: Row { timestamp, status, metrics }, .. }| LatestSample {
            timestamp,
            status,
            metrics,
        }))
    }
}

/// The newest in a file.
fn on_disk(
    part: &Part,
    agent: &AgentId,
    range: &Range<Timestamp>,
    wanted: &Wanted,
) -> Result<Option<Keyed>, HistoryError> {
    let range = range.start.as_micros()..range.end.as_micros();
    let mut newest: Option<Keyed> = None;
    for batch in pick::rows_of(part, agent.as_str(), &rows::columns(&Fields::All))? {
        wanted.check()?;
        let batch = batch?;
        let rows = StoredRows::new(&batch)?;
        let keys = (0..batch.num_rows()).map(|row| (rows.key(row), row));
        let Some((key, row)) = keys.filter(|(key, _)| range.contains(&key.0)).max() else { continue };
        newest = newest.max(Some(Keyed { key, row: rows.row(row, &Fields::All) }));
    }
    Ok(newest)
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
