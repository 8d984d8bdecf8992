//! The door: a text becomes a query, and a query is asked of a source.

use crate::{
    error::Error,
    eval::{self, Grid},
    matcher::Matcher,
    options::Options,
    plan::{Kind, Plan},
    source::SeriesSource,
    value::Answer,
};

/// The latest moment, and by its negative the earliest: 2^53 milliseconds, some 285 000 years.
pub const MOMENT_MS_MAX: i64 = 1 << 53;

/// A query that has been read and checked. It can be asked of any source, at any time, as often as needed.
#[derive(Debug)]
pub struct Query {
    plan: Plan,
}

/// The steps of a range query: from a start on, as long as they are not past its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The first step, in milliseconds.
    pub start_ms: i64,
    /// No step is later than this.
    pub end_ms: i64,
    /// From one step to the next, in milliseconds; more than 0.
    pub step_ms: i64,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// [`ErrorKind::Query`](crate::ErrorKind::Query): the text is no PromQL, is experimental PromQL, or is longer or
    /// nested deeper than allowed. [`ErrorKind::Execution`](crate::ErrorKind::Execution): it asks for labels or
    /// patterns that cannot be; Prometheus finds that out only when it evaluates.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(Self { plan: Plan::new(text)? })
    }

    /// The query's selectors, each as the matchers that must all hold.
    pub fn selectors(&self) -> impl Iterator<Item = &[Matcher]> {
        self.plan.selectors.iter().map(|selector| selector.matchers.as_slice())
    }

    /// The answer for one moment.
    ///
    /// # Errors
    /// Of every kind: see [`ErrorKind`](crate::ErrorKind).
    pub fn instant(
        &self,
        source: &dyn SeriesSource,
        moment_ms: i64,
        options: &Options,
    ) -> Result<Answer, Error> {
        check_moment(moment_ms)?;
        check_options(options)?;
        let grid = Grid { first: moment_ms, step: 0, count: 1 };
        Ok(eval::evaluate(&self.plan, source, grid, moment_ms, options)?.instant())
    }

    /// The answer for every step of a range of time: always a matrix.
    ///
    /// # Errors
    /// Of every kind: see [`ErrorKind`](crate::ErrorKind).
    pub fn range(&self, source: &dyn SeriesSource, steps: Steps, options: &Options) -> Result<Answer, Error> {
        if !matches!(self.plan.kind, Kind::Scalar | Kind::Vector) {
            let kind = self.plan.kind;
            return Err(Error::query(format!(
                "invalid expression type {:?} for range query, must be Scalar or instant Vector",
                kind.to_string()
            )));
        }
        check_options(options)?;
        let grid = steps.grid(options)?;
        Ok(eval::evaluate(&self.plan, source, grid, steps.end_ms, options)?.range())
    }
}

impl Steps {
    fn grid(self, options: &Options) -> Result<Grid, Error> {
        check_moment(self.start_ms)?;
        check_moment(self.end_ms)?;
        if self.end_ms < self.start_ms {
            return Err(Error::query("end timestamp must not be before start time"));
        }
        if self.step_ms <= 0 {
            return Err(Error::query(
                "zero or negative query resolution step widths are not accepted. Try a positive integer",
            ));
        }
        let steps = ((self.end_ms - self.start_ms) / self.step_ms).unsigned_abs();
        options.limits.check_steps(steps)?;
        let count = usize::try_from(steps).unwrap_or(usize::MAX - 1) + 1;
        Ok(Grid { first: self.start_ms, step: self.step_ms, count })
    }
}

fn check_moment(moment_ms: i64) -> Result<(), Error> {
    if moment_ms.unsigned_abs() > MOMENT_MS_MAX.unsigned_abs() {
        return Err(Error::query(format!("moment out of range: {moment_ms}")));
    }
    Ok(())
}

fn check_options(options: &Options) -> Result<(), Error> {
    let durations = [options.lookback_ms, options.subquery_step_ms];
    if durations.iter().any(|&duration| !(1..=MOMENT_MS_MAX).contains(&duration)) {
        return Err(Error::query("lookback and the step of subqueries must be more than 0"));
    }
    Ok(())
}
