//! How fast: at most so many attempts a second, however many answer at once.
//!
//! Each attempt takes the next free moment of a grid (a leaky bucket kept as one moment, GCRA). What was late may be
//! made up for within [`CATCH_UP`], so that timers, which wake by the millisecond, do not slow the rate.

use std::{num::NonZeroU32, time::Duration};
use tokio::time::Instant;

/// Attempts a second, unless told otherwise: a /24 with every port of every address in three seconds.
pub const RATE: NonZeroU32 = NonZeroU32::new(2_000).unwrap();
/// The most that may be set.
pub const RATE_MAX: u32 = 100_000;
/// How far back free moments may still be taken: as much as two dozens of attempts at [`RATE`] come at once.
const CATCH_UP: Duration = Duration::from_millis(12);

/// Hands out moments.
#[derive(Debug)]
pub(super) struct Pace {
    gap: Duration,
    next: Instant,
}

impl Pace {
    /// `rate` attempts a second from `now` on.
    pub(super) fn new(rate: NonZeroU32, now: Instant) -> Self {
        Self { gap: Duration::from_secs(1) / rate.get(), next: now }
    }

    /// When the next attempt may be made; not after `now`: at once.
    pub(super) fn slot(&mut self, now: Instant) -> Instant {
        let slot = self.next.max(now.checked_sub(CATCH_UP).unwrap_or(now));
        self.next = slot + self.gap;
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of `count` attempts is made that are asked for at once, by a timer that wakes each millisecond.
    fn made(rate: u32, count: u32) -> Vec<Duration> {
        let began = Instant::now();
        let mut pace = Pace::new(NonZeroU32::new(rate).unwrap(), began);
        let mut now = began;
        let mut moments = Vec::new();
        for _ in 0..count {
            let slot = pace.slot(now);
            while now < slot {
                now += Duration::from_millis(1);
            }
            moments.push(now - began);
        }
        moments
    }

    #[test]
    fn no_second_has_more_than_its_share_and_none_is_wasted() {
        for rate in [1, 10, 2_000, RATE_MAX] {
            let moments = made(rate, 3 * rate.min(20_000));
            let most = rate as f64 * (1.0 + CATCH_UP.as_secs_f64() + 0.001) + 1.0;
            for (index, begin) in moments.iter().enumerate().step_by(97) {
                let second = moments[index..].iter().take_while(|at| **at < *begin + Duration::from_secs(1));
                assert!(second.count() as f64 <= most, "{rate} a second");
            }
            let took = moments.last().unwrap().as_secs_f64();
            let least = (moments.len() - 1) as f64 / f64::from(rate);
            assert!(took >= least - 1e-6 && took <= least + 0.01, "{rate} a second: {took} s");
        }
    }

    #[test]
    fn a_rest_is_not_saved_up() {
        let began = Instant::now();
        let mut pace = Pace::new(RATE, began);
        let later = began + Duration::from_secs(60);
        let at_once = (0..1_000).take_while(|_| pace.slot(later) <= later).count();
        assert_eq!(at_once as u128, CATCH_UP.as_micros() / 500 + 1);
    }
}
