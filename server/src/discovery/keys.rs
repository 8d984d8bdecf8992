//! Which scans a page is made of: their keys, from the newest on, without their hosts.

use super::{DiscoveryError, Place, Range};
use crate::tsdb::{Part, Tier, View, file_list};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use duckdb::Connection;
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{collections::BTreeMap, sync::Arc};

/// Days that are asked at first; each time more of them.
const DAYS_AT_FIRST: usize = 1;
/// How many times as many the next time.
const DAYS_GROWTH: usize = 4;

/// A scan without its hosts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Key {
    /// What tells it from others.
    pub(super) place: Place,
    /// How long it took, milliseconds.
    pub(super) duration: f64,
    /// Whether it lies in a file.
    pub(super) on_disk: bool,
}

/// Files by day, the newest first.
pub(super) fn days(view: &View, agent: &AgentId, range: &Range) -> Vec<Vec<Arc<Part>>> {
    let to = range.to.min(after(range.before));
    let mut days: BTreeMap<i64, Vec<Arc<Part>>> = BTreeMap::new();
    for part in view.parts_for(Tier::Scans, Some(agent.as_str()), &(range.from..to)) {
        days.entry(part.row().period).or_default().push(part);
    }
    days.into_values().rev().collect()
}

/// Those in files, newest first; of all there are, as many as a page takes and one more.
pub(super) fn on_disk(
    connection: &Connection,
    agent: &AgentId,
    range: &Range,
    days: &[Vec<Arc<Part>>],
) -> Result<Vec<Key>, DiscoveryError> {
    let (mut found, mut rest, mut at_once) = (Vec::new(), days, DAYS_AT_FIRST);
    while !rest.is_empty() && found.len() <= range.limit {
        let (newest, older) = rest.split_at(at_once.min(rest.len()));
        let parts: Vec<_> = newest.iter().flatten().collect();
        let wanted = range.limit + 1 - found.len();
        let sql = format!(
            "SELECT epoch_us(timestamp), coalesce(boot, -1) AS b, coalesce(seq, -1) AS s, duration FROM read_parquet({})
             WHERE {} ORDER BY timestamp DESC, b DESC, s DESC LIMIT {wanted}",
            file_list(parts.iter().copied()),
            condition(agent, range, &parts)
        );
        for batch in connection.prepare(&sql)?.query_arrow([])? {
            read(&batch, &mut found)?;
        }
        (rest, at_once) = (older, at_once * DAYS_GROWTH);
    }
    Ok(found)
}

/// Those in memory, newest first; as many as a page takes and one more.
pub(super) fn in_memory(view: &View, agent: &AgentId, range: &Range) -> Vec<Key> {
    let mut found = Vec::new();
    for segment in &view.segments {
        segment.each_scan(agent.as_str(), &(range.from..range.to), |scan| {
            let place = place(scan.timestamp(), scan.stream());
            if place < range.before {
                found.push(Key { place, duration: scan.duration(), on_disk: false });
            }
        });
    }
    found.sort_unstable_by_key(|key| std::cmp::Reverse(key.place));
    found.truncate(range.limit + 1);
    found
}

/// The place of a scan.
pub(super) fn place(at: Timestamp, stream: Option<(u64, u64)>) -> Place {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let (boot, seq) = stream.map_or((-1, -1), |(boot, seq)| (number(boot), number(seq)));
    Place(at.as_micros(), boot, seq)
}

/// The moment behind a place's.
const fn after(Place(micros, ..): Place) -> Timestamp {
    Timestamp::from_micros(micros.saturating_add(1))
}

/// Which rows. An agent's id has no quotes, the rest are numbers; within the files' own times every moment is one
/// that DuckDB can tell.
fn condition(agent: &AgentId, range: &Range, parts: &[&Arc<Part>]) -> String {
    let first = parts.iter().map(|part| part.row().times.0).min().unwrap_or_default();
    let last = parts.iter().map(|part| part.row().times.1).max().unwrap_or_default();
    let from = range.from.as_micros().max(first);
    let to = range.to.min(after(range.before)).as_micros().min(last.saturating_add(1));
    let Place(at, boot, seq) = range.before;
    let agent = agent.as_str();
    format!(
        "agent_id = '{agent}' AND timestamp >= make_timestamp({from}) AND timestamp < make_timestamp({to})
         AND (epoch_us(timestamp) < {at} OR b < {boot} OR (b = {boot} AND s < {seq}))"
    )
}

fn read(batch: &RecordBatch, found: &mut Vec<Key>) -> Result<(), DiscoveryError> {
    let integers = |place: usize| batch.column(place).as_primitive_opt::<Int64Type>();
    let durations = batch.column(3).as_primitive_opt::<Float64Type>().ok_or(DiscoveryError::Columns)?;
    let (Some(at), Some(boots), Some(seqs)) = (integers(0), integers(1), integers(2)) else {
        return Err(DiscoveryError::Columns);
    };
    found.extend((0..batch.num_rows()).map(|row| Key {
        place: Place(at.value(row), boots.value(row), seqs.value(row)),
        duration: durations.value(row),
        on_disk: true,
    }));
    Ok(())
}
