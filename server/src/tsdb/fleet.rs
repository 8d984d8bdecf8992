//! The fleet's rows: what a file of rollups adds up to over all agents, at its end.
//!
//! Whoever asks about all agents reads some hundred rows of a file instead of its millions. They lie in the file
//! that they add up, so nothing can part the two: they come, are merged, are let go and are copied with it. Each
//! file's are made from its own agents' rows while those are written, in one pass and never from another file's.
//!
//! A file whose agents have more than [`FLEET_ROWS_MAX`] buckets together, or [`FLEET_NAMES_MAX`] names, has none, and
//! neither has one that was written before there were any; the catalogue tells by the file's last agent. Those are added up when asked.

use super::{
    TsdbError,
    head::rollup_batch,
    merge::aggregate_at,
    rollup::Aggregate,
    schema::{BATCH_ROWS_MAX, text_at, time_at},
};
use arrow::array::RecordBatch;
use std::{collections::HashMap, vec};

/// Whose rows those of all agents are. No agent can have this id, and it sorts behind all that one can have.
pub const FLEET: &str = "~";

/// The fleet's rows in one file at most, some 100 bytes of memory each until they are written. A month by the
/// hour of a hundred measurements, a day by the minute of fifty.
pub(super) const FLEET_ROWS_MAX: usize = 75_000;
/// Their names at most, some 200 bytes of memory each: whatever a fleet measures, there are not so many.
const FLEET_NAMES_MAX: usize = 8_192;

/// Ordered rollup rows of agents, the fleet's behind them.
pub(super) struct WithFleet<I> {
    agents: I,
    sums: Option<Sums>,
    fleet: vec::IntoIter<FleetRow>,
}

/// Name, start and aggregate.
type FleetRow = (Box<str>, i64, Aggregate);

/// Buckets of one name, in the order of time.
type Buckets = Vec<(i64, Aggregate)>;

/// What all agents add up to so far.
struct Sums {
    places: HashMap<Box<str>, usize>,
    names: Vec<(Box<str>, Buckets)>,
    /// The place of the name that came last: rows of one name come together.
    last: usize,
    rows: usize,
    rows_max: usize,
    names_max: usize,
}

impl<I: Iterator<Item = Result<RecordBatch, TsdbError>>> WithFleet<I> {
    /// Rows of `agents`, none of them the fleet's.
    pub(super) fn new(agents: I) -> Self {
        Self::within(agents, FLEET_ROWS_MAX, FLEET_NAMES_MAX)
    }

    fn within(agents: I, rows_max: usize, names_max: usize) -> Self {
        Self { agents, sums: Some(Sums::new(rows_max, names_max)), fleet: Vec::new().into_iter() }
    }

    fn next_rows(&mut self) -> Result<Option<RecordBatch>, TsdbError> {
        if let Some(batch) = self.agents.next().transpose()? {
            // Beyond its bound nothing is added up any more.
            self.sums.take_if(|sums| !sums.take_in(&batch));
            return Ok(Some(batch));
        }
        if let Some(sums) = self.sums.take() {
            self.fleet = sums.into_rows().into_iter();
        }
        let rows: Vec<_> = self.fleet.by_ref().take(BATCH_ROWS_MAX).collect();
        if rows.is_empty() {
            return Ok(None);
        }
        let cells = rows.iter().map(|(name, start, aggregate)| (FLEET, &**name, *start, aggregate));
        Ok(Some(rollup_batch(cells)?))
    }
}

impl<I: Iterator<Item = Result<RecordBatch, TsdbError>>> Iterator for WithFleet<I> {
    type Item = Result<RecordBatch, TsdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_rows().transpose()
    }
}

impl Sums {
    fn new(rows_max: usize, names_max: usize) -> Self {
        Self { places: HashMap::new(), names: Vec::new(), last: 0, rows: 0, rows_max, names_max }
    }

    /// Whether all of it is within the bound.
    fn take_in(&mut self, batch: &RecordBatch) -> bool {
        for row in 0..batch.num_rows() {
            let Some(aggregate) = aggregate_at(batch, row) else { continue };
            let place = self.place(text_at(batch, 1, row));
            let buckets = &mut self.names[place].1;
            let start = time_at(batch, 2, row);
            match buckets.binary_search_by_key(&start, |(start, _)| *start) {
                Ok(place) => buckets[place].1.add(&aggregate),
                Err(place) => {
                    buckets.insert(place, (start, aggregate));
                    self.rows += 1;
                }
            }
            if self.rows > self.rows_max || self.names.len() > self.names_max {
                return false;
            }
        }
        true
    }

    fn place(&mut self, name: &str) -> usize {
        if self.names.get(self.last).is_some_and(|(last, _)| **last == *name) {
            return self.last;
        }
        self.last = match self.places.get(name) {
            Some(place) => *place,
            None => {
                self.places.insert(name.into(), self.names.len());
                self.names.push((name.into(), Buckets::with_capacity(1)));
                self.names.len() - 1
            }
        };
        self.last
    }

    /// Ordered by name and time.
    fn into_rows(mut self) -> Vec<FleetRow> {
        self.names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let rows = self.names.into_iter().flat_map(|(name, buckets)| {
            buckets.into_iter().map(move |(start, aggregate)| (name.clone(), start, aggregate))
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::testing::NOW;
    use pingup_protocol::ids::AgentId;

    /// Three names of two agents, two buckets each but for one.
    fn batches() -> Vec<Result<RecordBatch, TsdbError>> {
        let of = |agent: &'static str, name: &'static str, value: f64| {
            let aggregate = Aggregate::of(value, NOW);
            (agent, name, if agent == "a" { 0 } else { 60 }, aggregate)
        };
        let rows = [
            of("a", "cpu", 1.0),
            of("a", "ram", 2.0),
            of("b", "", 0.0),
            of("b", "cpu", 3.0),
            of("z", "cpu", 5.0),
        ];
        let batch = |rows: &[(&'static str, &'static str, i64, Aggregate)]| {
            Ok(rollup_batch(rows.iter().map(|(agent, name, start, sum)| (*agent, *name, *start, sum)))?)
        };
        rows.chunks(2).map(batch).collect()
    }

    fn fleet_rows(rows_max: usize) -> Vec<(String, i64, f64, u64)> {
        fleet_rows_within(rows_max, FLEET_NAMES_MAX)
    }

    fn fleet_rows_within(rows_max: usize, names_max: usize) -> Vec<(String, i64, f64, u64)> {
        let mut found = Vec::new();
        for batch in WithFleet::within(batches().into_iter(), rows_max, names_max) {
            let batch = batch.unwrap();
            for row in (0..batch.num_rows()).filter(|row| text_at(&batch, 0, *row) == FLEET) {
                let sum = aggregate_at(&batch, row).unwrap();
                found.push((
                    text_at(&batch, 1, row).to_owned(),
                    time_at(&batch, 2, row),
                    sum.sum.mean(1),
                    sum.count,
                ));
            }
        }
        found
    }

    #[test]
    fn all_agents_are_added_up_behind_them() {
        let row = |name: &str, start, sum, count| (name.to_owned(), start, sum, count);
        let all = [row("", 60, 0.0, 1), row("cpu", 0, 1.0, 1), row("cpu", 60, 8.0, 2), row("ram", 0, 2.0, 1)];
        assert_eq!(fleet_rows(FLEET_ROWS_MAX), all);
        assert_eq!(fleet_rows(all.len()), all);
        let agents: usize = batches().into_iter().map(|batch| batch.unwrap().num_rows()).sum();
        let with =
            WithFleet::new(batches().into_iter()).map(|batch| batch.unwrap().num_rows()).sum::<usize>();
        assert_eq!(with, agents + all.len());
    }

    #[test]
    fn beyond_the_bound_there_are_none() {
        assert_eq!(fleet_rows(3), []);
        assert_eq!(fleet_rows_within(FLEET_ROWS_MAX, 3).len(), 4);
        assert_eq!(fleet_rows_within(FLEET_ROWS_MAX, 2), []);
        let rows = WithFleet::within(batches().into_iter(), 3, 3)
            .map(|batch| batch.unwrap().num_rows())
            .sum::<usize>();
        assert_eq!(rows, 5, "the agents' own stay");
    }

    #[test]
    fn no_agent_is_the_fleet_and_all_come_before_it() {
        assert!(AgentId::parse(FLEET).is_err());
        let last = (' '..='\u{7f}').filter(|letter| AgentId::parse(&letter.to_string()).is_ok()).max();
        assert!(last.unwrap().to_string().as_str() < FLEET);
    }
}
