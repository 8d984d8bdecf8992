//! Adds samples up by the bucket, one agent after the other. Pure.

use super::{
    head::RollupRow,
    rollup::{Aggregate, bucket},
    schema::{OWN_COLUMNS, SAMPLES},
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::collections::BTreeMap;

/// The measurement that counts samples, and those with columns of their own.
const FIXED: [&str; 5] = [SAMPLES, OWN_COLUMNS[0], OWN_COLUMNS[1], OWN_COLUMNS[2], OWN_COLUMNS[3]];

/// Buckets of one measurement, in the order of time.
type Buckets = Vec<(i64, Aggregate)>;

/// What one agent's samples, which come in the order of time, add up to so far.
#[derive(Debug)]
pub(super) struct Roller {
    step: i64,
    fixed: [Buckets; FIXED.len()],
    further: BTreeMap<Box<str>, Buckets>,
    rows: usize,
}

impl Roller {
    /// Buckets of `step` microseconds; nothing in them yet.
    pub(super) fn new(step: i64) -> Self {
        Self { step, fixed: Default::default(), further: BTreeMap::new(), rows: 0 }
    }

    /// Takes in a sample.
    pub(super) fn add<'a>(
        &mut self,
        at: Timestamp,
        own: [Option<f64>; OWN_COLUMNS.len()],
        further: impl Iterator<Item = (&'a str, f64)>,
    ) {
        let start = bucket(at.as_micros(), self.step);
        let [samples, fixed @ ..] = &mut self.fixed;
        self.rows += add(samples, start, &Aggregate::of(0.0, at));
        for (buckets, value) in fixed.iter_mut().zip(own) {
            if let Some(value) = value {
                self.rows += add(buckets, start, &Aggregate::of(value, at));
            }
        }
        for (name, value) in further {
            if !self.further.contains_key(name) {
                self.further.insert(name.into(), Buckets::new());
            }
            if let Some(buckets) = self.further.get_mut(name) {
                self.rows += add(buckets, start, &Aggregate::of(value, at));
            }
        }
    }

    /// Rows that it holds.
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// Gives the agent's rows, ordered by name and time, and begins with the next one.
    pub(super) fn finish(&mut self, agent_id: &AgentId) -> Vec<RollupRow> {
        self.rows = 0;
        let fixed = FIXED
            .iter()
            .zip(&mut self.fixed)
            .map(|(name, buckets)| ((*name).into(), std::mem::take(buckets)));
        let mut all: Vec<(Box<str>, Buckets)> = fixed.chain(std::mem::take(&mut self.further)).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let rows = all.into_iter().flat_map(|(name, buckets)| {
            buckets.into_iter().map(move |(start, aggregate)| RollupRow {
                agent_id: agent_id.clone(),
                name: name.clone(),
                start,
                aggregate,
            })
        });
        rows.collect()
    }
}

/// A bucket that was left and comes again has another row: rows of one bucket add up. Returns the rows it made.
fn add(buckets: &mut Buckets, start: i64, of_one: &Aggregate) -> usize {
    match buckets.last_mut() {
        Some((last, aggregate)) if *last == start => {
            aggregate.add(of_one);
            0
        }
        _ => {
            buckets.push((start, *of_one));
            1
        }
    }
}
