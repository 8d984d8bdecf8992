//! Points of several parts, each moment of a series once: what was sent again lies in several of them.

use crate::tsdb::{
    TsdbError,
    head::point_batch,
    rows::{PointRow, SeriesId},
    schema::{BATCH_ROWS_MAX, double_at, text_at, time_at},
};
use arrow::array::RecordBatch;
use std::cmp::Ordering;

/// Ordered points, of several of one moment only the one that counts.
pub(in crate::tsdb) struct Once<I> {
    rows: I,
    last: Option<PointRow>,
}

impl<I: Iterator<Item = Result<RecordBatch, TsdbError>>> Once<I> {
    pub(in crate::tsdb) const fn new(rows: I) -> Self {
        Self { rows, last: None }
    }

    fn next_rows(&mut self) -> Result<Option<RecordBatch>, TsdbError> {
        let mut done = Vec::with_capacity(BATCH_ROWS_MAX);
        while done.is_empty() {
            let Some(batch) = self.rows.next().transpose()? else {
                done.extend(self.last.take());
                break;
            };
            for next in (0..batch.num_rows()).filter_map(|row| point_at(&batch, row)) {
                match &mut self.last {
                    Some(last) if last.is_of_same_moment(&next) => {
                        if next.order(last) == Ordering::Less {
                            *last = next;
                        }
                    }
                    last => done.extend(last.replace(next)),
                }
            }
        }
        if done.is_empty() { Ok(None) } else { Ok(Some(point_batch(&done)?)) }
    }
}

impl<I: Iterator<Item = Result<RecordBatch, TsdbError>>> Iterator for Once<I> {
    type Item = Result<RecordBatch, TsdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_rows().transpose()
    }
}

/// The point in a row; `None` for one that this program did not write.
fn point_at(batch: &RecordBatch, row: usize) -> Option<PointRow> {
    Some(PointRow {
        series: SeriesId::from_key(text_at(batch, 0, row))?,
        at_ms: time_at(batch, 1, row).div_euclid(1_000),
        value: double_at(batch, 2, row)?,
    })
}
