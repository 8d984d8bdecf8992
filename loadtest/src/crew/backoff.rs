//! The wait after a failure, as the real agent has it: a ceiling that doubles, and any moment below it (full jitter),
//! after the time that the hub asked for. Pure: what looks random follows from a seed.

use crate::measured::mix;
use std::time::Duration;

/// The longest wait that a hub can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// Counts failures, and says how long to wait.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
    random: u64,
}

impl Backoff {
    /// Waits up to `first` after one failure, doubling to at most `most`.
    pub(super) const fn new(first: Duration, most: Duration, seed: u64) -> Self {
        Self { first, most, failures: 0, random: seed }
    }

    /// It worked: the next failure is the first one.
    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed: how long to wait, after what the hub asked for.
    pub(super) fn after_failure(&mut self, retry_after: Option<Duration>) -> Duration {
        let ceiling = self.first.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        self.random = mix(self.random);
        let jitter = below(ceiling.min(self.most), self.random);
        retry_after.unwrap_or_default().min(RETRY_AFTER_MAX) + jitter
    }
}

/// A time below `span`, which follows from `random`.
pub(super) fn below(span: Duration, random: u64) -> Duration {
    let nanos = (span.as_nanos() * u128::from(random)) >> u64::BITS;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_ceiling_doubles_and_stops_and_the_wait_is_any_below_it() {
        for seed in 0..1_000 {
            let mut backoff = Backoff::new(SECOND, 60 * SECOND, seed);
            for ceiling in [1, 2, 4, 8, 16, 32, 60, 60] {
                assert!(backoff.after_failure(None) < ceiling * SECOND);
            }
            let asked = backoff.after_failure(Some(100_000 * SECOND));
            assert!((RETRY_AFTER_MAX..RETRY_AFTER_MAX + 60 * SECOND).contains(&asked));
            backoff.reset();
            assert!(backoff.after_failure(None) < SECOND);
        }
    }

    #[test]
    fn waits_are_spread_over_the_whole_span() {
        let waits: Vec<_> = (0..1_000).map(|random| below(SECOND, mix(random)).as_millis()).collect();
        for tenth in 0..10 {
            let share = waits.iter().filter(|wait| **wait / 100 == tenth).count();
            assert!((60..=140).contains(&share), "{share} waits in tenth {tenth}");
        }
        assert!(below(SECOND, u64::MAX) < SECOND && below(SECOND, 0).is_zero());
    }
}
