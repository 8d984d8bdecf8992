//! Which agents' series a question about labels means, in the time that it asks about.

use super::{Source, chosen::split, failed, info};
use crate::{
    prometheus::{
        agents::Person,
        index::{Presence, Stretch},
        names::{Metric, MetricId, Metrics},
    },
    tsdb::{Tier, TsdbError, rollup},
};
use pingup_promql::{Error, Labels, Matcher, accepts_all};
use std::sync::Arc;

/// What of an agent is meant: the metrics of what it measured, and whether what is known of it.
pub(super) struct Meant {
    pub(super) person: Arc<Person>,
    pub(super) metrics: Vec<MetricId>,
    pub(super) info: bool,
}

/// Selectors by parts: the numbers of the metrics that each means, and what must hold of an agent.
struct Wanted {
    metrics: Vec<bool>,
    agents: Vec<Matcher>,
}

impl Source {
    /// Shows every agent of which a series is meant that has samples in that time, agents in the order of their ids; says
    /// which metric has which number.
    pub(super) fn each_meant(
        &self,
        selectors: &[Vec<Matcher>],
        (first_ms, last_ms): (i64, i64),
        mut show: impl FnMut(&Meant, &Metrics),
    ) -> Result<Metrics, Error> {
        let in_memory = self.index.in_memory(&self.view);
        let presences = self.presences(first_ms, last_ms).map_err(|error| failed(&error))?;
        let metrics = self.index.metrics();
        let wanted: Vec<_> = match selectors {
            [] => vec![Wanted::new(&[], &metrics)],
            selectors => selectors.iter().map(|selector| Wanted::new(selector, &metrics)).collect(),
        };
        // Files tell in the order of ids, so that sorting is little more than merging.
        let all = presences.iter().map(|presence| &**presence).chain(&in_memory);
        let mut told: Vec<(&str, &[Stretch])> =
            all.flat_map(Presence::iter).map(|(agent, stretches)| (&**agent, stretches)).collect();
        told.sort_by_key(|(agent, _)| *agent);
        let mut told = &told[..];
        let mut known = self.people.iter().peekable();
        let until = last_ms.min(self.now_ms);
        while let Some(agent) = least(known.peek().map(|person| &*person.id), told.first().map(|of| of.0)) {
            let (of_agent, rest) =
                told.split_at(told.iter().take_while(|(other, _)| *other == agent).count());
            told = rest;
            let there = of_agent.iter().flat_map(|(_, stretches)| *stretches);
            let there = there.filter(|stretch| stretch.meets(first_ms, last_ms));
            let mut of_agent: Vec<_> = there.map(|stretch| stretch.metric).collect();
            of_agent.sort_unstable();
            of_agent.dedup();
            let person = match known.next_if(|person| *person.id == *agent) {
                Some(person) => Arc::clone(person),
                None => self.people.get(agent),
            };
            let is_known = info::meets(&person, first_ms, until);
            let meant = Meant::new(person, of_agent, is_known, &wanted);
            if meant.info || !meant.metrics.is_empty() {
                show(&meant, &metrics);
            }
        }
        Ok(metrics)
    }

    /// Who measured what when, as the files tell that reach into that time: rollups by the hour know of all samples that
    /// were ever written, and scans of themselves.
    pub(super) fn presences(&self, first_ms: i64, last_ms: i64) -> Result<Vec<Arc<Presence>>, TsdbError> {
        self.wanted.give_way();
        let (first, last) = (first_ms.saturating_mul(1_000), last_ms.saturating_mul(1_000));
        let tells = |tier: Tier| matches!(tier, Tier::Hour | Tier::Scans);
        let parts = self.view.parts.iter().filter(|part| {
            let (from, to) = part.row().times;
            tells(part.row().tier) && from <= last && to.saturating_add(rollup::HOUR) >= first
        });
        parts.map(|part| self.index.presence(&self.view, part, &self.wanted)).collect()
    }
}

/// The lesser of two ids, if there is any.
fn least<'a>(a: Option<&'a str>, b: Option<&'a str>) -> Option<&'a str> {
    a.into_iter().chain(b).min()
}

impl Wanted {
    fn new(matchers: &[Matcher], metrics: &Metrics) -> Self {
        let (named, agents) = split(matchers);
        let fits = |metric: Metric| {
            let name = metric.name();
            named.iter().all(|matcher| matcher.accepts(&name))
        };
        Self { metrics: metrics.iter().map(fits).collect(), agents }
    }

    fn has(&self, metric: MetricId) -> bool {
        self.metrics.get(metric as usize).copied().unwrap_or_default()
    }
}

impl Meant {
    fn new(person: Arc<Person>, mut metrics: Vec<MetricId>, known: bool, wanted: &[Wanted]) -> Self {
        let by: Vec<_> = wanted.iter().filter(|wanted| accepts_all(&wanted.agents, &person.labels)).collect();
        metrics.retain(|metric| by.iter().any(|wanted| wanted.has(*metric)));
        let fits = |labels: &Labels| {
            wanted.iter().any(|wanted| wanted.has(Metrics::INFO) && accepts_all(&wanted.agents, labels))
        };
        let info = known && person.info.as_ref().is_some_and(|(labels, ..)| fits(labels));
        Self { person, metrics, info }
    }

    /// The metrics of its series.
    pub(super) fn series(&self) -> impl Iterator<Item = MetricId> {
        self.metrics.iter().copied().chain(self.info.then_some(Metrics::INFO))
    }

    /// What its series are called, but for their metrics' names.
    pub(super) fn labels(&self) -> impl Iterator<Item = &Labels> {
        let measured = (!self.metrics.is_empty()).then_some(&self.person.labels);
        let info = self.person.info.as_ref().filter(|_| self.info).map(|(labels, ..)| labels);
        measured.into_iter().chain(info)
    }
}
