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

/// Rows of one agent that are held at most, as [`Roller::rows`] counts them: more than a day by the minute makes of 68
/// measurements. Beyond it, for an agent may name other measurements in every sample, its rows go on in another part.
const AGENT_ROWS_MAX: usize = 131_072;

/// What samples, ordered by agent and time, add up to; ordered as a part is. It ends with the samples, or before,
/// where [`Rolled::go_on`] continues it with another part's rows.
pub(super) struct Rolled<I> {
    samples: I,
    /// What is left of a batch, from a row on.
    rest: Option<(RecordBatch, usize)>,
    rows_max: usize,
    is_full: bool,
    roller: Roller,
    agent_id: Option<AgentId>,
    done: Vec<RollupRow>,
    ended: bool,
}

impl<I: Iterator<Item = Result<RecordBatch, TsdbError>>> Rolled<I> {
    /// By the bucket of `step` microseconds.
    pub(super) fn new(samples: I, step: i64) -> Self {
        Self::within(samples, step, AGENT_ROWS_MAX)
    }

    fn within(samples: I, step: i64, rows_max: usize) -> Self {
        Self {
            samples,
            rest: None,
            rows_max,
            is_full: false,
            roller: Roller::new(step),
            agent_id: None,
            done: Vec::new(),
            ended: false,
        }
    }

    /// Goes on with the rows of another part; `false` if there are none.
    pub(super) const fn go_on(&mut self) -> bool {
        self.is_full = false;
        !self.ended
    }

    fn take_in(&mut self, batch: RecordBatch, from: usize) {
        for row in from..batch.num_rows() {
            let id = text_at(&batch, 0, row);
            if self.agent_id.as_ref().is_none_or(|agent_id| agent_id.as_str() != id) {
                self.finish_agent();
                self.agent_id = AgentId::parse(id).ok();
            }
            let own: [_; OWN_COLUMNS.len()] =
                std::array::from_fn(|place| double_at(&batch, OWN + place, row));
            let at = Timestamp::from_micros(time_at(&batch, 1, row));
            self.roller.add(at, own, map_at(&batch, FURTHER, row));
            if self.roller.rows() >= self.rows_max {
                self.finish_agent();
                self.is_full = true;
                self.rest = Some((batch, row + 1));
                return;
            }
        }
    }

    fn finish_agent(&mut self) {
        if let Some(agent_id) = self.agent_id.take() {
            self.done.extend(self.roller.finish(&agent_id));
        }
    }

    fn next_rows(&mut self) -> Result<Option<RecordBatch>, TsdbError> {
        while self.done.len() < BATCH_ROWS_MAX && !self.ended && !self.is_full {
            let next = match self.rest.take() {
                Some(rest) => Some(rest),
                None => self.samples.next().transpose()?.map(|batch| (batch, 0)),
            };
            match next {
                Some((batch, from)) => self.take_in(batch, from),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::{
        record::OwnedRows,
        rollup::MINUTE,
        testing::{Bench, NOW, sample},
    };

    /// Rows of one bucket add up, so it does not matter into how many parts they were cut; each is ordered.
    #[test]
    fn an_agent_beyond_the_bound_goes_on_in_another_part() {
        let mut bench = Bench::new();
        let samples = ["a", "b"].into_iter().flat_map(|agent| {
            (1..=100)
                .map(move |seq| sample(agent, (1, seq), NOW.plus_seconds(seq.cast_signed() * 30 - 4_000)))
        });
        bench.append(&OwnedRows { samples: samples.collect(), ..OwnedRows::default() }).unwrap();
        bench.seal_all();
        let parts = bench.tsdb.view().parts.to_vec();
        let raw: Vec<_> =
            parts.into_iter().filter(|part| part.row().tier == crate::tsdb::Tier::Raw).collect();
        let counted = |rows_max| {
            let samples = crate::tsdb::merge::Merged::open(&raw, crate::tsdb::merge::RAW_ORDER).unwrap();
            let mut rolled = Rolled::within(samples, MINUTE, rows_max);
            let (mut parts, mut samples) = (0, 0);
            loop {
                let mut last = (String::new(), String::new(), i64::MIN);
                for batch in rolled.by_ref() {
                    let batch = batch.unwrap();
                    for row in 0..batch.num_rows() {
                        let text = |column| text_at(&batch, column, row).to_owned();
                        let key = (text(0), text(1), time_at(&batch, 2, row));
                        assert!(last < key, "{last:?} before {key:?}");
                        if key.1.is_empty() {
                            samples += crate::tsdb::schema::integer_at(&batch, 3, row).unwrap();
                        }
                        last = key;
                    }
                }
                parts += 1;
                if !rolled.go_on() {
                    return (parts, samples);
                }
            }
        };
        assert_eq!(counted(AGENT_ROWS_MAX), (1, 200));
        let (parts, samples) = counted(20);
        assert!(parts > 2, "{parts} parts");
        assert_eq!(samples, 200);
    }
}
