//! Adds samples up by the bucket, one agent after the other. Pure.
//!
//! An agent may name other measurements in every sample. Where its samples can be gone through again, only as many
//! names are held at a time as its bound allows, in the order of names: the least first, the others in later rounds.

use super::{
    head::RollupRow,
    rollup::{Aggregate, bucket},
    schema::{OWN_COLUMNS, SAMPLES},
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::collections::BTreeMap;

/// The measurement that counts samples, and those with columns of their own.
const FIXED: [&str; 5] = [SAMPLES, OWN_COLUMNS[0], OWN_COLUMNS[1], OWN_COLUMNS[2], OWN_COLUMNS[3]];

/// What a name beside the fixed ones takes, in rows: its text, its place, and the room for its buckets.
const NAME_ROWS: usize = 3;

/// Buckets of one measurement, in the order of time.
type Buckets = Vec<(i64, Aggregate)>;

/// What one agent's samples, which come in the order of time, add up to so far; of a round's names only.
#[derive(Debug)]
pub(super) struct Roller {
    step: i64,
    fixed: [Buckets; FIXED.len()],
    further: BTreeMap<Box<str>, Buckets>,
    /// See [`Roller::rows`].
    rows: usize,
    rows_max: usize,
    /// The round's first name, and the first that is left to the next round.
    from: Box<str>,
    until: Option<Box<str>>,
}

impl Roller {
    /// Buckets of `step` microseconds; nothing in them yet. All names in one round: whoever adds looks at
    /// [`Roller::rows`].
    pub(super) fn new(step: i64) -> Self {
        Self::in_rounds(step, usize::MAX)
    }

    /// Buckets of `step` microseconds; in one round as many names as make `rows_max` rows, but one at least. There
    /// are a sample's rows more for a moment, and the fixed names' always.
    pub(super) fn in_rounds(step: i64, rows_max: usize) -> Self {
        let (fixed, further) = (Default::default(), BTreeMap::new());
        Self { step, fixed, further, rows: 0, rows_max, from: "".into(), until: None }
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
            if !self.has_in_round(name) {
                continue;
            }
            if !self.further.contains_key(name) {
                // Room for one: most of many names have no second bucket.
                self.further.insert(name.into(), Buckets::with_capacity(1));
                self.rows += NAME_ROWS;
            }
            if let Some(buckets) = self.further.get_mut(name) {
                self.rows += add(buckets, start, &Aggregate::of(value, at));
            }
        }
        self.leave_to_next_round();
    }

    fn has_in_round(&self, name: &str) -> bool {
        *self.from <= *name && self.until.as_deref().is_none_or(|until| name < until)
    }

    fn leave_to_next_round(&mut self) {
        while self.rows > self.rows_max && self.further.len() > 1 {
            let Some((name, buckets)) = self.further.pop_last() else { return };
            self.rows -= buckets.len() + NAME_ROWS;
            self.until = Some(name);
        }
    }

    /// Rows that it holds; each further name counts as [`NAME_ROWS`] more.
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// Gives the round's rows, ordered by name and time, and begins the next round, or with the next agent
    /// ([`Roller::goes_on`]).
    pub(super) fn finish(&mut self, agent_id: &AgentId) -> Vec<RollupRow> {
        self.rows = 0;
        let fixed = std::mem::take(&mut self.fixed);
        let fixed = FIXED.into_iter().zip(fixed).filter(|(name, _)| self.has_in_round(name));
        let fixed = fixed.map(|(name, buckets)| (name.into(), buckets)).collect::<Vec<_>>().into_iter();
        self.from = self.until.take().unwrap_or_default();
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

    /// Whether the same agent's samples are to be added once more, for the names that were left.
    pub(super) fn goes_on(&self) -> bool {
        !self.from.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::testing::{NOW, agent_id};

    const SAMPLES_ADDED: usize = 40;
    const NAMES: usize = 5;

    /// A sample of names that no other has, around those of the fixed, and of one that all have.
    fn add_all(roller: &mut Roller) {
        for (sample, second) in (0..SAMPLES_ADDED).zip(0..) {
            let mut further = vec![("net".to_owned(), 1.0)];
            further.extend((1..NAMES).map(|n| (format!("{}{sample}-{n}", ["a", "d", "z"][n % 3]), 2.0)));
            let further = further.iter().map(|(name, value)| (name.as_str(), *value));
            roller.add(NOW.plus_seconds(second), [Some(3.0), None, Some(4.0), None], further);
        }
    }

    #[test]
    fn many_names_come_in_rounds_each_within_the_bound_and_in_order() {
        let agent = agent_id("a");
        let rows_of = |rows_max| {
            let mut roller = Roller::in_rounds(1_000_000, rows_max);
            let (mut all, mut rounds) = (Vec::new(), 0);
            loop {
                add_all(&mut roller);
                let least = 3 * SAMPLES_ADDED + SAMPLES_ADDED + NAME_ROWS;
                assert!(roller.rows() <= rows_max.max(least), "of {rows_max}");
                all.extend(roller.finish(&agent));
                rounds += 1;
                if !roller.goes_on() {
                    return (all, rounds);
                }
            }
        };
        let (all, rounds) = rows_of(usize::MAX);
        assert_eq!((all.len(), rounds), ((3 + NAMES) * SAMPLES_ADDED, 1));
        assert!(all.is_sorted_by_key(|row| (row.name.clone(), row.start)));
        let (few, few_rounds) = rows_of(300);
        assert!(few_rounds > 2, "{few_rounds} rounds");
        assert_eq!(few, all);
        let names = 1 + (NAMES - 1) * SAMPLES_ADDED;
        assert_eq!(rows_of(1), (all, names), "a name at least in every round");
    }

    #[test]
    fn the_next_agent_begins_anew() {
        let mut roller = Roller::in_rounds(1_000_000, 1);
        add_all(&mut roller);
        roller.finish(&agent_id("a"));
        while roller.goes_on() {
            add_all(&mut roller);
            roller.finish(&agent_id("a"));
        }
        roller.add(NOW, [None; OWN_COLUMNS.len()], [("a", 1.0)].into_iter());
        let rows = roller.finish(&agent_id("b"));
        assert_eq!(rows.iter().map(|row| &*row.name).collect::<Vec<_>>(), [SAMPLES, "a"]);
    }
}
