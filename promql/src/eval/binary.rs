//! Operators between two parts of a query.

use super::{
    Evaluator, Grid,
    frame::{ABSENT, Evaluated, Track, present, solid},
};
use crate::{
    error::Error,
    plan::{Arithmetic, Binary, Comparison, Operation},
};

impl Evaluator<'_> {
    pub(super) fn binary(&mut self, binary: &Binary, grid: Grid) -> Result<Evaluated, Error> {
        let left = self.node(&binary.left, grid)?;
        let right = self.node(&binary.right, grid)?;
        let operation = binary.operation;
        Ok(match (left, right) {
            (Evaluated::Scalar(mut left), Evaluated::Scalar(right)) => {
                for (left, right) in left.iter_mut().zip(right) {
                    *left = scalars(operation, *left, right);
                }
                Evaluated::Scalar(left)
            }
            (Evaluated::Vector(left), Evaluated::Scalar(right)) => {
                let each = |at: usize, value: f64| kept(operation, value, right[at]);
                Evaluated::Vector(self.with_scalar(left, operation, each)?)
            }
            (Evaluated::Scalar(left), Evaluated::Vector(right)) => {
                // A comparison keeps the vector's value, whatever side it is on.
                let each = |at: usize, value: f64| match kept(operation, left[at], value) {
                    Some(_) if filters(operation) => Some(value),
                    result => result,
                };
                Evaluated::Vector(self.with_scalar(right, operation, each)?)
            }
            (Evaluated::Vector(left), Evaluated::Vector(right)) => Evaluated::Vector(match operation {
                Operation::Set(set) => self.set(set, &binary.matching.by, left, right)?,
                _ => self.matched(binary, left, right, grid)?,
            }),
            _ => return Err(Error::internal("an operator stands between scalars and instant vectors only")),
        })
    }

    fn with_scalar(
        &self,
        mut tracks: Vec<Track>,
        operation: Operation,
        each: impl Fn(usize, f64) -> Option<f64>,
    ) -> Result<Vec<Track>, Error> {
        for track in &mut tracks {
            for (at, value) in track.values.iter_mut().enumerate().filter(|(_, value)| present(**value)) {
                *value = each(at, *value).map_or(ABSENT, solid);
            }
            if !filters(operation) {
                track.labels = track.labels.without_name();
            }
        }
        tracks.retain(Track::has_values);
        if filters(operation) { Ok(tracks) } else { self.unified(tracks) }
    }
}

/// Whether an operator keeps values as they are, and their names, or drops them.
pub(super) fn filters(operation: Operation) -> bool {
    matches!(operation, Operation::Comparison { as_bool: false, .. })
}

/// What an operator makes of two values, or nothing if it is a comparison that does not hold.
pub(super) fn kept(operation: Operation, left: f64, right: f64) -> Option<f64> {
    match operation {
        Operation::Arithmetic(arithmetic) => Some(compute(arithmetic, left, right)),
        Operation::Comparison { which, as_bool: true } => Some(f64::from(holds(which, left, right))),
        Operation::Comparison { which, as_bool: false } => holds(which, left, right).then_some(left),
        Operation::Set(_) => None,
    }
}

fn scalars(operation: Operation, left: f64, right: f64) -> f64 {
    match operation {
        Operation::Arithmetic(arithmetic) => compute(arithmetic, left, right),
        Operation::Comparison { which, .. } => f64::from(holds(which, left, right)),
        Operation::Set(_) => f64::NAN,
    }
}

fn compute(arithmetic: Arithmetic, left: f64, right: f64) -> f64 {
    match arithmetic {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide => left / right,
        Arithmetic::Modulo => left % right,
        Arithmetic::Power => left.powf(right),
        Arithmetic::Atan2 => left.atan2(right),
    }
}

#[allow(clippy::float_cmp)]
fn holds(comparison: Comparison, left: f64, right: f64) -> bool {
    match comparison {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::LessOrEqual => left <= right,
        Comparison::Greater => left > right,
        Comparison::GreaterOrEqual => left >= right,
    }
}
