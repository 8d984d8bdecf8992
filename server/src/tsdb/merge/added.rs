//! Rollup rows of one bucket, added up as they come.

use crate::tsdb::{
    TsdbError,
    head::{RollupRow, rollup_batch},
    rollup::Aggregate,
    schema::{double_at, integer_at, text_at, time_at},
    total::Total,
};
use arrow::array::RecordBatch;
use pingup_protocol::{ids::AgentId, time::Timestamp};

/// Ordered rollup rows of agents with those of one bucket added up.
pub(in crate::tsdb) struct Added<I> {
    rows: I,
    last: Option<RollupRow>,
    ended: bool,
}

impl<I: Iterator<Item = Result<RecordBatch, TsdbError>>> Added<I> {
    pub(in crate::tsdb) const fn new(rows: I) -> Self {
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
