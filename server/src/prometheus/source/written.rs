//! Questions about the labels of series that others write.

use super::{Source, labels::Heads};
use crate::tsdb::rows::SeriesId;
use pingup_promql::Matcher;
use std::collections::BTreeMap;

impl Source {
    /// Written series that fulfil any of `selectors` (without one: all) and may have samples in that time, by number.
    pub(super) fn written(
        &self,
        selectors: &[Vec<Matcher>],
        (first_ms, last_ms): (i64, i64),
    ) -> Vec<SeriesId> {
        let select = |matchers: &[Matcher]| self.written.select(matchers, first_ms, last_ms);
        match selectors {
            [] => select(&[]),
            [one] => select(one),
            several => {
                let mut series: Vec<_> = several.iter().flat_map(|matchers| select(matchers)).collect();
                series.sort_unstable();
                series.dedup();
                series
            }
        }
    }

    /// Shows each label of such series once.
    pub(super) fn written_labels(
        &self,
        selectors: &[Vec<Matcher>],
        times: (i64, i64),
        mut show: impl FnMut(&str, &str),
    ) {
        let series = self.written(selectors, times);
        if !series.is_empty() {
            self.written.each_label(&series, &mut show);
        }
    }

    pub(super) fn count_written(&self, heads: &mut Heads) {
        let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
        for id in self.written(&[], (i64::MIN, i64::MAX)) {
            let Some(labels) = self.written.labels(id) else { continue };
            heads.series += 1;
            match by_name.get_mut(labels.metric_name()) {
                Some(count) => *count += 1,
                None => drop(by_name.insert(labels.metric_name().to_owned(), 1)),
            }
        }
        heads.metrics.extend(by_name);
    }
}
