//! What is said beside an answer: warnings (the answer may not be what was meant) and infos (hints).
//!
//! Each is said once, in the order of the alphabet, so that the same query gives the same words. Prometheus adds
//! the place in the query's text; the parser does not tell it, so it is left out here.

use crate::format;
use std::collections::BTreeSet;

/// Different annotations of one kind that are kept. A query over a thousand metrics need not say a thousand
/// times that they are no counters.
pub const ANNOTATIONS_MAX: usize = 10;

/// Warnings and infos of one query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Annotations {
    warnings: BTreeSet<String>,
    infos: BTreeSet<String>,
}

impl Annotations {
    /// Tells which of the quantiles that a query asks for, step by step, are none.
    pub(crate) fn quantiles_out_of_range(&mut self, quantiles: &[f64]) {
        let mut told = None;
        for &quantile in quantiles.iter().filter(|quantile| !(0.0..=1.0).contains(*quantile)) {
            if told != Some(quantile.to_bits()) {
                told = Some(quantile.to_bits());
                let shown = format::value(quantile);
                self.warn(format!("quantile value should be between 0 and 1, got {shown}"));
            }
        }
    }

    pub(crate) fn bad_bucket_bound(&mut self, metric: &str, bound: &str) {
        let of = if metric.is_empty() { String::new() } else { format!(" for metric name {metric:?}") };
        self.warn(format!("bucket label \"le\" is missing or has a malformed value of {bound:?}{of}"));
    }

    pub(crate) fn perhaps_no_counter(&mut self, metric: &str) {
        self.inform(format!(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {metric:?}"
        ));
    }

    pub(crate) fn forced_monotonic(&mut self) {
        self.inform(
            "input to histogram_quantile needed to be fixed for monotonicity (see \
             https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
                .to_owned(),
        );
    }

    pub(crate) fn no_native_histograms(&mut self, function: &str) {
        self.inform(format!("{function} reads native histograms, and there are none here"));
    }

    /// The warnings, then the infos.
    pub(crate) fn into_parts(self) -> (Vec<String>, Vec<String>) {
        (self.warnings.into_iter().collect(), self.infos.into_iter().collect())
    }

    fn warn(&mut self, text: String) {
        keep(&mut self.warnings, format!("PromQL warning: {text}"));
    }

    fn inform(&mut self, text: String) {
        keep(&mut self.infos, format!("PromQL info: {text}"));
    }
}

fn keep(kept: &mut BTreeSet<String>, text: String) {
    if kept.len() < ANNOTATIONS_MAX {
        kept.insert(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_and_not_without_end() {
        let mut said = Annotations::default();
        for round in 0..2 {
            for metric in 0..ANNOTATIONS_MAX * 2 {
                said.perhaps_no_counter(&format!("m{metric}"));
            }
            said.quantiles_out_of_range(&[0.5, 1.5 + f64::from(round), 1.5 + f64::from(round), 1.0]);
        }
        let (warnings, infos) = said.into_parts();
        assert_eq!(infos.len(), ANNOTATIONS_MAX);
        assert_eq!(warnings.len(), 2);
        assert_eq!(warnings[0], "PromQL warning: quantile value should be between 0 and 1, got 1.5");
    }
}
