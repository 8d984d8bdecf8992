//! Raw rows: those in files and those in memory, merged in order.

use super::{
    HistoryError, Listing, PAGE_MEASUREMENTS_MAX, Row, Tiers,
    plan::{Fields, OWN_COLUMNS, Place, RowsPlan},
    sources::Files,
};
use crate::{
    storage::Wanted,
    tsdb::{
        Tier, View, pick,
        schema::{double_at, integer_at, map_at, text_at, time_at},
    },
};
use arrow::array::RecordBatch;
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

    /// Reads it.
    pub(super) fn run(self, wanted: &Wanted) -> Result<Listing<Row>, HistoryError> {
        let mut first = FirstRows::new(&self.plan);
        self.in_memory(&mut first);
        if let Some(files) = &self.files {
            self.on_disk(files, wanted, &mut first)?;
        }
        Ok(page(first.into_sorted(), self.plan.limit))
    }

    /// Rows in files, oldest file first: those behind what a page holds are not read.
    fn on_disk(&self, files: &Files, wanted: &Wanted, first: &mut FirstRows) -> Result<(), HistoryError> {
        let columns = columns(&self.plan.fields);
        let mut parts: Vec<_> = files.parts().iter().collect();
        parts.sort_unstable_by_key(|part| part.row().times.0);
        for part in parts {
            if !first.has_room_at((part.row().times.0, i64::MIN, i64::MIN)) {
                break;
            }
            for batch in pick::rows_of(part, self.agent.as_str(), &columns)? {
                wanted.check()?;
                let batch = batch?;
                let rows = StoredRows::new(&batch)?;
                for row in (0..batch.num_rows()).filter(|row| files.range().contains(&rows.key(*row).0)) {
                    first.offer(rows.key(row), || rows.row(row, &self.plan.fields));
                }
            }
        }
        Ok(())
    }

    /// Rows in memory.
    fn in_memory(&self, first: &mut FirstRows) {
        let RowsPlan { from, to, ref fields, .. } = self.plan;
        for segment in &self.view.segments {
            segment.each_sample(Some(self.agent.as_str()), &(from..to), |sample| {
                first.offer(key(sample.timestamp(), sample.stream()), || {
                    let metrics = sample.to_measurements(|name| fields.has(name));
                    Row { timestamp: sample.timestamp(), status: sample.status().to_owned(), metrics }
                });
            });
        }
    }
}

/// The first rows beyond a place, a few more than fit on the page.
struct FirstRows {
    beyond: Key,
    limit: usize,
    rows: BinaryHeap<Keyed>,
    told: usize,
}

impl FirstRows {
    fn new(plan: &RowsPlan) -> Self {
        let beyond = (plan.from.as_micros(), plan.beyond.0, plan.beyond.1);
        Self { beyond, limit: plan.limit, rows: BinaryHeap::new(), told: 0 }
    }

    /// Whether a row of that key would be among them.
    fn has_room_at(&self, key: Key) -> bool {
        self.rows.len() <= self.limit && self.told <= TOLD_MAX
            || self.rows.peek().is_some_and(|last| key < last.key)
    }

    fn offer(&mut self, key: Key, row: impl FnOnce() -> Row) {
        if key <= self.beyond || !self.has_room_at(key) {
            return;
        }
        let row = row();
        self.told += weight(&row);
        self.rows.push(Keyed { key, row });
        // Without the last one there still has to be one too many, or too much.
        while let Some(last) = self.rows.peek()
            && (self.rows.len() > self.limit + 1 || self.told - weight(&last.row) > TOLD_MAX)
        {
            self.told -= weight(&last.row);
            self.rows.pop();
        }
    }

    fn into_sorted(self) -> Vec<Keyed> {
        self.rows.into_sorted_vec()
    }
}

/// Measurements that are held: more than a page may tell, by a row at least, so that where it ends is known.
const TOLD_MAX: usize = PAGE_MEASUREMENTS_MAX + MORE_MEASUREMENTS;

/// Beyond its bound a page may hold one row's measurements.
const MORE_MEASUREMENTS: usize = pingup_protocol::limits::MEASUREMENTS_MAX + OWN_COLUMNS.len();

/// The key of a row.
pub(super) fn key(at: Timestamp, stream: Option<(u64, u64)>) -> Key {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let (boot, seq) = stream.map_or((-1, -1), |(boot, seq)| (number(boot), number(seq)));
    (at.as_micros(), boot, seq)
}

/// The columns that [`StoredRows`] are read from; those that are not asked for are not read.
pub(super) fn columns(fields: &Fields) -> Vec<&'static str> {
    let further = fields.has_further().then_some("further");
    ["timestamp", "status", "boot", "seq"].into_iter().chain(fields.own_columns()).chain(further).collect()
}

/// A batch of those columns.
pub(super) struct StoredRows<'a> {
    batch: &'a RecordBatch,
    at: usize,
    status: usize,
    boot: usize,
    seq: usize,
    own: [Option<usize>; OWN_COLUMNS.len()],
    further: Option<usize>,
}

impl<'a> StoredRows<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> Result<Self, HistoryError> {
        let schema = batch.schema();
        let place = |name: &str| schema.index_of(name);
        Ok(Self {
            batch,
            at: place("timestamp")?,
            status: place("status")?,
            boot: place("boot")?,
            seq: place("seq")?,
            own: OWN_COLUMNS.map(|name| place(name).ok()),
            further: place("further").ok(),
        })
    }

    /// The key of a row.
    pub(super) fn key(&self, row: usize) -> Key {
        let number = |column| integer_at(self.batch, column, row).unwrap_or(-1);
        (time_at(self.batch, self.at, row), number(self.boot), number(self.seq))
    }

    /// A row, with the measurements that are among `fields`.
    pub(super) fn row(&self, row: usize, fields: &Fields) -> Row {
        let own = |place: usize| self.own[place].and_then(|column| double_at(self.batch, column, row));
        let further = self.further.into_iter().flat_map(|column| map_at(self.batch, column, row));
        let further =
            further.filter(|(name, _)| fields.has(name)).map(|(name, value)| (name.to_owned(), value));
        Row {
            timestamp: Timestamp::from_micros(time_at(self.batch, self.at, row)),
            status: text_at(self.batch, self.status, row).to_owned(),
            metrics: Measurements {
                cpu: own(0),
                ram: own(1),
                disk: own(2),
                latency: own(3),
                further: further.collect(),
            },
        }
    }
}

fn page(rows: Vec<Keyed>, limit: usize) -> Listing<Row> {
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
