//! Many columns become one: each column is read once, from its start to its end, and added to what each step has so far.

use super::{
    frame::{ABSENT, present, solid},
    quantile::quantile,
    summary::{Compensated, Mean},
};
use crate::{error::Error, meter::Meter, plan::Aggregation};

/// What a step of a group's states takes at most, in points.
pub(super) const STATE_POINTS: usize = 4;
const _: () = assert!(size_of::<Option<Mean>>() <= 8 * STATE_POINTS);
const _: () = assert!(size_of::<Option<Spread>>() <= 8 * STATE_POINTS);

/// A group on its way to one column.
pub(super) trait Fold {
    /// Adds a column, of as many steps as all others.
    fn add(&mut self, column: &[f64]);

    /// What all came to.
    fn finish(self: Box<Self>) -> Vec<f64>;
}

/// What each step has so far, and what is done with it.
struct States<S, F, A, E> {
    states: Vec<Option<S>>,
    first: F,
    add: A,
    finish: E,
}

impl<S, F, A, E> Fold for States<S, F, A, E>
where
    S: Copy,
    F: Fn(f64) -> S,
    A: Fn(&mut S, f64),
    E: Fn(S) -> f64,
{
    fn add(&mut self, column: &[f64]) {
        for (state, &value) in self.states.iter_mut().zip(column).filter(|(_, value)| present(**value)) {
            match state {
                Some(state) => (self.add)(state, value),
                None => *state = Some((self.first)(value)),
            }
        }
    }

    fn finish(self: Box<Self>) -> Vec<f64> {
        let Self { states, finish, .. } = *self;
        states.into_iter().map(|state| state.map_or(ABSENT, |state| solid(finish(state)))).collect()
    }
}

fn states<S: Copy + 'static>(
    steps: usize,
    first: impl Fn(f64) -> S + 'static,
    add: impl Fn(&mut S, f64) + 'static,
    finish: impl Fn(S) -> f64 + 'static,
) -> Option<Box<dyn Fold>> {
    Some(Box::new(States { states: vec![None; steps], first, add, finish }))
}

/// Begins a group of so many steps; `None` for what is not made of its columns one after the other.
pub(super) fn begin(operation: &Aggregation, steps: usize) -> Option<Box<dyn Fold>> {
    match operation {
        Aggregation::Sum => states(steps, Compensated::new, Compensated::add, |sum| sum.sum + sum.lost),
        Aggregation::Avg => states(steps, Mean::new, Mean::add, Mean::value),
        Aggregation::Count => states(steps, |_| 1.0, |count, _| *count += 1.0, |count| count),
        Aggregation::Group => states(steps, |_| 1.0, |_: &mut f64, _| {}, |one| one),
        Aggregation::Max => {
            states(steps, |first| first, |best, new| prefer(best, new, *best < new), |best| best)
        }
        Aggregation::Min => {
            states(steps, |first| first, |best, new| prefer(best, new, *best > new), |best| best)
        }
        Aggregation::Stdvar => states(steps, Spread::new, Spread::add, Spread::variance),
        Aggregation::Stddev => states(steps, Spread::new, Spread::add, |all| all.variance().sqrt()),
        Aggregation::Quantile(_) | Aggregation::Top { .. } | Aggregation::CountValues { .. } => None,
    }
}

/// A group's columns, all of the same number of steps.
pub(super) struct Columns<'a> {
    pub(super) columns: &'a [&'a [f64]],
    pub(super) steps: usize,
    pub(super) meter: &'a Meter,
}

impl Columns<'_> {
    /// What an aggregation makes of them; `parameter` has a quantile for each step, where one is asked for. Those that have
    /// more than one column for a group are made elsewhere.
    pub(super) fn folded(&self, operation: &Aggregation, parameter: &[f64]) -> Result<Vec<f64>, Error> {
        let Some(mut fold) = begin(operation, self.steps) else { return self.quantiles(parameter) };
        for column in self.columns {
            self.meter.check()?;
            fold.add(column);
        }
        Ok(fold.finish())
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
