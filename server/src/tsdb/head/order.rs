//! A segment in the order of the disk: by day, then agent, then time; and its hours as rollups.
//!
//! Only row numbers are sorted. Batches are made one at a time while they are written, rollups a bounded run of names at
//! a time ([`Hours`](super::Hours)), so that sealing takes a few megabytes beside the segment itself. The segment must
//! not grow any more.

use super::{Segment, batches, columns};
use crate::tsdb::{
    rollup::{Aggregate, day},
    schema::{self, BATCH_ROWS_MAX, ROLLUP},
};
use arrow::{
    array::{Int64Array, RecordBatch},
    error::ArrowError,
};
use pingup_protocol::ids::AgentId;
use std::{ops::Range, sync::Arc};

/// What the hosts of a batch of scans take in the segment, at most; of a scan that takes more, all of it. In the batch
/// they are texts, and while it is made they lie there twice.
const BATCH_HOSTS_BYTES_MAX: usize = 512 * 1024;

/// Row numbers of a segment in the order of the disk.
#[derive(Debug)]
pub struct Sorted {
    pub(super) segment: Arc<Segment>,
    pub(super) samples: Vec<u32>,
    scans: Vec<u32>,
    /// The places of agents in the order of their ids.
    pub(super) ranks: Vec<u32>,
}

/// What lies in one file: rows of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayRows {
    /// The day, counted from 1970.
    pub day: i64,
    /// Which of the sorted rows.
    pub rows: Range<usize>,
}

/// A rollup row.
#[derive(Clone, Debug, PartialEq)]
pub struct RollupRow {
    /// Whose.
    pub agent_id: AgentId,
    /// Of which measurement; [`SAMPLES`] counts samples.
    pub name: Box<str>,
    /// The bucket's beginning, microseconds.
    pub start: i64,
    /// What became of it.
    pub aggregate: Aggregate,
}

impl RollupRow {
    /// As it is written.
    pub fn cells(&self) -> RollupCells<'_> {
        (self.agent_id.as_str(), &self.name, self.start, &self.aggregate)
    }
}

impl Sorted {
    /// Sorts the rows of `segment`.
    pub fn new(segment: Arc<Segment>) -> Self {
        let columns = segment.read();
        let mut by_name: Vec<u32> = (0..super::place(columns.agents.len())).collect();
        by_name.sort_unstable_by_key(|&agent| &columns.agents[agent as usize].id);
        let mut ranks = vec![0_u32; by_name.len()];
        by_name.iter().zip(0..).for_each(|(&agent, rank)| ranks[agent as usize] = rank);
        let key = |stream: u32, at: i64, seq: u64| {
            let stream = &columns.streams[stream as usize];
            (day(at), ranks[stream.agent as usize], at, stream.boot, seq)
        };
        let mut samples: Vec<u32> = (0..super::place(columns.at.len())).collect();
        samples.sort_unstable_by_key(|&row| {
            let row = row as usize;
            key(columns.stream[row], columns.at[row], columns.seq[row])
        });
        let mut scans: Vec<u32> = (0..super::place(columns.scans.len())).collect();
        scans.sort_unstable_by_key(|&row| {
            let scan = &columns.scans[row as usize];
            key(scan.stream, scan.at, scan.seq)
        });
        drop(columns);
        Self { segment, samples, scans, ranks }
    }

    /// The days that samples lie in, each with its rows.
    pub fn sample_days(&self) -> Vec<DayRows> {
        let columns = self.segment.read();
        days(&self.samples, |row| columns.at[row as usize])
    }

    /// The days that scans lie in, each with its rows.
    pub fn scan_days(&self) -> Vec<DayRows> {
        let columns = self.segment.read();
        days(&self.scans, |row| columns.scans[row as usize].at)
    }

    /// Samples as batches, made one by one.
    pub fn sample_batches(
        self: &Arc<Self>,
        rows: Range<usize>,
    ) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send + use<> {
        let sorted = Arc::clone(self);
        chunks(rows).map(move |rows| sorted.samples(&sorted.samples[rows]))
    }

    /// Scans as batches, made one by one.
    pub fn scan_batches(
        self: &Arc<Self>,
        rows: Range<usize>,
    ) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send + use<> {
        let (sorted, mut rest) = (Arc::clone(self), rows);
        std::iter::from_fn(move || {
            let few = sorted.few_scans(&rest);
            rest.start = few.end;
            (!few.is_empty()).then(|| sorted.scans(&sorted.scans[few]))
        })
    }

    /// The first of these scans, as many as a batch takes.
    fn few_scans(&self, rows: &Range<usize>) -> Range<usize> {
        let columns = self.segment.read();
        let mut bytes = 0;
        let fits = |row: &&u32| {
            bytes += columns::bytes_of(&columns.scans[**row as usize].hosts);
            bytes <= BATCH_HOSTS_BYTES_MAX
        };
        let few = self.scans[rows.clone()].iter().take_while(fits).count();
        rows.start..rows.end.min(rows.start + few.clamp(1, BATCH_ROWS_MAX))
    }

    fn samples(&self, rows: &[u32]) -> Result<RecordBatch, ArrowError> {
        batches::of_samples(&self.segment.read(), rows.iter().copied())
    }

    fn scans(&self, rows: &[u32]) -> Result<RecordBatch, ArrowError> {
        batches::of_scans(&self.segment.read(), rows.iter().copied())
    }
}

/// A rollup row as it is written: whose, name, start and aggregate.
type RollupCells<'a> = (&'a str, &'a str, i64, &'a Aggregate);

/// Rollup rows as one batch.
pub fn rollup_batch<'a>(
    rows: impl Iterator<Item = RollupCells<'a>> + Clone,
) -> Result<RecordBatch, ArrowError> {
    let aggregates = || rows.clone().map(|(.., aggregate)| aggregate);
    // Counts end at 2^53 - 1, as the protocol's integers do.
    let cells = || aggregates().map(|sum| sum.sum.cells(i64::try_from(sum.count).unwrap_or(i64::MAX)));
    let of = |value: fn(&Aggregate) -> f64| schema::doubles(aggregates().map(|sum| Some(value(sum))));
    let all = vec![
        schema::texts(rows.clone().map(|(whose, ..)| whose)),
        schema::texts(rows.clone().map(|(_, name, ..)| name)),
        schema::moments(rows.clone().map(|(_, _, start, _)| start)),
        Arc::new(cells().map(|(count, _)| count).collect::<Int64Array>()),
        of(|sum| sum.min),
        of(|sum| sum.max),
        schema::doubles(cells().map(|(_, sum)| Some(sum))),
        of(|sum| sum.last),
        schema::moments(aggregates().map(|sum| sum.last_at.as_micros())),
    ];
    schema::batch(&ROLLUP, all)
}

pub(super) fn chunks(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> + Send {
    let end = rows.end;
    rows.step_by(BATCH_ROWS_MAX).map(move |from| from..end.min(from + BATCH_ROWS_MAX))
}

/// Cuts sorted rows where the day changes.
pub(super) fn days(sorted: &[u32], at: impl Fn(u32) -> i64) -> Vec<DayRows> {
    let mut found: Vec<DayRows> = Vec::new();
    for (place, &row) in sorted.iter().enumerate() {
        let day = day(at(row));
        match found.last_mut().filter(|last| last.day == day) {
            Some(last) => last.rows.end = place + 1,
            None => found.push(DayRows { day, rows: place..place + 1 }),
        }
    }
    found
}
