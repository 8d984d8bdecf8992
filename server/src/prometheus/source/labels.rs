//! Questions about labels, answered from what is remembered of who measured what when; no sample is read for them.
//!
//! Times are looked at by the hour: who has a sample in an hour that is asked about is told, even if it lies beside the
//! stretch that is asked for. A series that paused within a file's time counts as there.

use super::{Source, chosen::split, failed, info};
use crate::{
    prometheus::{
        agents::Person,
        index::{Presence, Stretch},
        names::{Metadata, Metric, MetricId, Metrics},
    },
    tsdb::{Tier, TsdbError, rollup},
};
use pingup_promql::{Error, Labels, METRIC_NAME, Matcher, accepts_all};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// How much there is, for `status/tsdb`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Series.
    pub series: usize,
    /// Different pairs of a label and its value.
    pub label_pairs: usize,
    /// Metrics and how many series each has, most first.
    pub metrics: Vec<(String, usize)>,
    /// Labels and how many values each has, most first.
    pub labels: Vec<(String, usize)>,
    /// The first and the last moment of which there are samples in memory, milliseconds.
    pub times: Option<(i64, i64)>,
}

/// What of an agent is meant: the metrics of what it measured, and whether what is known of it.
struct Meant {
    person: Arc<Person>,
    metrics: Vec<MetricId>,
    info: bool,
}

/// Selectors by parts: the numbers of the metrics that each means, and what must hold of an agent.
struct Wanted {
    metrics: Vec<bool>,
    agents: Vec<Matcher>,
}

impl Source {
    /// Names of the labels of series that fulfil any of `selectors` (without one: of all) and have samples between the
    /// two moments, milliseconds, themselves included; sorted. Times are looked at by the hour.
    ///
    /// # Errors
    /// The history could not be read, or nobody waits any more.
    pub fn label_names(
        &self,
        selectors: &[Vec<Matcher>],
        first_ms: i64,
        last_ms: i64,
    ) -> Result<Vec<String>, Error> {
        let mut names: BTreeSet<Box<str>> = BTreeSet::new();
        self.each_meant(selectors, (first_ms, last_ms), |meant, _| {
            let mut add = |labels: &Labels| {
                for (name, _) in labels.iter() {
                    if !names.contains(name) {
                        names.insert(name.into());
                    }
                }
            };
            if !meant.metrics.is_empty() {
                add(&meant.person.labels);
            }
            meant.person.info.iter().filter(|_| meant.info).for_each(|(labels, ..)| add(labels));
        })?;
        self.written_labels(selectors, (first_ms, last_ms), |name, _| {
            if !names.contains(name) {
                names.insert(name.into());
            }
        });
        if !names.is_empty() {
            names.insert(METRIC_NAME.into());
        }
        Ok(names.into_iter().map(String::from).collect())
    }

    /// Values of the label `name` of such series; sorted.
    ///
    /// # Errors
    /// As [`Self::label_names`].
    pub fn label_values(
        &self,
        name: &str,
        selectors: &[Vec<Matcher>],
        first_ms: i64,
        last_ms: i64,
    ) -> Result<Vec<String>, Error> {
        let mut values: Vec<String> = Vec::new();
        if name == METRIC_NAME {
            let mut found = BTreeSet::new();
            let metrics = self.each_meant(selectors, (first_ms, last_ms), |meant, _| {
                found.extend(meant.metrics.iter().copied().chain(meant.info.then_some(Metrics::INFO)));
            })?;
            values.extend(found.into_iter().filter_map(|metric| Some(metrics.get(metric)?.name())));
        } else {
            self.each_meant(selectors, (first_ms, last_ms), |meant, _| {
                let of_measured = (!meant.metrics.is_empty()).then_some(&meant.person.labels);
                let of_info = meant.person.info.iter().filter(|_| meant.info).map(|(labels, ..)| labels);
                let found = of_measured.into_iter().chain(of_info).map(|labels| labels.get(name));
                values.extend(found.filter(|value| !value.is_empty()).map(str::to_owned));
            })?;
        }
        self.written_labels(selectors, (first_ms, last_ms), |of, value| {
            if of == name {
                values.push(value.to_owned());
            }
        });
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    /// Labels of such series, sorted; if there are more than `limit`, those of the first agents by id, then those of
    /// written series.
    ///
    /// # Errors
    /// As [`Self::label_names`].
    pub fn series(
        &self,
        selectors: &[Vec<Matcher>],
        first_ms: i64,
        last_ms: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, Error> {
        let mut series = Vec::new();
        self.each_meant(selectors, (first_ms, last_ms), |meant, metrics| {
            let room = limit - series.len();
            series.extend(meant.series(metrics).take(room));
        })?;
        let written = self.written(selectors, (first_ms, last_ms));
        let room = limit - series.len();
        series.extend(written.into_iter().filter_map(|id| self.written.labels(id)).take(room));
        series.sort_unstable();
        Ok(series)
    }

    /// Every metric that is known, by name, with its type, help and unit.
    ///
    /// # Errors
    /// As [`Self::label_names`].
    pub fn metadata(&self) -> Result<Vec<Metadata>, Error> {
        // Their names are met while they are looked at.
        self.index.in_memory(&self.view);
        self.presences(i64::MIN, i64::MAX).map_err(|error| failed(&error))?;
        let mut metadata: Vec<_> = self.index.metrics().iter().map(|metric| metric.metadata()).collect();
        metadata.extend(self.written.metadata());
        metadata.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(metadata)
    }

    /// How much there is.
    ///
    /// # Errors
    /// As [`Self::label_names`].
    pub fn heads(&self) -> Result<Heads, Error> {
        let (mut series, mut by_metric) = (0, HashMap::<MetricId, usize>::new());
        let mut by_label: BTreeMap<Box<str>, BTreeSet<Box<str>>> = BTreeMap::new();
        let metrics = self.each_meant(&[], (i64::MIN, i64::MAX), |meant, _| {
            for metric in meant.metrics.iter().copied().chain(meant.info.then_some(Metrics::INFO)) {
                *by_metric.entry(metric).or_default() += 1;
                series += 1;
            }
            let labels = meant.person.info.as_ref().filter(|_| meant.info).map(|(labels, ..)| labels);
            for (name, value) in labels.unwrap_or(&meant.person.labels).iter() {
                by_label.entry(name.into()).or_default().insert(value.into());
            }
        })?;
        let named =
            by_metric.into_iter().filter_map(|(metric, count)| Some((metrics.get(metric)?.name(), count)));
        let mut heads = Heads { series, metrics: named.collect(), ..Heads::default() };
        self.count_written(&mut heads);
        self.written_labels(&[], (i64::MIN, i64::MAX), |name, value| {
            if name != METRIC_NAME {
                by_label.entry(name.into()).or_default().insert(value.into());
            }
        });
        heads.labels = by_label.iter().map(|(name, values)| (name.to_string(), values.len())).collect();
        heads.labels.push((METRIC_NAME.to_owned(), heads.metrics.len()));
        heads.label_pairs = heads.labels.iter().map(|(_, values)| values).sum();
        for counted in [&mut heads.metrics, &mut heads.labels] {
            counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        }
        let in_memory = self.index.in_memory(&self.view);
        let stretches = in_memory.iter().flat_map(Presence::iter).flat_map(|(_, stretches)| stretches);
        heads.times = stretches.map(Stretch::moments).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        Ok(heads)
    }

    /// Shows every agent of which a series is meant that has samples in that time, agents in the order of their ids; says
    /// which metric has which number.
    fn each_meant(
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

    fn series(&self, metrics: &Metrics) -> impl Iterator<Item = Labels> {
        let name = |metric: MetricId| metrics.get(metric).map(|metric| metric.name());
        let measured = self.metrics.iter().filter_map(move |metric| name(*metric));
        let measured = measured.map(|name| self.person.labels.with(METRIC_NAME, &name));
        let info = self.person.info.iter().filter(|_| self.info);
        measured.chain(info.map(|(labels, ..)| labels.with(METRIC_NAME, &Metric::Info.name())))
    }
}
