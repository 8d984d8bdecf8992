//! Raw rows: those in files and those in memory, merged in order.

use super::{
    HistoryError, Listing, PAGE_MEASUREMENTS_MAX, Row, Tiers,
    plan::{Fields, OWN_COLUMNS, Place, RowsPlan},
    sources::{self, Files},
};
use crate::tsdb::{Tier, View};
use arrow::array::{Array, AsArray, MapArray, RecordBatch};
use arrow::datatypes::Float64Type;
use duckdb::Connection;
use pingup_protocol::{ids::AgentId, metrics::Measurements, time::Timestamp};
use std::{cmp::Ordering, collections::BinaryHeap, sync::Arc};

/// What tells rows of one agent apart and puts them in order: timestamp in microseconds, boot and seq; −1 where
/// it has none.
pub(super) type Key = (i64, i64, i64);

/// A page of raw rows that is to be read.
#[derive(Debug)]
pub(super) struct Query {
    view: Arc<View>,
    agent: AgentId,
    plan: RowsPlan,
    files: Option<Files>,
}

/// A row and its place.
#[derive(Debug)]
pub(super) struct Keyed {
    pub(super) key: Key,
    pub(super) row: Row,
}

impl Query {
    /// Finds the files.
    pub(super) fn new(view: Arc<View>, agent: AgentId, plan: RowsPlan) -> Self {
        let files = Files::of(&view, Tier::Raw, Some(&agent), &(plan.from..plan.to));
        Self { view, agent, plan, files }
    }

    /// Whether files have to be read.
    pub(super) const fn reads_files(&self) -> bool {
        self.files.is_some()
    }

    /// Reads it.
    pub(super) fn run(self, connection: Option<&Connection>) -> Result<Listing<Row>, HistoryError> {
        let on_disk = match connection.zip(self.files.as_ref()) {
            Some((connection, files)) => self.on_disk(connection, files)?,
            None => Vec::new(),
        };
        let in_memory = self.in_memory();
        Ok(page(merge(on_disk, in_memory), self.plan.limit))
    }

    /// Rows in files, in order; one more than fits on the page.
    fn on_disk(&self, connection: &Connection, files: &Files) -> Result<Vec<Keyed>, HistoryError> {
        let RowsPlan { from, beyond: (boot, seq), ref fields, limit, .. } = self.plan;
        let beyond = match (boot, seq) {
            (i64::MIN, _) => String::new(),
            _ => {
                let at = from.as_micros();
                format!(" AND (timestamp > make_timestamp({at}) OR b > {boot} OR (b = {boot} AND s > {seq}))")
            }
        };
        let sql = format!(
            "SELECT {} FROM {}{}{beyond} ORDER BY timestamp, b, s LIMIT {}",
            columns(fields),
            files.table(),
            files.condition("timestamp"),
            limit + 1
        );
        let (mut found, mut told) = (Vec::new(), 0);
        sources::each_batch(connection, &sql, |batch| {
            read(batch, fields, |row| {
                told += weight(&row.row);
                found.push(row);
            })?;
            // The row that would be one too many is there then.
            Ok(told <= PAGE_MEASUREMENTS_MAX + MORE_MEASUREMENTS)
        })?;
        Ok(found)
    }

    /// Rows in memory, in order; one more than fits on the page.
    fn in_memory(&self) -> Vec<Keyed> {
        let RowsPlan { from, to, beyond, ref fields, limit } = self.plan;
        let first = (from.as_micros(), beyond.0, beyond.1);
        let mut first_ones: BinaryHeap<Keyed> = BinaryHeap::new();
        for segment in &self.view.segments {
            segment.each_sample(Some(self.agent.as_str()), &(from..to), |sample| {
                let key = key(sample.timestamp(), sample.stream());
                let is_full = first_ones.len() > limit;
                if key <= first || (is_full && first_ones.peek().is_some_and(|last| last.key <= key)) {
                    return;
                }
                if is_full {
                    first_ones.pop();
                }
                let metrics = sample.to_measurements(|name| fields.has(name));
                let row = Row { timestamp: sample.timestamp(), status: sample.status().to_owned(), metrics };
                first_ones.push(Keyed { key, row });
            });
        }
        first_ones.into_sorted_vec()
    }
}

/// Beyond its bound a page may hold one row's measurements.
const MORE_MEASUREMENTS: usize = pingup_protocol::limits::MEASUREMENTS_MAX + OWN_COLUMNS.len();

/// The key of a row.
pub(super) fn key(at: Timestamp, stream: Option<(u64, u64)>) -> Key {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let (boot, seq) = stream.map_or((-1, -1), |(boot, seq)| (number(boot), number(seq)));
    (at.as_micros(), boot, seq)
}

/// The columns that [`read`] reads, as SQL; those that are not asked for are not read from the files.
pub(super) fn columns(fields: &Fields) -> String {
    let own = OWN_COLUMNS.map(|name| if fields.has(name) { name } else { "NULL::DOUBLE" }).join(", ");
    let further = if fields.has_further() { "further" } else { "NULL::MAP(VARCHAR, DOUBLE)" };
    format!("epoch_us(timestamp), coalesce(boot, -1) AS b, coalesce(seq, -1) AS s, status, {own}, {further}")
}

/// Shows the rows of a batch.
pub(super) fn read(
    batch: &RecordBatch,
    fields: &Fields,
    mut show: impl FnMut(Keyed),
) -> Result<(), HistoryError> {
    let (at, boots, seqs) =
        (sources::integers(batch, 0)?, sources::integers(batch, 1)?, sources::integers(batch, 2)?);
    let statuses = sources::texts(batch, 3)?;
    let mut own = Vec::with_capacity(OWN_COLUMNS.len());
    for place in 4..4 + OWN_COLUMNS.len() {
        own.push(sources::doubles(batch, place)?);
    }
    let further = sources::maps(batch, 4 + OWN_COLUMNS.len())?;
    for row in 0..batch.num_rows() {
        let value = |place: usize| own[place].is_valid(row).then(|| own[place].value(row));
        let metrics = Measurements {
            cpu: value(0),
            ram: value(1),
            disk: value(2),
            latency: value(3),
            further: read_further(further, row, fields)?,
        };
        let timestamp = Timestamp::from_micros(at.value(row));
        let told = Row { timestamp, status: statuses.value(row).to_owned(), metrics };
        show(Keyed { key: (at.value(row), boots.value(row), seqs.value(row)), row: told });
    }
    Ok(())
}

fn read_further(maps: &MapArray, row: usize, fields: &Fields) -> Result<Vec<(String, f64)>, HistoryError> {
    if maps.is_null(row) {
        return Ok(Vec::new());
    }
    let names = maps.keys().as_string_opt::<i32>().ok_or(HistoryError::Columns)?;
    let values = maps.values().as_primitive_opt::<Float64Type>().ok_or(HistoryError::Columns)?;
    let (first, end) = (maps.value_offsets()[row], maps.value_offsets()[row + 1]);
    let pairs = (first..end).filter_map(|place| usize::try_from(place).ok());
    let pairs = pairs.filter(|&place| values.is_valid(place) && fields.has(names.value(place)));
    Ok(pairs.map(|place| (names.value(place).to_owned(), values.value(place))).collect())
}

fn merge(a: Vec<Keyed>, b: Vec<Keyed>) -> impl Iterator<Item = Keyed> {
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(first), Some(second)) if second < first => b.next(),
        (Some(_), _) => a.next(),
        (None, _) => b.next(),
    })
}

fn page(rows: impl Iterator<Item = Keyed>, limit: usize) -> Listing<Row> {
    let (mut items, mut last, mut told) = (Vec::new(), None, 0);
    for Keyed { key: (at, boot, seq), row } in rows {
        if items.len() == limit || told >= PAGE_MEASUREMENTS_MAX {
            return Listing { items, next: last, tiers: Tiers::raw() };
        }
        told += weight(&row);
        last = Some(Place::Row(at, boot, seq));
        items.push(row);
    }
    Listing { items, next: None, tiers: Tiers::raw() }
}

/// What a row counts for on a page.
const fn weight(row: &Row) -> usize {
    OWN_COLUMNS.len() + row.metrics.further.len()
}

impl Ord for Keyed {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl PartialOrd for Keyed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Keyed {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Keyed {}
