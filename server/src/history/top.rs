//! The agents that stand out by one measurement within the last hours.

use super::{
    HistoryError, Tiers,
    plan::{OWN_COLUMNS, Of, Order, PlanError, TopPlan},
    sources::Files,
};
use crate::{
    storage::Wanted,
    tsdb::{
        Tier, TsdbError, View,
        lanes::{Leaf, Strip},
        rollup::Aggregate,
    },
};
use pingup_protocol::time::Timestamp;
use serde::Serialize;
use std::{collections::HashMap, ops::Range, sync::Arc};

/// Agents that are compared at most, some 150 bytes each.
pub(super) const TOP_AGENTS_MAX: usize = 200_000;

/// What each agent's samples add up to.
type Agents = HashMap<Box<str>, Aggregate>;

/// An agent that stands out.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopAgent {
    /// Its id.
    pub agent_id: String,
    /// What it was compared by.
    pub value: f64,
    /// Samples that had the measurement.
    pub count: u64,
    /// The newest.
    pub last: f64,
    /// When that was measured.
    pub last_at: Timestamp,
}

/// A comparison that is to be made.
#[derive(Debug)]
pub(super) struct Query {
    view: Arc<View>,
    plan: TopPlan,
    files: Option<Files>,
    agents_max: usize,
}

impl Query {
    /// Finds the files.
    pub(super) fn new(view: Arc<View>, plan: TopPlan) -> Self {
        let files = Files::of(&view, Tier::Raw, None, &(plan.from..plan.to));
        Self { view, plan, files, agents_max: TOP_AGENTS_MAX }
    }

    /// For tests: with another bound.
    #[cfg(test)]
    pub(super) const fn among(mut self, agents_max: usize) -> Self {
        self.agents_max = agents_max;
        self
    }

    /// Makes it.
    pub(super) fn run(self, wanted: &Wanted) -> Result<(Vec<TopAgent>, Tiers), HistoryError> {
        let (mut agents, mut newer, mut tiers) = (Agents::new(), Agents::new(), Tiers::default());
        if self.in_memory(&mut newer) {
            tiers.note(Tier::Raw);
        }
        wanted.give_way();
        if let Some(files) = &self.files {
            tiers.note(Tier::Raw);
            self.on_disk(files, &mut agents, wanted)?;
        }
        // Of two newest at one moment, the one that came later counts.
        newer.iter().for_each(|(agent_id, sum)| self.add(&mut agents, agent_id, sum));
        if agents.len() > self.agents_max {
            let detail = format!("more than {} agents in it; a shorter one expected", self.agents_max);
            return Err(PlanError::new("window", detail).into());
        }
        Ok((first_ones(&self.plan, agents), tiers))
    }

    fn on_disk(&self, files: &Files, agents: &mut Agents, wanted: &Wanted) -> Result<(), HistoryError> {
        for part in files.parts() {
            let mut strip = self.view.strip(part)?;
            let Some(mut field) = Field::of(&strip, &self.plan.field) else { continue };
            for group in 0..strip.groups() {
                wanted.check()?;
                strip.enter(group);
                field.read(&mut strip, files.range(), |agent_id, sum| self.add(agents, agent_id, &sum))?;
            }
        }
        Ok(())
    }

    /// One agent beyond the bound says that there are too many.
    fn add(&self, agents: &mut Agents, agent_id: &str, more: &Aggregate) {
        let has_room = agents.len() <= self.agents_max;
        match agents.get_mut(agent_id) {
            Some(sum) => sum.add(more),
            None if has_room => drop(agents.insert(agent_id.into(), *more)),
            None => {}
        }
    }

    /// Whether there was any.
    fn in_memory(&self, agents: &mut Agents) -> bool {
        let place = OWN_COLUMNS.iter().position(|own| *own == self.plan.field);
        let mut found = false;
        for segment in &self.view.segments {
            segment.each_sample(None, &(self.plan.from..self.plan.to), |sample| {
                let value = match place {
                    Some(place) => sample.own(place),
                    None => sample.get(&self.plan.field),
                };
                let Some(value) = value else { return };
                found = true;
                self.add(agents, sample.agent_id().as_str(), &Aggregate::of(value, sample.timestamp()));
            });
        }
        found
    }
}

/// The measurement in a file.
struct Field<'a> {
    name: &'a str,
    time: Leaf,
    values: Values,
    /// Moments of a row group's rows, and values of one agent's.
    times: Vec<i64>,
    numbers: Vec<f64>,
}

/// Where its values lie.
#[derive(Clone, Copy)]
enum Values {
    Own(Leaf),
    Among(Leaf, Leaf),
}

impl<'a> Field<'a> {
    /// `None` if the file has no such column.
    fn of(strip: &Strip, name: &'a str) -> Option<Self> {
        let values = match OWN_COLUMNS.contains(&name) {
            true => Values::Own(strip.leaf(name)?),
            false => Values::Among(strip.leaf("further.keys")?, strip.leaf("further.values")?),
        };
        let time = strip.leaf("timestamp")?;
        Some(Self { name, time, values, times: Vec::new(), numbers: Vec::new() })
    }

    /// Shows each agent of the row group that is read, and what its samples within `range` add up to.
    fn read(
        &mut self,
        strip: &mut Strip,
        range: &Range<i64>,
        mut show: impl FnMut(&str, Aggregate),
    ) -> Result<(), TsdbError> {
        self.times.clear();
        strip.integers(self.time, 0..strip.rows(), &mut self.times)?;
        let ends: Vec<_> = strip.group_agents()?.map(|(id, end)| (Arc::clone(id), end as usize)).collect();
        let mut first = 0;
        for (agent_id, end) in ends {
            // An agent's rows are in order of time.
            let of_agent = self.times.get(first..end).unwrap_or_default();
            let from = first + of_agent.partition_point(|at| *at < range.start);
            let to = first + of_agent.partition_point(|at| *at < range.end);
            first = end;
            if from < to
                && let Some(sum) = self.sum(strip, from..to)?
            {
                show(&agent_id, sum);
            }
        }
        Ok(())
    }

    /// What the rows that have it add up to.
    fn sum(&mut self, strip: &mut Strip, rows: Range<usize>) -> Result<Option<Aggregate>, TsdbError> {
        let times = &self.times[rows.clone()];
        let mut sum: Option<Aggregate> = None;
        let mut add = |row: usize, value| {
            let of_one = Aggregate::of(value, Timestamp::from_micros(times[row]));
            match &mut sum {
                Some(sum) => sum.add(&of_one),
                none => *none = Some(of_one),
            }
        };
        match self.values {
            Values::Own(leaf) => {
                self.numbers.clear();
                strip.doubles(leaf, rows, &mut self.numbers)?;
                let there = self.numbers.iter().enumerate().filter(|(_, value)| !value.is_nan());
                there.for_each(|(row, value)| add(row, *value));
            }
            Values::Among(keys, values) => strip.maps((keys, values), rows, |row, key, value| {
                if key == self.name.as_bytes() {
                    add(row, value);
                }
            })?,
        }
        Ok(sum)
    }
}

/// The first ones in the order that was asked for; of equal ones, by their ids.
fn first_ones(plan: &TopPlan, agents: Agents) -> Vec<TopAgent> {
    let value = |sum: &Aggregate| match plan.of {
        Of::Avg => sum.avg(),
        Of::Max => sum.max,
        Of::Last => sum.last,
    };
    let mut all: Vec<_> = agents.iter().map(|(id, sum)| (value(sum), id, sum)).collect();
    all.sort_unstable_by(|(a, a_id, _), (b, b_id, _)| {
        let by_value = match plan.order {
            Order::Asc => a.total_cmp(b),
            Order::Desc => b.total_cmp(a),
        };
        by_value.then_with(|| a_id.cmp(b_id))
    });
    let told = all.into_iter().take(plan.limit).map(|(value, id, sum)| TopAgent {
        agent_id: id.to_string(),
        value,
        count: sum.count,
        last: sum.last,
        last_at: sum.last_at,
    });
    told.collect()
}
