//! What one query may cost, and how it is stopped.
//!
//! A query is stopped by a limit, by its time, or by whoever asked for it: [`Cancel`]. All loops over samples,
//! series and steps ask the [`Meter`], so that none of them outlives its query for long.

use crate::error::{Error, ErrorKind};
use std::{
    fmt,
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
    /// Values that may be computed, over all parts of the query: series times steps for each. 50 million, which
    /// are 400 MB if they are all alive at once.
    pub points: u64,
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

/// Counts what a query costs, and stops it.
pub(crate) struct Meter {
    limits: Limits,
    cancel: Cancel,
    clock: Arc<dyn Clock>,
    ends: Duration,
    samples: u64,
    series: u64,
    points: u64,
}

impl Meter {
    pub(crate) fn new(limits: Limits, cancel: Cancel, clock: Arc<dyn Clock>) -> Self {
        let ends = clock.now().saturating_add(limits.time);
        Self { limits, cancel, clock, ends, samples: 0, series: 0, points: 0 }
    }

    /// Asks whether to go on; cheap enough for every series, not for every sample.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "query was canceled in expression evaluation"));
        }
        if self.clock.now() >= self.ends {
            return Err(Error::new(ErrorKind::Timeout, "query timed out in expression evaluation"));
        }
        Ok(())
    }

    /// A series came with so many samples.
    pub(crate) fn series(&mut self, samples: usize) -> Result<(), Error> {
        self.series += 1;
        self.samples = self.samples.saturating_add(samples as u64);
        if self.series > self.limits.series {
            return Err(too_many(format_args!("more than {} series", self.limits.series)));
        }
        if self.samples > self.limits.samples {
            return Err(too_many(format_args!("more than {} samples", self.limits.samples)));
        }
        self.check()
    }

    /// So many values are about to be computed.
    pub(crate) fn points(&mut self, count: usize) -> Result<(), Error> {
        self.points = self.points.saturating_add(count as u64);
        if self.points > self.limits.points {
            return Err(too_many(format_args!("more than {} points", self.limits.points)));
        }
        self.check()
    }

    /// How many samples the source has handed over.
    pub(crate) fn samples_seen(&self) -> u64 {
        self.samples
    }
}

fn too_many(what: fmt::Arguments<'_>) -> Error {
    let text = format!("query processing would load too many samples into memory in query execution: {what}");
    Error::new(ErrorKind::Limit, text)
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

    #[test]
    fn a_meter_stops_at_each_limit() {
        let limits = Limits { samples: 10, series: 2, points: 5, steps: 3, ..Limits::default() };
        let meter = || Meter::new(limits, Cancel::default(), Arc::new(MonotonicClock::default()));
        assert!(meter().series(10).is_ok() && meter().points(5).is_ok() && limits.check_steps(3).is_ok());
        assert_eq!(meter().series(11).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(meter().points(6).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(limits.check_steps(4).unwrap_err().kind(), ErrorKind::Query);
        let mut busy = meter();
        assert!(busy.series(0).is_ok() && busy.series(0).is_ok() && busy.series(0).is_err());
    }
}
