//! Ordered samples as rollup rows, an agent at a time.

use super::{
    TsdbError,
    head::{RollupRow, rollup_batch},
    roller::Roller,
    schema::{BATCH_ROWS_MAX, OWN_COLUMNS, double_at, map_at, text_at, time_at},
};
use arrow::array::RecordBatch;
use pingup_protocol::{ids::AgentId, time::Timestamp};

/// The first of the columns of their own among those of a sample, and the column of the others.
const OWN: usize = 2;
const FURTHER: usize = 9;

/// What samples, ordered by agent and time, add up to.
pub(super) struct Rolled<I> {
    samples: I,
    roller: Roller,
    agent_id: Option<AgentId>,
    done: Vec<RollupRow>,
    ended: bool,
}

impl<I: Iterator<Item = Result<RecordBatch, TsdbError>>> Rolled<I> {
    /// By the bucket of `step` microseconds.
    pub(super) fn new(samples: I, step: i64) -> Self {
        Self { samples, roller: Roller::new(step), agent_id: None, done: Vec::new(), ended: false }
    }

    fn take_in(&mut self, batch: &RecordBatch) {
        for row in 0..batch.num_rows() {
            let id = text_at(batch, 0, row);
            if self.agent_id.as_ref().is_none_or(|agent_id| agent_id.as_str() != id) {
                self.finish_agent();
                self.agent_id = AgentId::parse(id).ok();
            }
            let own: [_; OWN_COLUMNS.len()] = std::array::from_fn(|place| double_at(batch, OWN + place, row));
            let at = Timestamp::from_micros(time_at(batch, 1, row));
            self.roller.add(at, own, map_at(batch, FURTHER, row));
        }
    }

    fn finish_agent(&mut self) {
        if let Some(agent_id) = self.agent_id.take() {
            self.done.extend(self.roller.finish(&agent_id));
        }
    }

    fn next_rows(&mut self) -> Result<Option<RecordBatch>, TsdbError> {
        while self.done.len() < BATCH_ROWS_MAX && !self.ended {
            match self.samples.next().transpose()? {
                Some(batch) => self.take_in(&batch),
                None => {
                    self.finish_agent();
                    self.ended = true;
                }
            }
        }
        if self.done.is_empty() {
            return Ok(None);
        }
        let rest = self.done.split_off(self.done.len().min(BATCH_ROWS_MAX));
        let rows = std::mem::replace(&mut self.done, rest);
        Ok(Some(rollup_batch(rows.iter().map(RollupRow::cells))?))
    }
}

impl<I: Iterator<Item = Result<RecordBatch, TsdbError>>> Iterator for Rolled<I> {
    type Item = Result<RecordBatch, TsdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_rows().transpose()
    }
}
