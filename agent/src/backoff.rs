//! How long to wait before trying again: exponential, with full jitter, so that a thousand agents which lost
//! their hub together do not come back together. Pure: randomness and the hub's Retry-After are handed in.

use std::time::Duration;

/// The longest Retry-After that is honoured: a hub that says more is asked again after this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Counts failures and says how long to wait.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits up to `first` after one failure, doubling to at most `most`.
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, failures: 0 }
    }

    /// It worked: the next failure is the first one.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed: how long to wait. `random` is from 0 up to 1; the wait is that share of the present
    /// ceiling, after `retry_after` where the hub gave one.
    pub fn after_failure(&mut self, retry_after: Option<Duration>, random: f64) -> Duration {
        let ceiling = self.first.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        let jitter = ceiling.min(self.most).mul_f64(random.clamp(0.0, 1.0));
        retry_after.unwrap_or_default().min(RETRY_AFTER_MAX) + jitter
    }
}

/// A number from 0 up to 1. Without a source of randomness it is one half: the agent still backs off.
pub fn random() -> f64 {
    const BITS: u32 = f64::MANTISSA_DIGITS;
    getrandom::u64().map_or(0.5, |bits| (bits >> (u64::BITS - BITS)) as f64 / (1_u64 << BITS) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_ceiling_doubles_and_stops() {
        let mut backoff = Backoff::new(SECOND, 60 * SECOND);
        let waits: Vec<u64> = (0..9).map(|_| backoff.after_failure(None, 1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        backoff.reset();
        assert_eq!(backoff.after_failure(None, 1.0), SECOND);
    }

    #[test]
    fn jitter_is_full_and_retry_after_comes_on_top() {
        let mut backoff = Backoff::new(SECOND, 60 * SECOND);
        assert_eq!(backoff.after_failure(None, 0.0), Duration::ZERO);
        assert_eq!(backoff.after_failure(Some(10 * SECOND), 0.5), 11 * SECOND);
        assert_eq!(backoff.after_failure(Some(Duration::MAX), 0.0), RETRY_AFTER_MAX);
    }

    #[test]
    fn a_very_long_outage_does_not_overflow() {
        let mut backoff = Backoff::new(SECOND, 60 * SECOND);
        assert!((0..10_000).all(|_| backoff.after_failure(None, 1.0) <= 60 * SECOND));
    }

    #[test]
    fn random_numbers_stay_below_one() {
        assert!((0..1_000).map(|_| random()).all(|number| (0.0..1.0).contains(&number)));
    }
}
