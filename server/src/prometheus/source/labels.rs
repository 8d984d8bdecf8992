//! Questions about labels, answered from what is remembered of who measured what when; no sample is read for them.
//!
//! Times are looked at by the hour: who has a sample in an hour that is asked about is told, even if it lies beside the
//! stretch that is asked for. A series that paused within a file's time counts as there.
//!
//! Texts are shared with whoever keeps them, and none is copied before it is written: long labels of many series take
//! their own room once.

use super::{Source, failed, found::Found};
use crate::prometheus::names::Metadata;
use pingup_promql::{Error, METRIC_NAME, Matcher};
use std::{collections::BTreeSet, sync::Arc};

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
    ) -> Result<Vec<Arc<str>>, Error> {
        let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
        self.each_meant(selectors, (first_ms, last_ms), |meant, _| {
            for (name, _) in meant.labels().flat_map(|labels| labels.iter()) {
                if !names.contains(name) {
                    names.insert(name.into());
                }
            }
        })?;
        names.extend(self.written.names(&self.written(selectors, (first_ms, last_ms))));
        if !names.is_empty() {
            names.insert(METRIC_NAME.into());
        }
        Ok(names.into_iter().collect())
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
    ) -> Result<Vec<Arc<str>>, Error> {
        let mut values: Vec<Arc<str>> = Vec::new();
        if name == METRIC_NAME {
            let mut found = BTreeSet::new();
            let metrics =
                self.each_meant(selectors, (first_ms, last_ms), |meant, _| found.extend(meant.series()))?;
            values.extend(found.into_iter().filter_map(|metric| Some(metrics.get(metric)?.name().into())));
        } else {
            self.each_meant(selectors, (first_ms, last_ms), |meant, _| {
                values.extend(meant.labels().filter_map(|labels| labels.shared(name)).cloned());
            })?;
        }
        values.extend(self.written.values(&self.written(selectors, (first_ms, last_ms)), name));
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    /// Such series; if there are more than `limit`, those of the first agents by id, then of
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
    ) -> Result<Found<'_>, Error> {
        let mut of_agents = Vec::new();
        let metrics = self.each_meant(selectors, (first_ms, last_ms), |meant, _| {
            let room = limit - of_agents.len();
            of_agents.extend(meant.series().take(room).map(|metric| (Arc::clone(&meant.person), metric)));
        })?;
        let mut written = self.written(selectors, (first_ms, last_ms));
        written.truncate(limit - of_agents.len());
        Ok(Found::new(&*self.written, &metrics, of_agents, written))
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
}
