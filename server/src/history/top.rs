//! The agents that stand out by one measurement within the last hours.

use super::{
    HistoryError, Tiers,
    plan::{OWN_COLUMNS, Of, Order, PlanError, TopPlan},
    read::{Means, Reader},
    sources::{
        self, Files,
        raw::{aggregate_of, each_aggregate},
    },
};
use crate::tsdb::{Tier, View, rollup::Aggregate};
use duckdb::Connection;
use pingup_protocol::time::Timestamp;
use serde::Serialize;
use std::{collections::HashMap, sync::Arc};

/// Agents that are compared at most, some 150 bytes each.
pub(super) const TOP_AGENTS_MAX: usize = 200_000;

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

    /// What it takes to make it.
    pub(super) const fn means(&self) -> Means {
        if self.files.is_some() { Means::Engine } else { Means::Straight }
    }

    /// Makes it.
    pub(super) fn run(self, reader: Reader<'_>) -> Result<(Vec<TopAgent>, Tiers), HistoryError> {
        let (mut agents, mut tiers) = (HashMap::new(), Tiers::default());
        if let Some(files) = &self.files {
            tiers.note(Tier::Raw);
            self.on_disk(reader.engine()?, files, &mut agents)?;
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

    fn on_disk(
        &self,
        connection: &Connection,
        files: &Files,
        agents: &mut HashMap<Box<str>, Aggregate>,
    ) -> Result<(), HistoryError> {
        let field = &self.plan.field;
        let value = match OWN_COLUMNS.contains(&field.as_str()) {
            true => field.clone(),
            false => format!("further['{field}']"),
        };
        let sql = format!(
            "SELECT agent_id, {} FROM (SELECT agent_id, timestamp, {value} AS value FROM {}{})
             WHERE value IS NOT NULL GROUP BY agent_id LIMIT {}",
            aggregate_of("value", "timestamp"),
            files.table(),
            files.condition("timestamp"),
            self.agents_max + 1
        );
        sources::each_batch(connection, &sql, |batch| {
            let ids = sources::texts(batch, 0)?;
            each_aggregate(batch, 1, |row, aggregate| {
                agents.insert(ids.value(row).into(), aggregate);
            })?;
            Ok(true)
        })
    }

    /// Whether there was any.
    fn in_memory(&self, agents: &mut HashMap<Box<str>, Aggregate>) -> bool {
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
                let of_one = Aggregate::of(value, sample.timestamp());
                let agent_id = sample.agent_id().as_str();
                // One beyond the bound says that there are too many.
                let has_room = agents.len() <= self.agents_max;
                match agents.get_mut(agent_id) {
                    Some(sum) => sum.add(&of_one),
                    None if has_room => drop(agents.insert(agent_id.into(), of_one)),
                    None => {}
                }
            });
        }
        found
    }
}

/// The first ones in the order that was asked for; of equal ones, by their ids.
fn first_ones(plan: &TopPlan, agents: HashMap<Box<str>, Aggregate>) -> Vec<TopAgent> {
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
