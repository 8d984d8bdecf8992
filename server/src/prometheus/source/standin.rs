//! Where samples were let go, rollups stand in for them: of each minute or hour one sample, at the moment of its last.
//!
//! For a function that asks for an extreme or a sum it is that of the minute or hour, for a mean their mean; for
//! anything else it is the last value, which is a sample as it was measured. What that does to an answer only whoever asked
//! can judge: so it is told.

use super::{
    chosen::StandIn,
    reader::{Column, ReadError},
    rows::Rows,
};
use crate::{
    prometheus::names::Metric,
    tsdb::{
        TsdbError,
        lanes::{Leaf, Strip},
        schema::OWN_COLUMNS,
        total::Total,
    },
};
use std::ops::Range;

/// What is told with an answer that has any of them.
pub(super) const TOLD: &str = "pingup info: some samples of this time were let go; of each minute or hour one stands in \
                               for them (its extreme, sum or mean for a function of that name, else its last)";

/// A part of rollups, and what is asked of it.
#[derive(Debug)]
pub(super) struct StandIns {
    strip: Strip,
    range: Range<i64>,
    name: Leaf,
    last_at: Leaf,
    count: Leaf,
    wanted: Vec<Wanted>,
}

/// What becomes a column.
#[derive(Debug)]
struct Wanted {
    /// The measurement.
    name: Box<str>,
    stand_in: StandIn,
    leaf: Leaf,
    column: usize,
}

impl StandIns {
    /// What of `columns` the part has within `range`, microseconds; `None` if it is nothing.
    pub(super) fn new(strip: Strip, range: Range<i64>, columns: &[Column]) -> Option<Self> {
        let wanted = columns.iter().enumerate().filter_map(|(column, (metric, stand_in))| {
            let name = match metric {
                Metric::Own(place) => OWN_COLUMNS[usize::from(*place)].into(),
                Metric::Further(name) => name.clone(),
                // Words are not rolled up, and scans go with the samples.
                Metric::Up | Metric::Info | Metric::ScanHosts | Metric::ScanSeconds => return None,
            };
            let leaf = match stand_in {
                StandIn::Min => "min",
                StandIn::Max => "max",
                StandIn::Sum | StandIn::Mean => "sum",
                StandIn::Last => "last",
            };
            Some(Wanted { name, stand_in: *stand_in, leaf: strip.leaf(leaf)?, column })
        });
        let wanted: Vec<_> = wanted.collect();
        let (name, last_at, count) = (strip.leaf("name")?, strip.leaf("last_at")?, strip.leaf("count")?);
        (!wanted.is_empty()).then_some(Self { strip, range, name, last_at, count, wanted })
    }

    /// The part that is read.
    pub(super) fn strip(&mut self) -> &mut Strip {
        &mut self.strip
    }

    /// Puts the agent's stand-ins behind `rows`; whether there were any.
    pub(super) fn read(&mut self, agent_id: &str, rows: &mut Rows) -> Result<bool, ReadError> {
        let (before, mut group) = (rows.times.len(), 0);
        while let Some(of_agent) = self.strip.seek(agent_id, group)? {
            group = self.strip.group() + 1;
            let (wanted, mut first) = (&self.wanted, of_agent.start);
            let mut found: Vec<(usize, Range<usize>)> = Vec::new();
            self.strip.words(self.name, of_agent, |name, count| {
                let places = (0..wanted.len()).filter(|place| *wanted[*place].name == *name);
                found.extend(places.map(|place| (place, first..first + count)));
                first += count;
            })?;
            for (place, of_name) in found {
                rows.check_room(of_name.len())?;
                self.put(place, of_name, rows)?;
            }
        }
        Ok(rows.times.len() > before)
    }

    fn put(&mut self, place: usize, of_name: Range<usize>, rows: &mut Rows) -> Result<(), TsdbError> {
        let Wanted { stand_in, leaf, column, .. } = self.wanted[place];
        let (mut times, mut values, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        self.strip.integers(self.last_at, of_name.clone(), &mut times)?;
        self.strip.doubles(leaf, of_name.clone(), &mut values)?;
        if matches!(stand_in, StandIn::Sum | StandIn::Mean) {
            self.strip.integers(self.count, of_name, &mut counts)?;
            for (value, count) in values.iter_mut().zip(&counts) {
                let (count, sum) = Total::from_cells(*count, *value);
                let mean = sum.mean(count);
                *value = match (stand_in, sum) {
                    (StandIn::Mean, _) => mean,
                    (_, Total::Ones(sum)) => sum,
                    (_, Total::Units(_)) => mean * count as f64,
                };
            }
        }
        for (at, value) in times.into_iter().zip(values) {
            if self.range.contains(&at) {
                rows.put(at, column, value);
            }
        }
        Ok(())
    }
}
