//! What one query may cost, and how it is stopped.
//!
//! A query is stopped by a limit, by its time, or by whoever asked for it: [`Cancel`]. All loops over samples,
//! series and steps ask the meter, so that none of them outlives its query for long.

use crate::error::{Error, ErrorKind};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// What one query may cost at most. Reaching a limit is an error, never a shorter answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Samples that the source may hand over. 50 million, as in Prometheus.
    pub samples: u64,
    /// Series that the source may hand over, counted once for each selector. 100 000.
    pub series: u64,
    /// Values that may be kept at once, of 8 bytes each: series times steps for each part of the query that is alive,
    /// two for a sample that is answered as it is. 50 million, which are 400 MB.
    pub points: u64,
    /// The same together with what the source keeps while it hands over ([`Intake::keeps`](crate::Intake::keeps)). 100
    /// million.
    pub held: u64,
    /// Steps of a range query. 11 000, as in Prometheus.
    pub steps: u64,
    /// How long it may take. Two minutes, as in Prometheus.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            samples: 50_000_000,
            series: 100_000,
            points: 50_000_000,
            held: 100_000_000,
            steps: 11_000,
            time: Duration::from_secs(120),
        }
    }
}

impl Limits {
    /// A range query has so many steps behind its first.
    pub(crate) fn check_steps(&self, count: u64) -> Result<(), Error> {
        if count <= self.steps {
            return Ok(());
        }
        let shown = thousands(self.steps);
        let text = format!(
            "exceeded maximum resolution of {shown} points per timeseries. Try decreasing the query resolution \
             (?step=XX)"
        );
        Err(Error::new(ErrorKind::Query, text))
    }
}

/// Stops a query from elsewhere: keep a clone, and call [`cancel`](Self::cancel).
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// From now on the query ends with [`ErrorKind::Cancelled`] as soon as it looks.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Tells how much time has passed; tests have their own.
pub trait Clock: Send + Sync {
    /// Time since some moment that stays the same.
    fn now(&self) -> Duration;
}

/// The computer's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock(Instant);

impl Default for MonotonicClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for MonotonicClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// `11000` as `11,000`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        assert_eq!(
            [thousands(7), thousands(11_000), thousands(1_234_567)],
            ["7", "11,000", "1,234,567"].map(String::from)
        );
    }
}
