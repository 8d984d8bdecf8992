//! Series that were found: who and what, some bytes each. What one is called is made when its turn comes, so that a
//! hundred thousand take no more than their texts do anyway.

use crate::{
    prometheus::{
        Written,
        agents::Person,
        names::{MetricId, Metrics},
    },
    tsdb::rows::SeriesId,
};
use pingup_promql::{Labels, METRIC_NAME};
use std::{collections::HashMap, iter::Peekable, sync::Arc, vec};

/// Series that were found, in no order yet: whether there are too many is told before anything is sorted.
pub struct Found<'a> {
    written: &'a dyn Written,
    names: HashMap<MetricId, Arc<str>>,
    of_agents: Vec<(Arc<Person>, MetricId)>,
    of_others: Vec<SeriesId>,
}

/// Series in the order of their labels.
pub struct InOrder<'a> {
    agents: Peekable<OfAgents>,
    written: Peekable<OfWritten<'a>>,
}

/// Series of agents: by metric, then by agent.
struct OfAgents {
    series: vec::IntoIter<(Arc<Person>, MetricId)>,
    names: HashMap<MetricId, Arc<str>>,
}

/// Series that others write.
struct OfWritten<'a> {
    series: vec::IntoIter<SeriesId>,
    written: &'a dyn Written,
}

impl<'a> Found<'a> {
    /// Of agents, and of others by number.
    pub(super) fn new(
        written: &'a dyn Written,
        metrics: &Metrics,
        of_agents: Vec<(Arc<Person>, MetricId)>,
        of_others: Vec<SeriesId>,
    ) -> Self {
        let mut names: HashMap<MetricId, Arc<str>> = HashMap::new();
        for (_, metric) in &of_agents {
            if !names.contains_key(metric)
                && let Some(known) = metrics.get(*metric)
            {
                names.insert(*metric, known.name().into());
            }
        }
        Self { written, names, of_agents, of_others }
    }

    /// How many were found.
    pub const fn how_many(&self) -> usize {
        self.of_agents.len() + self.of_others.len()
    }

    /// They, by their labels; one that is deleted before its turn is not told.
    pub fn in_order(self) -> InOrder<'a> {
        let Self { written, names, mut of_agents, mut of_others } = self;
        // No label of an agent stands before the metric's name.
        of_agents.sort_by(|a, b| {
            names.get(&a.1).cmp(&names.get(&b.1)).then_with(|| labels(&a.0, a.1).cmp(labels(&b.0, b.1)))
        });
        written.sort(&mut of_others);
        InOrder {
            agents: OfAgents { series: of_agents.into_iter(), names }.peekable(),
            written: OfWritten { series: of_others.into_iter(), written }.peekable(),
        }
    }
}

impl Iterator for InOrder<'_> {
    type Item = Labels;

    fn next(&mut self) -> Option<Labels> {
        match (self.agents.peek(), self.written.peek()) {
            (Some(agent), Some(other)) if other < agent => self.written.next(),
            (Some(_), _) => self.agents.next(),
            (None, _) => self.written.next(),
        }
    }
}

impl Iterator for OfAgents {
    type Item = Labels;

    fn next(&mut self) -> Option<Labels> {
        self.series.find_map(|(person, metric)| {
            let name = self.names.get(&metric)?;
            Some(labels(&person, metric).with(METRIC_NAME, name))
        })
    }
}

impl Iterator for OfWritten<'_> {
    type Item = Labels;

    fn next(&mut self) -> Option<Labels> {
        self.series.find_map(|series| self.written.labels(series))
    }
}

/// What a series of an agent is called, but for its metric's name.
fn labels(person: &Person, metric: MetricId) -> &Labels {
    match &person.info {
        Some((labels, ..)) if metric == Metrics::INFO => labels,
        _ => &person.labels,
    }
}
