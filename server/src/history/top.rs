//! The agents that stand out by one measurement within the last hours.

use super::{
    HistoryError, Tiers,
    plan::{OWN_COLUMNS, Of, Order, PlanError, TopPlan},
    sources::Files,
};
use crate::{
    storage::Wanted,
    tsdb::{
        Tier, View, pick,
        rollup::Aggregate,
        schema::{double_at, map_at, text_at, time_at},
    },
};
use arrow::array::RecordBatch;
use pingup_protocol::time::Timestamp;
use serde::Serialize;
use std::{collections::HashMap, sync::Arc};

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
        let (mut agents, mut tiers) = (Agents::new(), Tiers::default());
        if let Some(files) = &self.files {
            tiers.note(Tier::Raw);
            self.on_disk(files, &mut agents, wanted)?;
        }
        if self.in_memory(&mut agents) {
            tiers.note(Tier::Raw);
        }
        if agents.len() > self.agents_max {
            let detail = format!("more than {} agents in it; a shorter one expected", self.agents_max);
            return Err(PlanError::new("window", detail).into());
        }
        Ok((first_ones(&self.plan, agents), tiers))
    }

    fn on_disk(&self, files: &Files, agents: &mut Agents, wanted: &Wanted) -> Result<(), HistoryError> {
        let field = self.plan.field.as_str();
        let column = if OWN_COLUMNS.contains(&field) { field } else { "further" };
        for part in files.parts() {
            let mut run = Run::default();
            for batch in pick::rows_of_all(part, files.range(), &["agent_id", "timestamp", column])? {
                wanted.check()?;
                run.take(&batch?, field, |agent_id, sum| self.add(agents, agent_id, &sum));
            }
            run.end(|agent_id, sum| self.add(agents, agent_id, &sum));
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

/// The rows of one agent that lie together in a file, added up.
#[derive(Default)]
struct Run {
    agent_id: String,
    sum: Option<Aggregate>,
}

impl Run {
    /// Goes on with a batch of agents' ids, moments and values; shows each agent that ends in it.
    fn take(&mut self, batch: &RecordBatch, field: &str, mut show: impl FnMut(&str, Aggregate)) {
        let is_own = OWN_COLUMNS.contains(&field);
        // The columns lie in the file's order, in which ids and moments come first.
        for row in 0..batch.num_rows() {
            let value = match is_own {
                true => double_at(batch, 2, row),
                false => map_at(batch, 2, row).find(|(name, _)| *name == field).map(|(_, value)| value),
            };
            let Some(value) = value else { continue };
            let agent_id = text_at(batch, 0, row);
            if agent_id != self.agent_id {
                self.end(&mut show);
                agent_id.clone_into(&mut self.agent_id);
            }
            let of_one = Aggregate::of(value, Timestamp::from_micros(time_at(batch, 1, row)));
            match &mut self.sum {
                Some(sum) => sum.add(&of_one),
                none => *none = Some(of_one),
            }
        }
    }

    /// Shows the agent it is at, if there is one.
    fn end(&mut self, mut show: impl FnMut(&str, Aggregate)) {
        if let Some(sum) = self.sum.take() {
            show(&self.agent_id, sum);
        }
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
