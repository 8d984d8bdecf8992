//! What a segment's samples add up to, in the order of the disk, a bounded run at a time.
//!
//! An agent may name other measurements in every sample, and all of them at once would take more than the segment
//! itself. So its samples are gone through once for each run of its names; there is one run of all usual agents.

use super::{HeadSample, RollupRow, Sorted, rollup_batch};
use crate::tsdb::{
    roller::Roller,
    schema::{BATCH_ROWS_MAX, OWN_COLUMNS},
};
use arrow::{array::RecordBatch, error::ArrowError};
use std::{ops::Range, sync::Arc};

/// Rows that are held at most, beside a sample's and those of the measurements with columns of their own, as
/// [`Roller::rows`] counts them: some two megabytes. A month by the hour of 20 measurements.
const RUN_ROWS_MAX: usize = 16_384;

/// Rollup rows of samples, ordered by agent, name and time.
#[derive(Debug)]
pub struct Hours {
    sorted: Arc<Sorted>,
    /// Row numbers, ordered by agent and time.
    rows: Vec<u32>,
    /// Where those of the agent begin whose turn it is.
    next: usize,
    roller: Roller,
    done: Vec<RollupRow>,
}

impl Sorted {
    /// What the samples of `days`, which are in order, add up to by the bucket of `step` microseconds.
    pub fn rollup(self: &Arc<Self>, days: &[Range<usize>], step: i64) -> Hours {
        self.rollup_within(days, step, RUN_ROWS_MAX)
    }

    pub(super) fn rollup_within(
        self: &Arc<Self>,
        days: &[Range<usize>],
        step: i64,
        rows_max: usize,
    ) -> Hours {
        let mut rows: Vec<u32> = days.iter().flat_map(|day| &self.samples[day.clone()]).copied().collect();
        let columns = self.segment.read();
        // An agent's days stay in their order.
        rows.sort_by_key(|&row| {
            let stream = columns.stream[row as usize];
            self.ranks[columns.streams[stream as usize].agent as usize]
        });
        drop(columns);
        let (sorted, roller) = (Arc::clone(self), Roller::in_rounds(step, rows_max));
        Hours { sorted, rows, next: 0, roller, done: Vec::new() }
    }
}

impl Hours {
    /// The next run of an agent's names.
    fn take_run(&mut self) {
        let columns = self.sorted.segment.read();
        let agent = |row: u32| columns.streams[columns.stream[row as usize] as usize].agent;
        let left = &self.rows[self.next..];
        let Some(whose) = left.first().map(|&row| agent(row)) else { return };
        let rows = &left[..left.partition_point(|&row| agent(row) == whose)];
        for sample in rows.iter().map(|&row| HeadSample::new(&columns, row)) {
            let own: [_; OWN_COLUMNS.len()] = std::array::from_fn(|place| sample.own(place));
            self.roller.add(sample.timestamp(), own, sample.further());
        }
        self.done.extend(self.roller.finish(&columns.agents[whose as usize].id));
        if !self.roller.goes_on() {
            self.next += rows.len();
        }
    }
}

impl Iterator for Hours {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.done.len() < BATCH_ROWS_MAX && self.next < self.rows.len() {
            self.take_run();
        }
        if self.done.is_empty() {
            return None;
        }
        let rest = self.done.split_off(self.done.len().min(BATCH_ROWS_MAX));
        let rows = std::mem::replace(&mut self.done, rest);
        Some(rollup_batch(rows.iter().map(RollupRow::cells)))
    }
}
