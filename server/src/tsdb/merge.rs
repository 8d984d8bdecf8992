//! Parts read as one, in the order of the disk.
//!
//! Each part is ordered, so the next row is always the least of those that are next in a part. Of each part one
//! batch and one page of each column are in memory, both bounded by bytes: what a merge takes depends neither on
//! how much is merged nor on how large a row is.

use super::{
    TsdbError,
    head::{RollupRow, rollup_batch},
    parts::Part,
    rollup::Aggregate,
    schema::{BATCH_ROWS_MAX, double_at, integer_at, text_at, time_at},
    total::Total,
};
use crate::storage::StorageError;
use arrow::{array::RecordBatch, compute::interleave_record_batch};
use parquet::{
    arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    file::metadata::ParquetMetaData,
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{cmp::Ordering, fs::File, sync::Arc};

/// What rows are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Agent, time, boot, seq: samples and scans, given the columns of the last two.
    Rows {
        /// The column of the boot; the seq's is the next.
        boot: usize,
    },
    /// Agent, name, time: rollups.
    Rollups,
}

/// The order of samples.
pub(super) const RAW_ORDER: Order = Order::Rows { boot: 7 };
/// The order of scans.
pub(super) const SCANS_ORDER: Order = Order::Rows { boot: 3 };

impl Order {
    fn compare(self, a: (&RecordBatch, usize), b: (&RecordBatch, usize)) -> Ordering {
        let text = |column| text_at(a.0, column, a.1).cmp(text_at(b.0, column, b.1));
        let time = |column| time_at(a.0, column, a.1).cmp(&time_at(b.0, column, b.1));
        let integer = |column| integer_at(a.0, column, a.1).cmp(&integer_at(b.0, column, b.1));
        match self {
            Self::Rows { boot } => {
                text(0).then_with(|| time(1)).then_with(|| integer(boot)).then_with(|| integer(boot + 1))
            }
            Self::Rollups => text(0).then_with(|| text(1)).then_with(|| time(2)),
        }
    }
}

/// What a batch of one part takes at most, as far as its rows are alike.
const BATCH_BYTES: u64 = 256 * 1024;

struct Input {
    reader: ParquetRecordBatchReader,
    batch: RecordBatch,
    row: usize,
}

impl Input {
    fn open(part: &Part) -> Result<Option<Self>, TsdbError> {
        let file = File::open(part.path()).map_err(StorageError::file("open", part.path()))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let rows = batch_rows(builder.metadata());
        let mut reader = builder.with_batch_size(rows).build()?;
        Ok(next_batch(&mut reader)?.map(|batch| Self { reader, batch, row: 0 }))
    }

    fn at(&self) -> (&RecordBatch, usize) {
        (&self.batch, self.row)
    }
}

/// Rows that make a batch, by the row group whose rows are largest.
fn batch_rows(metadata: &ParquetMetaData) -> usize {
    let row_bytes = metadata.row_groups().iter().map(|group| {
        let columns = group.columns().iter();
        let bytes: i64 = columns.map(|column| column.uncompressed_size()).sum();
        bytes.unsigned_abs() / group.num_rows().unsigned_abs().max(1)
    });
    let rows = BATCH_BYTES / row_bytes.max().unwrap_or(0).max(1);
    usize::try_from(rows).unwrap_or(BATCH_ROWS_MAX).clamp(1, BATCH_ROWS_MAX)
}

fn next_batch(reader: &mut ParquetRecordBatchReader) -> Result<Option<RecordBatch>, TsdbError> {
    for batch in reader {
        let batch = batch?;
        if batch.num_rows() > 0 {
            return Ok(Some(batch));
        }
    }
    Ok(None)
}

/// The rows of several parts, ordered.
pub(super) struct Merged {
    order: Order,
    inputs: Vec<Input>,
}

impl Merged {
    pub(super) fn open(parts: &[Arc<Part>], order: Order) -> Result<Self, TsdbError> {
        let inputs = parts.iter().filter_map(|part| Input::open(part).transpose());
        Ok(Self { order, inputs: inputs.collect::<Result<_, _>>()? })
    }

    /// The next rows, until there are enough or one part needs its next batch.
    fn next_rows(&mut self) -> Result<Option<RecordBatch>, TsdbError> {
        let mut picked = Vec::with_capacity(BATCH_ROWS_MAX);
        while picked.len() < BATCH_ROWS_MAX {
            let Some((least, second)) = self.least() else { break };
            if !self.take_run(least, second, &mut picked) {
                break;
            }
        }
        if picked.is_empty() {
            return Ok(None);
        }
        let batches: Vec<_> = self.inputs.iter().map(|input| &input.batch).collect();
        let rows = interleave_record_batch(&batches, &picked)?;
        self.refill()?;
        Ok(Some(rows))
    }

    /// The parts with the least and the second least next row.
    fn least(&self) -> Option<(usize, Option<usize>)> {
        let less = |a: usize, b: usize| {
            self.order.compare(self.inputs[a].at(), self.inputs[b].at()) == Ordering::Less
        };
        let (mut least, mut second) = (0, None);
        self.inputs.first()?;
        for place in 1..self.inputs.len() {
            if less(place, least) {
                (least, second) = (place, Some(least));
            } else if second.is_none_or(|second| less(place, second)) {
                second = Some(place);
            }
        }
        Some((least, second))
    }

    /// Takes rows of one part for as long as they come before the next row of the other; whether its batch has
    /// more.
    fn take_run(&mut self, least: usize, second: Option<usize>, picked: &mut Vec<(usize, usize)>) -> bool {
        let (rows, mut row) = (self.inputs[least].batch.num_rows(), self.inputs[least].row);
        loop {
            picked.push((least, row));
            row += 1;
            if row == rows || picked.len() == BATCH_ROWS_MAX {
                break;
            }
            let goes_on = second.is_none_or(|second| {
                self.order.compare((&self.inputs[least].batch, row), self.inputs[second].at())
                    != Ordering::Greater
            });
            if !goes_on {
                break;
            }
        }
        self.inputs[least].row = row;
        row < rows
    }

    /// Reads on in parts whose batch is used up; leaves out those that are at their end.
    fn refill(&mut self) -> Result<(), TsdbError> {
        for input in &mut self.inputs {
            if input.row == input.batch.num_rows()
                && let Some(next) = next_batch(&mut input.reader)?
            {
                (input.batch, input.row) = (next, 0);
            }
        }
        self.inputs.retain(|input| input.row < input.batch.num_rows());
        Ok(())
    }
}

impl Iterator for Merged {
    type Item = Result<RecordBatch, TsdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_rows().transpose()
    }
}

/// Ordered rollup rows of agents with those of one bucket added up.
pub(super) struct Added<I> {
    rows: I,
    last: Option<RollupRow>,
    ended: bool,
}

impl<I: Iterator<Item = Result<RecordBatch, TsdbError>>> Added<I> {
    pub(super) const fn new(rows: I) -> Self {
        Self { rows, last: None, ended: false }
    }

    fn next_rows(&mut self) -> Result<Option<RecordBatch>, TsdbError> {
        let mut done = Vec::new();
        while done.is_empty() && !self.ended {
            let Some(batch) = self.rows.next().transpose()? else {
                self.ended = true;
                done.extend(self.last.take());
                break;
            };
            for row in 0..batch.num_rows() {
                let Some(next) = rollup_row(&batch, row) else { continue };
                match &mut self.last {
                    Some(last)
                        if (&last.agent_id, &last.name, last.start)
                            == (&next.agent_id, &next.name, next.start) =>
                    {
                        last.aggregate.add(&next.aggregate);
                    }
                    last => done.extend(last.replace(next)),
                }
            }
        }
        if done.is_empty() { Ok(None) } else { Ok(Some(rollup_batch(done.iter().map(RollupRow::cells))?)) }
    }
}

impl<I: Iterator<Item = Result<RecordBatch, TsdbError>>> Iterator for Added<I> {
    type Item = Result<RecordBatch, TsdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_rows().transpose()
    }
}

/// An agent's row of a rollup; `None` for one of the fleet's, which are made anew, and for one that this program
/// did not write.
fn rollup_row(batch: &RecordBatch, row: usize) -> Option<RollupRow> {
    Some(RollupRow {
        agent_id: AgentId::parse(text_at(batch, 0, row)).ok()?,
        name: text_at(batch, 1, row).into(),
        start: time_at(batch, 2, row),
        aggregate: aggregate_at(batch, row)?,
    })
}

/// The aggregate in a row of a rollup.
pub(crate) fn aggregate_at(batch: &RecordBatch, row: usize) -> Option<Aggregate> {
    let (count, sum) = Total::from_cells(integer_at(batch, 3, row)?, double_at(batch, 6, row)?);
    Some(Aggregate {
        count,
        min: double_at(batch, 4, row)?,
        max: double_at(batch, 5, row)?,
        sum,
        last: double_at(batch, 7, row)?,
        last_at: Timestamp::from_micros(time_at(batch, 8, row)),
    })
}

#[cfg(test)]
mod tests;
