//! Classic histograms: series that count what is no more than the bound in their label `le`.

use super::{
    Evaluator, Grid,
    buckets::{Bucket, fraction, quantile},
    frame::{ABSENT, Track, present, solid},
};
use crate::{
    error::Error,
    labels::{BUCKET_BOUND, Labels},
    plan::{Histogram, HistogramAsks},
};
use std::collections::HashMap;

/// The buckets of one histogram: bounds, and whose counts.
struct Buckets {
    labels: Labels,
    series: Vec<(f64, usize)>,
}

impl Evaluator<'_> {
    /// A function of buckets, at each step of those that are there.
    pub(super) fn histogram(&mut self, histogram: &Histogram, grid: Grid) -> Result<Vec<Track>, Error> {
        let first = match &histogram.asks {
            HistogramAsks::Quantile(node) | HistogramAsks::Fraction(node, _) => self.scalar(node, grid)?,
        };
        let second = match &histogram.asks {
            HistogramAsks::Quantile(_) => Vec::new(),
            HistogramAsks::Fraction(_, node) => self.scalar(node, grid)?,
        };
        let tracks = self.vector(&histogram.of, grid)?;
        if second.is_empty() {
            self.notes.quantiles_out_of_range(&first);
        }
        let mut any_forced = false;
        let mut out = Vec::new();
        let mut there = Vec::new();
        for buckets in self.buckets(&tracks) {
            self.meter.points(grid.count)?;
            let mut values = vec![ABSENT; grid.count];
            for (at, slot) in values.iter_mut().enumerate() {
                there.clear();
                let counts = buckets.series.iter().map(|&(bound, track)| (bound, tracks[track].values[at]));
                there.extend(
                    counts.filter(|&(_, count)| present(count)).map(|(bound, count)| Bucket { bound, count }),
                );
                if there.is_empty() {
                    continue;
                }
                *slot = solid(match second.get(at) {
                    Some(&upper) => fraction(first[at], upper, &mut there),
                    None => {
                        let (value, forced) = quantile(first[at], &mut there);
                        any_forced |= forced;
                        value
                    }
                });
            }
            out.push(Track { labels: buckets.labels, values });
        }
        if any_forced {
            self.notes.forced_monotonic();
        }
        out.retain(Track::has_values);
        self.unified(out)
    }

    /// The histograms that series make up, their buckets in order of the bounds.
    fn buckets(&mut self, tracks: &[Track]) -> Vec<Buckets> {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut all: Vec<Buckets> = Vec::new();
        for (at, track) in tracks.iter().enumerate() {
            let written = track.labels.get(BUCKET_BOUND);
            let Some(bound) = bound(written) else {
                self.notes.bad_bucket_bound(track.labels.metric_name(), written);
                continue;
            };
            // Histograms of two metrics are two, though both results are called the same.
            let key = track.labels.with(BUCKET_BOUND, "");
            let place = *places.entry(key.clone()).or_insert_with(|| {
                all.push(Buckets { labels: key.without_name(), series: Vec::new() });
                all.len() - 1
            });
            all[place].series.push((bound, at));
        }
        for buckets in &mut all {
            buckets.series.sort_by(|a, b| super::quantile::nan_first(a.0, b.0));
        }
        all
    }
}

/// A bound as it is written in a label.
fn bound(written: &str) -> Option<f64> {
    match written {
        "" => None,
        "+Inf" | "Inf" => Some(f64::INFINITY),
        _ => written.parse().ok(),
    }
}
