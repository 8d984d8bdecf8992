//! What looks random, and follows from a seed.

use crate::measured::mix;
use std::time::Duration;

/// Numbers from 0 up to 1, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// Those that follow from `seed`.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next.
    pub(super) fn draw(&mut self) -> f64 {
        const BITS: u32 = f64::MANTISSA_DIGITS;
        self.0 = mix(self.0);
        (self.0 >> (u64::BITS - BITS)) as f64 / (1_u64 << BITS) as f64
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
    fn times_are_spread_over_the_whole_span() {
        let waits: Vec<_> = (0..1_000).map(|random| below(SECOND, mix(random)).as_millis()).collect();
        for tenth in 0..10 {
            let share = waits.iter().filter(|wait| **wait / 100 == tenth).count();
            assert!((60..=140).contains(&share), "{share} waits in tenth {tenth}");
        }
        assert!(below(SECOND, u64::MAX) < SECOND && below(SECOND, 0).is_zero());
    }

    #[test]
    fn numbers_are_spread_and_stay_below_one() {
        let mut chance = Chance::new(1);
        let drawn: Vec<f64> = (0..1_000).map(|_| chance.draw()).collect();
        assert!(drawn.iter().all(|number| (0.0..1.0).contains(number)));
        let mean = drawn.iter().sum::<f64>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
