//! How much there is, for `status/tsdb`.

use super::Source;
use crate::prometheus::{
    index::{Presence, Stretch},
    names::MetricId,
    written::Counted,
};
use pingup_promql::{Error, METRIC_NAME};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
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
    /// Senders and how many series each wrote first, most first.
    pub senders: Vec<(String, usize)>,
    /// The first and the last moment of which there are samples in memory, milliseconds.
    pub times: Option<(i64, i64)>,
}

impl Source {
    /// How much there is.
    ///
    /// # Errors
    /// As [`Self::label_names`].
    pub fn heads(&self) -> Result<Heads, Error> {
        let (mut series, mut by_metric) = (0, HashMap::<MetricId, usize>::new());
        let mut of_agents: HashMap<Arc<str>, HashSet<Arc<str>>> = HashMap::new();
        let metrics = self.each_meant(&[], (i64::MIN, i64::MAX), |meant, _| {
            for metric in meant.series() {
                *by_metric.entry(metric).or_default() += 1;
                series += 1;
            }
            // What is known of an agent has all other labels too.
            if let Some(labels) = meant.labels().last() {
                for (name, _) in labels.iter() {
                    let Some(value) = labels.shared(name) else { continue };
                    match of_agents.get_mut(name) {
                        Some(values) => drop(values.insert(Arc::clone(value))),
                        None => drop(of_agents.insert(name.into(), HashSet::from([Arc::clone(value)]))),
                    }
                }
            }
        })?;
        let named =
            by_metric.into_iter().filter_map(|(metric, count)| Some((metrics.get(metric)?.name(), count)));
        let Counted { series: written, metrics: of_others, labels, senders } = self.written.counted();
        let mut heads = Heads {
            series: series + written,
            metrics: named.chain(told(of_others)).collect(),
            senders: told(senders).collect(),
            ..Heads::default()
        };
        let mut by_label: BTreeMap<String, usize> = told(labels).collect();
        for (name, values) in of_agents {
            let others = values.iter().filter(|value| !self.written.has(&name, value)).count();
            *by_label.entry(name.as_ref().to_owned()).or_default() += others;
        }
        by_label.insert(METRIC_NAME.to_owned(), heads.metrics.len());
        heads.label_pairs = by_label.values().sum();
        heads.labels = by_label.into_iter().collect();
        for counted in [&mut heads.metrics, &mut heads.labels, &mut heads.senders] {
            counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        }
        let in_memory = self.index.in_memory(&self.view);
        let stretches = in_memory.iter().flat_map(Presence::iter).flat_map(|(_, stretches)| stretches);
        heads.times = stretches.map(Stretch::moments).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        Ok(heads)
    }
}

fn told(counts: Vec<(Arc<str>, usize)>) -> impl Iterator<Item = (String, usize)> {
    counts.into_iter().map(|(name, count)| (name.as_ref().to_owned(), count))
}
