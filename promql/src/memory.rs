//! A source that keeps its series in memory: for examples, tests, and whoever has few.

use crate::{
    error::Error,
    labels::Labels,
    matcher::accepts_all,
    source::{Intake, Selection, SeriesSource},
};
use std::collections::BTreeMap;

/// Series in memory, in the order of their labels.
#[derive(Clone, Debug, Default)]
pub struct MemorySource {
    series: BTreeMap<Labels, Columns>,
}

#[derive(Clone, Debug, Default)]
struct Columns {
    timestamps: Vec<i64>,
    values: Vec<f64>,
}

impl MemorySource {
    /// Puts a sample at its place in time; one that was there at the same millisecond is replaced.
    pub fn put(&mut self, labels: &Labels, timestamp_ms: i64, value: f64) {
        let columns = self.series.entry(labels.clone()).or_default();
        match columns.timestamps.binary_search(&timestamp_ms) {
            Ok(at) => columns.values[at] = value,
            Err(at) => {
                columns.timestamps.insert(at, timestamp_ms);
                columns.values.insert(at, value);
            }
        }
    }

    /// Every series: labels, timestamps in milliseconds, values.
    pub fn iter(&self) -> impl Iterator<Item = (&Labels, &[i64], &[f64])> {
        self.series
            .iter()
            .map(|(labels, columns)| (labels, columns.timestamps.as_slice(), columns.values.as_slice()))
    }
}

impl SeriesSource for MemorySource {
    fn select(&self, selections: &[Selection], intake: &mut dyn Intake) -> Result<(), Error> {
        for (index, selection) in selections.iter().enumerate() {
            for (labels, timestamps, values) in self.iter() {
                if !accepts_all(&selection.matchers, labels) {
                    continue;
                }
                let from = timestamps.partition_point(|&at| at < selection.first_ms);
                let to = timestamps.partition_point(|&at| at <= selection.last_ms);
                if from < to {
                    intake.series(index, labels, &timestamps[from..to], &values[from..to])?;
                }
            }
        }
        Ok(())
    }
}
