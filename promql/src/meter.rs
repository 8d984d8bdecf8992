//! Counts what a query costs while it is evaluated, and stops it at its limits.

use crate::{
    error::{Error, ErrorKind},
    limits::{Cancel, Clock, Limits},
    options::Options,
    spare::Claim,
};
use std::{fmt, sync::Arc, time::Duration};

/// Counts what a query costs, and stops it.
pub(crate) struct Meter {
    limits: Limits,
    claim: Option<Claim>,
    cancel: Cancel,
    clock: Arc<dyn Clock>,
    ends: Duration,
    samples: u64,
    series: u64,
    /// Points of selectors that no part has taken yet.
    loaded: u64,
    /// Points of the parts that are evaluated or being so.
    held: u64,
    /// What the source keeps now.
    beside: u64,
}

impl Meter {
    pub(crate) fn new(options: &Options) -> Self {
        let Options { limits, cancel, clock, claim, .. } = options.clone();
        let ends = clock.now().saturating_add(limits.time);
        Self { limits, claim, cancel, clock, ends, samples: 0, series: 0, loaded: 0, held: 0, beside: 0 }
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

    /// So many values of a selector are about to be kept.
    pub(crate) fn load(&mut self, count: usize) -> Result<(), Error> {
        self.loaded = self.loaded.saturating_add(count as u64);
        self.check_points()
    }

    /// The source keeps so much now, in points.
    pub(crate) fn keeps(&mut self, points: usize) -> Result<(), Error> {
        self.beside = points as u64;
        self.check_points()
    }

    /// So many of them came to nothing.
    pub(crate) fn unload(&mut self, count: usize) {
        self.loaded = self.loaded.saturating_sub(count as u64);
    }

    /// A part takes so many of them; they are its own from now on.
    pub(crate) fn take(&mut self, count: usize) {
        self.unload(count);
        self.held = self.held.saturating_add(count as u64);
    }

    /// So many values are about to be computed, and kept beside what they are computed from.
    pub(crate) fn points(&mut self, count: usize) -> Result<(), Error> {
        self.held = self.held.saturating_add(count as u64);
        self.check_points()
    }

    /// So many values are gone before their part is done.
    pub(crate) fn release(&mut self, count: usize) {
        self.held = self.held.saturating_sub(count as u64);
    }

    /// What the parts hold now.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// A part is done, and what it was made of is gone: beside what was held before there is only its result.
    pub(crate) fn settle(&mut self, before: u64, result: usize) {
        self.held = before.saturating_add(result as u64);
    }

    fn check_points(&self) -> Result<(), Error> {
        let points = self.loaded.saturating_add(self.held);
        if points > self.limits.points {
            return Err(too_many(format_args!("more than {} points", self.limits.points)));
        }
        let held = points.saturating_add(self.beside);
        if held > self.limits.held {
            let most = self.limits.held;
            return Err(too_many(format_args!("more than {most} points, with those that are being read")));
        }
        if let Some(claim) = &self.claim {
            claim.admit(held, || self.check())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_stops_at_each_limit() {
        let limits = Limits { samples: 10, series: 2, points: 5, steps: 3, ..Limits::default() };
        let meter = || Meter::new(&Options { limits, ..Options::default() });
        assert!(meter().series(10).is_ok() && meter().points(5).is_ok() && limits.check_steps(3).is_ok());
        assert_eq!(meter().series(11).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(meter().points(6).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(limits.check_steps(4).unwrap_err().kind(), ErrorKind::Query);
        let mut full = meter();
        assert!(full.load(3).is_ok() && full.points(2).is_ok() && full.load(1).is_err());
        let narrow = Limits { held: 8, ..limits };
        let mut reading = Meter::new(&Options { limits: narrow, ..Options::default() });
        assert!(reading.keeps(4).is_ok() && reading.points(4).is_ok());
        assert_eq!(reading.points(1).unwrap_err().kind(), ErrorKind::Limit, "with what is being read");
        assert!(reading.keeps(3).is_ok() && reading.keeps(4).is_err());
        let mut busy = meter();
        assert!(busy.series(0).is_ok() && busy.series(0).is_ok() && busy.series(0).is_err());
    }

    #[test]
    fn what_is_gone_is_not_counted() {
        let limits = Limits { points: 10, ..Limits::default() };
        let mut meter = Meter::new(&Options { limits, ..Options::default() });
        meter.load(8).unwrap();
        meter.unload(2);
        meter.take(6);
        assert_eq!(meter.held(), 6);
        meter.points(4).unwrap();
        assert_eq!(meter.points(1).unwrap_err().kind(), ErrorKind::Limit);
        meter.settle(0, 3);
        meter.points(7).unwrap();
        meter.release(5);
        assert!(meter.load(5).is_ok() && meter.load(1).is_err());
    }
}
