//! Rollups: what became of a measurement in a bucket of time. Pure.
//!
//! An aggregate is a sum of its parts: those of two sets of samples add up to that of both, in any order. So a
//! sealed segment brings its own, a late sample brings one more, and whoever asks adds them.

use super::total::Total;
use pingup_protocol::time::Timestamp;

/// A minute, in microseconds.
pub const MINUTE: i64 = 60 * 1_000_000;
/// An hour, in microseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// A day, in microseconds.
pub const DAY: i64 = 24 * HOUR;

/// What became of one measurement in a bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aggregate {
    /// Samples that had it.
    pub count: u64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The sum.
    pub sum: Total,
    /// The newest.
    pub last: f64,
    /// When that was.
    pub last_at: Timestamp,
}

impl Aggregate {
    /// Of one sample.
    pub const fn of(value: f64, at: Timestamp) -> Self {
        Self { count: 1, min: value, max: value, sum: Total::Ones(value), last: value, last_at: at }
    }

    /// Takes in the aggregate of other samples. Of two newest at one moment, the one added later counts.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum.add(other.sum);
        if other.last_at >= self.last_at {
            (self.last, self.last_at) = (other.last, other.last_at);
        }
    }

    /// The mean; it lies within least and greatest, as rounding might not have it.
    pub fn avg(&self) -> f64 {
        self.sum.mean(self.count).max(self.min).min(self.max)
    }
}

/// The start of the bucket that `at` lies in: the greatest multiple of `step` not after it, also before 1970.
pub const fn bucket(at: i64, step: i64) -> i64 {
    at - at.rem_euclid(step)
}

/// The day that `at` lies in, counted from 1970.
pub const fn day(at: i64) -> i64 {
    at.div_euclid(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn parts_add_up_to_the_whole_in_any_order() {
        let samples = [(3.0, 10), (-1.0, 30), (2.5, 20)];
        let of = |(value, micros): (f64, i64)| Aggregate::of(value, at(micros));
        let expected =
            Aggregate { count: 3, min: -1.0, max: 3.0, sum: Total::Ones(4.5), last: -1.0, last_at: at(30) };
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
            let mut whole = of(samples[order[0]]);
            let mut rest = of(samples[order[1]]);
            rest.add(&of(samples[order[2]]));
            whole.add(&rest);
            assert_eq!(whole, expected, "{order:?}");
        }
        assert_eq!(expected.avg(), 1.5);
    }

    #[test]
    fn buckets_and_days_begin_before_what_lies_in_them_also_before_1970() {
        assert_eq!([0, 1, HOUR - 1, HOUR].map(|micros| bucket(micros, HOUR)), [0, 0, 0, HOUR]);
        assert_eq!([-1, -HOUR, -HOUR - 1].map(|micros| bucket(micros, HOUR)), [-HOUR, -HOUR, -2 * HOUR]);
        assert_eq!([-1, 0, DAY - 1, DAY].map(day), [-1, 0, 0, 1]);
    }
}
