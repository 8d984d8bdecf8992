//! The head: the newest rows, in memory, as columns. Each is in the journal before it is here.
//!
//! A head is a row of [`Segment`]s, one for each segment of the journal that is not sealed yet. A row is some
//! 60 bytes: names are kept once a segment, streams once an agent. A point is 24. Readers copy what they ask for under a
//! short lock, an agent's rows by way of an index; the writer appends a group under the same lock.

mod batches;
mod columns;
mod hours;
mod order;
mod points;
mod read;
mod told;

pub use batches::Extent;
pub use hours::Hours;
pub use order::{DayRows, RollupRow, Sorted, rollup_batch};
pub use points::{SortedPoints, point_batch};
pub use read::{HeadSample, HeadScanRow};
pub use told::{SCANS, Told};

use super::rows::{Kind, MarkRow, Rows, Sought};
use columns::{Columns, Stream};
use pingup_protocol::time::Timestamp;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Rows at which a segment is full. A group more may lie in it.
pub const SEGMENT_ROWS_MAX: usize = 65_536;
/// Memory at which a segment is full, whatever its rows are: samples may have 68 measurements, scans thousands
/// of hosts.
pub const SEGMENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Rows of one segment of the journal.
#[derive(Debug)]
pub struct Segment {
    number: u64,
    columns: RwLock<Columns>,
}

/// Rows of a segment are far fewer than 2^32: [`SEGMENT_ROWS_MAX`] and a group.
fn place(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Segment {
    /// The empty rows of the journal's segment `number`.
    pub fn new(number: u64) -> Self {
        Self { number, columns: RwLock::new(Columns::with_room()) }
    }

    /// Which segment of the journal it is.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Takes a group's rows in. They must be in the journal.
    pub fn push(&self, rows: &Rows<'_>) {
        let mut columns = self.columns.write().unwrap_or_else(PoisonError::into_inner);
        rows.samples.iter().for_each(|row| columns.sample(row));
        rows.scans.iter().for_each(|row| columns.scan(row));
        rows.marks.iter().for_each(|row| columns.mark(row));
        rows.points.iter().for_each(|points| columns.points(points));
    }

    /// Whether no more groups should go in.
    pub fn is_full(&self) -> bool {
        let columns = self.read();
        columns.at.len() + columns.scans.len() >= SEGMENT_ROWS_MAX || columns.bytes() >= SEGMENT_BYTES_MAX
    }

    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        self.read().bytes()
    }

    /// Whether nothing is in it, not even a mark.
    pub fn is_empty(&self) -> bool {
        let columns = self.read();
        columns.streams.is_empty() && columns.points.is_empty()
    }

    /// Samples in it.
    pub fn samples(&self) -> usize {
        self.read().at.len()
    }

    /// When the first of its samples, of its scans, or of its points was measured: the earliest one.
    pub fn first_at(&self) -> Option<Timestamp> {
        let columns = self.read();
        let firsts = [
            columns.at.first().copied(),
            columns.scans.first().map(|scan| scan.at),
            columns.points.first_at(),
        ];
        firsts.into_iter().flatten().min().map(Timestamp::from_micros)
    }

    /// When the newest of its samples, scans and points was measured.
    pub fn last_at(&self) -> Option<Timestamp> {
        let columns = self.read();
        let scans = columns.scans.iter().map(|scan| scan.at);
        columns
            .at
            .iter()
            .copied()
            .chain(scans)
            .chain(columns.points.last_at())
            .max()
            .map(Timestamp::from_micros)
    }

    /// The newest mark of each stream in it.
    pub fn marks(&self) -> Vec<MarkRow> {
        let columns = self.read();
        let row = |stream: &Stream| {
            let (boot, mark) = (stream.boot?, stream.mark?);
            let agent_id = columns.agents.get(stream.agent as usize)?.id.clone();
            Some(MarkRow { agent_id, boot, mark })
        };
        columns.streams.iter().filter_map(row).collect()
    }

    /// When the row without numbers was measured that is looked for.
    pub fn newest_unnumbered(&self, sought: Sought<'_>) -> Option<Timestamp> {
        let Sought { kind, agent_id, from, to } = sought;
        let columns = self.read();
        let agent = columns.agent(agent_id.as_str())?;
        let stream = agent.streams.iter().find(|(boot, _)| boot.is_none())?.1;
        let (from, to) = (from.as_micros(), to.as_micros());
        let samples =
            agent.samples.iter().map(|&row| (columns.stream[row as usize], columns.at[row as usize]));
        let scans = agent.scans.iter().map(|&row| {
            let scan = &columns.scans[row as usize];
            (scan.stream, scan.at)
        });
        let fits = |(of, at): (u32, i64)| (of == stream && at >= from && at <= to).then_some(at);
        let newest = match kind {
            Kind::Metrics => samples.filter_map(fits).max(),
            Kind::Discovery => scans.filter_map(fits).max(),
        };
        newest.map(Timestamp::from_micros)
    }

    fn read(&self) -> RwLockReadGuard<'_, Columns> {
        self.columns.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
