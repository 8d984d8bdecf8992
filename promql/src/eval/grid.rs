//! Moments: the steps that a part of a query is evaluated at, and those that a selector looks back from.

use crate::{
    options::Edition,
    plan::{At, Shift},
};

/// The steps of an evaluation, evenly spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) first: i64,
    pub(crate) step: i64,
    pub(crate) count: usize,
}

impl Grid {
    pub(crate) fn moment(&self, at: usize) -> i64 {
        // A count that does not fit in an i64 was refused long before.
        self.first + self.step * at as i64
    }

    /// The moment of a step in seconds, as `time()` tells it.
    pub(crate) fn seconds(&self, at: usize) -> f64 {
        self.moment(at) as f64 / 1000.0
    }
}

/// The times of a whole query as they were asked for, which `@ start()` and `@ end()` mean at any depth: no step need
/// lie at the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// The moments that a selector or a subquery looks back from, one for each step of a grid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct References {
    pub(crate) first: i64,
    /// From one to the next; 0 if `@` holds all of them at one moment.
    pub(crate) step: i64,
    pub(crate) count: usize,
}

impl References {
    pub(crate) fn new(grid: &Grid, shift: Shift, span: Span) -> Self {
        let held = shift.at.map(|at| match at {
            At::Start => span.start,
            At::End => span.end,
            At::Moment(moment) => moment,
        });
        let step = if held.is_some() { 0 } else { grid.step };
        Self { first: held.unwrap_or(grid.first) - shift.offset_ms, step, count: grid.count }
    }

    pub(crate) fn at(&self, at: usize) -> i64 {
        self.first + self.step * at as i64
    }

    pub(crate) fn last(&self) -> i64 {
        self.at(self.count.saturating_sub(1))
    }

    /// Whether all are the same moment.
    pub(crate) fn held(&self) -> bool {
        self.step == 0
    }

    /// Where a subquery is evaluated that looks back so far from these: at multiples of its step.
    pub(crate) fn subquery(&self, range_ms: i64, step: i64, edition: Edition) -> Grid {
        let before = self.first - range_ms;
        let mut first = step * (before / step);
        while first < before || (first == before && edition == Edition::Prometheus3) {
            first += step;
        }
        let last = self.last();
        let count = if first > last || self.count == 0 { 0 } else { (last - first) / step + 1 };
        Grid { first, step, count: usize::try_from(count).unwrap_or(usize::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { first: 100_000, step: 10_000, count: 4 };
    const SPAN: Span = Span { start: 100_000, end: 130_000 };

    #[test]
    fn offsets_shift_and_at_holds() {
        let shift = Shift { offset_ms: 5_000, at: None };
        let references = References::new(&GRID, shift, SPAN);
        assert_eq!([references.at(0), references.last()], [95_000, 125_000]);
        let held = References::new(&GRID, Shift { at: Some(At::End), ..shift }, SPAN);
        assert_eq!([held.at(0), held.last()], [125_000, 125_000]);
    }

    #[test]
    fn subqueries_are_evaluated_at_multiples_of_their_step() {
        let references = References::new(&GRID, Shift::default(), SPAN);
        let inner = references.subquery(30_000, 7_000, Edition::Prometheus3);
        assert_eq!(inner, Grid { first: 77_000, step: 7_000, count: 8 });
        // A window that starts on a multiple excludes it, and included it before.
        assert_eq!(references.subquery(30_000, 10_000, Edition::Prometheus3).first, 80_000);
        assert_eq!(references.subquery(30_000, 10_000, Edition::Prometheus2).first, 70_000);
        assert_eq!(references.subquery(1_000, 1_000_000, Edition::Prometheus3).count, 0);
        let early = References { first: -500, step: 0, count: 1 };
        assert_eq!(early.subquery(1_000, 1_000, Edition::Prometheus3).first, -1_000);
    }
}
