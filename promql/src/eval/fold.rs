//! Many columns become one: each column is read once, from its start to its end, and added to what each step has so far.

use super::{
    frame::{ABSENT, present, solid},
    quantile::quantile,
    summary::{Compensated, Mean},
};
use crate::{error::Error, limits::Meter, plan::Aggregation};

/// A group's columns, all of the same number of steps.
pub(super) struct Columns<'a> {
    pub(super) columns: &'a [&'a [f64]],
    pub(super) steps: usize,
    pub(super) meter: &'a Meter,
}

impl Columns<'_> {
    /// What an aggregation makes of them; `parameter` has a quantile for each step, where one is asked for.
    pub(super) fn folded(&self, operation: &Aggregation, parameter: &[f64]) -> Result<Vec<f64>, Error> {
        match operation {
            Aggregation::Sum => self.fold(Compensated::new, Compensated::add, |sum| sum.sum + sum.lost),
            Aggregation::Avg => self.fold(Mean::new, Mean::add, |mean| mean.value()),
            Aggregation::Count => self.fold(|_| 1.0, |count, _| *count += 1.0, |count| count),
            Aggregation::Group => self.fold(|_| 1.0, |_, _| {}, |one| one),
            Aggregation::Max => {
                self.fold(|first| first, |best, new| prefer(best, new, *best < new), |best| best)
            }
            Aggregation::Min => {
                self.fold(|first| first, |best, new| prefer(best, new, *best > new), |best| best)
            }
            Aggregation::Stdvar => self.fold(Spread::new, Spread::add, Spread::variance),
            Aggregation::Stddev => self.fold(Spread::new, Spread::add, |all| all.variance().sqrt()),
            Aggregation::Quantile(_) => self.quantiles(parameter),
            // These have more than one column for a group, and are made elsewhere.
            Aggregation::Top { .. } | Aggregation::CountValues { .. } => Ok(Vec::new()),
        }
    }

    fn fold<S: Copy>(
        &self,
        first: impl Fn(f64) -> S,
        add: impl Fn(&mut S, f64),
        finish: impl Fn(S) -> f64,
    ) -> Result<Vec<f64>, Error> {
        let mut states: Vec<Option<S>> = vec![None; self.steps];
        for column in self.columns {
            self.meter.check()?;
            for (state, &value) in states.iter_mut().zip(*column).filter(|(_, value)| present(**value)) {
                match state {
                    Some(state) => add(state, value),
                    None => *state = Some(first(value)),
                }
            }
        }
        Ok(states.into_iter().map(|state| state.map_or(ABSENT, |state| solid(finish(state)))).collect())
    }

    fn quantiles(&self, wanted: &[f64]) -> Result<Vec<f64>, Error> {
        let mut there = Vec::with_capacity(self.columns.len());
        let mut out = Vec::with_capacity(self.steps);
        for (at, &wanted) in wanted.iter().enumerate() {
            self.meter.check()?;
            there.clear();
            there.extend(self.columns.iter().map(|column| column[at]).filter(|&value| present(value)));
            out.push(if there.is_empty() { ABSENT } else { solid(quantile(wanted, &mut there)) });
        }
        Ok(out)
    }
}

/// A NaN is replaced by whatever comes.
fn prefer(best: &mut f64, new: f64, better: bool) {
    if better || best.is_nan() {
        *best = new;
    }
}

/// Welford's running variance of a group.
#[derive(Clone, Copy)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn new(first: f64) -> Self {
        let squares = if first.is_finite() { 0.0 } else { f64::NAN };
        Self { count: 1.0, mean: first, squares }
    }

    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    fn variance(self) -> f64 {
        self.squares / self.count
    }
}
