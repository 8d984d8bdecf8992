//! At each step the newest sample that is not too old.

use super::{frame::ABSENT, grid::References};
use crate::{
    options::Edition,
    source::{Thinned, is_stale},
};

/// How old the newest sample may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookback<'a> {
    pub(super) lookback_ms: i64,
    pub(super) edition: Edition,
    /// Where it may be older.
    pub(super) thinned: &'a [Thinned],
}

impl Lookback<'_> {
    /// The newest sample at each step, or its moment in seconds. A stale marker hides those before.
    pub(super) fn newest(
        self,
        references: &References,
        timestamps: &[i64],
        values: &[f64],
        moments: bool,
    ) -> Vec<f64> {
        let mut out = vec![ABSENT; references.count];
        let steps = if references.held() { 1 } else { references.count };
        let mut seen = 0;
        for (at, slot) in out.iter_mut().take(steps).enumerate() {
            let reference = references.at(at);
            while seen < timestamps.len() && timestamps[seen] <= reference {
                seen += 1;
            }
            let Some(last) = seen.checked_sub(1) else { continue };
            if self.reaches(timestamps[last], reference) && !is_stale(values[last]) {
                *slot = if moments { timestamps[last] as f64 / 1000.0 } else { values[last] };
            }
        }
        if references.held() {
            let first = out.first().copied().unwrap_or(ABSENT);
            out.fill(first);
        }
        out
    }

    fn reaches(self, sample_ms: i64, moment_ms: i64) -> bool {
        let age = moment_ms - sample_ms;
        age < self.lookback_ms
            || (age == self.lookback_ms && self.edition == Edition::Prometheus2)
            || self.thinned.iter().any(|thinned| thinned.holds(sample_ms, moment_ms))
    }
}
