//! A histogram of durations with fixed buckets, counted without a lock.

use super::Counter;
use std::time::Duration;

/// Upper bounds of the buckets in microseconds: from a commit that found its disk idle (half a millisecond) to
/// one that waited for a stalled disk (ten seconds).
pub(super) const BOUNDS_MICROS: [u64; 14] = [
    500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 125_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// How often something took how long.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; BOUNDS_MICROS.len()],
    beyond: Counter,
    sum_micros: Counter,
}

/// A histogram as it is told: counts up to and including each bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Bound in seconds, and how many took at most that long.
    pub buckets: Vec<(f64, u64)>,
    /// How many there were.
    pub count: u64,
    /// How long they took together, seconds.
    pub sum_seconds: f64,
}

impl Histogram {
    /// Counts one that took `duration`.
    pub fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.iter().position(|&bound| micros <= bound);
        bucket.map_or(&self.beyond, |place| &self.buckets[place]).add(1);
        self.sum_micros.add(micros);
    }

    /// What was counted so far. The count is that of the buckets read, so that they always agree.
    pub fn read(&self) -> Reading {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(BOUNDS_MICROS.len());
        for (bucket, bound) in self.buckets.iter().zip(BOUNDS_MICROS) {
            count += bucket.get();
            buckets.push((seconds(bound), count));
        }
        Reading { buckets, count: count + self.beyond.get(), sum_seconds: seconds(self.sum_micros.get()) }
    }
}

/// Exact up to 2^53 microseconds, 285 years.
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_the_first_bucket_that_holds_them() {
        let histogram = Histogram::default();
        for micros in [0, 500, 501, 10_000_000, 10_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let reading = histogram.read();
        assert_eq!(reading.buckets[0], (0.0005, 2));
        assert_eq!(reading.buckets[1], (0.001, 3));
        assert_eq!(reading.buckets[BOUNDS_MICROS.len() - 1], (10.0, 4));
        assert_eq!(reading.count, 5);
        assert_eq!(reading.sum_seconds, 20.001_002);
    }

    #[test]
    fn bounds_rise() {
        assert!(BOUNDS_MICROS.is_sorted_by(|a, b| a < b));
    }
}
