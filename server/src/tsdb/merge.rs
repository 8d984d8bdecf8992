//! Parts read as one, in the order of the disk.
//!
//! Each part is ordered, so the next row is always the least of those that are next in a part. Of each part one
//! batch and one page of each column are in memory, both bounded by bytes: what a merge takes depends neither on
//! how much is merged nor on how large a row is.

mod added;
mod once;

pub(super) use added::Added;
pub(crate) use added::aggregate_at;
pub(super) use once::Once;

use super::{
    TsdbError,
    parts::Part,
    schema::{BATCH_ROWS_MAX, SCANS, completed, integer_at, text_at, time_at},
};
use crate::storage::StorageError;
use arrow::{array::RecordBatch, compute::interleave_record_batch};
use parquet::{
    arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    file::metadata::ParquetMetaData,
};
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
    /// Series, time: points.
    Points,
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
            Self::Points => text(0).then_with(|| time(1)),
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
    fn open(part: &Part, order: Order) -> Result<Option<Self>, TsdbError> {
        let file = File::open(part.path()).map_err(StorageError::file("open", part.path()))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let rows = batch_rows(builder.metadata());
        let mut reader = builder.with_batch_size(rows).build()?;
        Ok(next_batch(&mut reader, order)?.map(|batch| Self { reader, batch, row: 0 }))
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

/// The next batch with rows. Of scans it has all columns of today, however old its file is.
fn next_batch(reader: &mut ParquetRecordBatchReader, order: Order) -> Result<Option<RecordBatch>, TsdbError> {
    for batch in reader {
        let batch = batch?;
        if batch.num_rows() > 0 {
            return Ok(Some(if order == SCANS_ORDER { completed(batch, &SCANS)? } else { batch }));
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
        let inputs = parts.iter().filter_map(|part| Input::open(part, order).transpose());
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
                && let Some(next) = next_batch(&mut input.reader, self.order)?
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

#[cfg(test)]
mod tests;
