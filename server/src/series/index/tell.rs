//! What series are called, told without copies: texts are shared with whoever asks.

use super::{Entry, Index, Pair};
use crate::{
    series::{Counts, labels::METRIC_NAME},
    tsdb::rows::SeriesId,
};
use foldhash::HashMap;
use pingup_promql as promql;
use std::{cmp::Ordering, sync::Arc};

impl Index {
    /// What a series is called.
    pub(in crate::series) fn labels(&self, id: SeriesId) -> Option<promql::Labels> {
        let pairs = self.entry(id)?.pairs.iter();
        let text = |number: u32| Arc::clone(self.texts.text(number));
        Some(promql::Labels::new(pairs.map(|(name, value)| (text(*name), text(*value)))))
    }

    /// Names and values of a series, and who wrote it first; for the records.
    pub(in crate::series) fn told(&self, entry: &Entry) -> (&str, Vec<&str>) {
        let text = |number: u32| &**self.texts.text(number);
        let labels = entry.pairs.iter().flat_map(|(name, value)| [text(*name), text(*value)]);
        (self.senders.text(entry.sender), labels.collect())
    }

    /// Names of labels that any of these series has, each once.
    pub(in crate::series) fn names(&self, series: &[SeriesId]) -> Vec<Arc<str>> {
        self.each_once(series, |pair| Some(pair.0))
    }

    /// Values of a label that any of these series has, each once.
    pub(in crate::series) fn values(&self, series: &[SeriesId], name: &str) -> Vec<Arc<str>> {
        let Some(name) = self.texts.get(name) else { return Vec::new() };
        self.each_once(series, |pair| (pair.0 == name).then_some(pair.1))
    }

    fn each_once(&self, series: &[SeriesId], text: impl Fn(&Pair) -> Option<u32>) -> Vec<Arc<str>> {
        let mut seen = vec![false; self.texts.len()];
        let mut found = Vec::new();
        for entry in series.iter().filter_map(|id| self.entry(*id)) {
            for number in entry.pairs.iter().filter_map(&text) {
                if !std::mem::replace(&mut seen[number as usize], true) {
                    found.push(Arc::clone(self.texts.text(number)));
                }
            }
        }
        found
    }

    /// Whether any series has this label with this value.
    pub(in crate::series) fn has(&self, name: &str, value: &str) -> bool {
        let pair = self.texts.get(name).zip(self.texts.get(value));
        pair.is_some_and(|pair| !self.lists.of(pair).is_empty())
    }

    /// How two series stand by their labels; one that was forgotten stands before all others.
    pub(in crate::series) fn compare(&self, a: SeriesId, b: SeriesId) -> Ordering {
        let pairs = |id: SeriesId| self.entry(id).map(|entry| &*entry.pairs);
        let (Some(of_a), Some(of_b)) = (pairs(a), pairs(b)) else {
            return (self.entry(a).is_some(), a).cmp(&(self.entry(b).is_some(), b));
        };
        let differ = of_a.iter().zip(of_b).find(|(a, b)| a != b);
        let Some((a, b)) = differ else { return of_a.len().cmp(&of_b.len()) };
        let texts = |pair: &Pair| (self.texts.text(pair.0), self.texts.text(pair.1));
        texts(a).cmp(&texts(b))
    }

    /// How many series there are, by what people count.
    pub(in crate::series) fn counts(&self) -> Counts {
        let named = self.texts.get(METRIC_NAME);
        let (mut metrics, mut labels) = (Vec::new(), HashMap::<u32, usize>::default());
        for ((name, value), series) in self.lists.counts() {
            if Some(name) == named {
                metrics.push((Arc::clone(self.texts.text(value)), series));
            }
            *labels.entry(name).or_default() += 1;
        }
        let labels = labels.into_iter().map(|(name, values)| (Arc::clone(self.texts.text(name)), values));
        let senders = (0..).zip(&self.of_sender).filter(|(_, count)| **count > 0);
        let senders = senders.map(|(number, count)| (Arc::clone(self.senders.text(number)), *count));
        Counts { series: self.entries.len(), metrics, labels: labels.collect(), senders: senders.collect() }
    }
}
