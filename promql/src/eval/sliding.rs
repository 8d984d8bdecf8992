//! What slides with a window: each sample comes in once and goes out once, however many windows hold it.
//!
//! A sum is never got by taking away what went out: what rounding lost would stay lost, and an infinity would never
//! leave. It is kept in two halves, as a queue is kept in two stacks.

use super::summary::Compensated;
use std::collections::VecDeque;

/// Sums of windows that move forward.
///
/// The older half of a window is summed from its end backwards, once for each of its samples, when it was filled; the
/// newer half is summed as it comes. When the older half is used up, the newer becomes it.
pub(super) struct Sums<'a> {
    values: &'a [f64],
    /// The older half's sums: `older[i]` is of the samples from `base + i` up to `middle`.
    older: Vec<Compensated>,
    base: usize,
    middle: usize,
    newer: Compensated,
    seen: usize,
}

impl<'a> Sums<'a> {
    pub(super) fn new(values: &'a [f64]) -> Self {
        Self { values, older: Vec::new(), base: 0, middle: 0, newer: Compensated::default(), seen: 0 }
    }

    /// The sum of a window that is not empty and neither starts nor ends before the last one. Nothing if it is no
    /// number: what to make of infinities is decided sample by sample.
    pub(super) fn over(&mut self, from: usize, to: usize) -> Option<f64> {
        if from >= self.middle {
            self.turn_over(from, to);
        }
        for &value in &self.values[self.seen..to] {
            self.newer.add(value);
        }
        self.seen = to;
        let mut sum = self.older.get(from - self.base).copied().unwrap_or_default();
        sum.add(self.newer.sum);
        let total = sum.sum + (sum.lost + self.newer.lost);
        total.is_finite().then_some(total)
    }

    fn turn_over(&mut self, from: usize, to: usize) {
        self.older.clear();
        let mut sum = Compensated::default();
        for &value in self.values[from..to].iter().rev() {
            sum.add(value);
            self.older.push(sum);
        }
        self.older.reverse();
        (self.base, self.middle, self.seen) = (from, to, to);
        self.newer = Compensated::default();
    }
}

/// Extremes of windows that move forward: the samples that may still become one, the best first.
pub(super) struct Extremes<'a> {
    values: &'a [f64],
    ahead: fn(f64, f64) -> bool,
    candidates: VecDeque<usize>,
    seen: usize,
}

impl<'a> Extremes<'a> {
    pub(super) fn new(values: &'a [f64], ahead: fn(f64, f64) -> bool) -> Self {
        Self { values, ahead, candidates: VecDeque::new(), seen: 0 }
    }

    /// The extreme of a window that neither starts nor ends before the last one; NaN if all are.
    pub(super) fn over(&mut self, from: usize, to: usize) -> f64 {
        for at in self.seen..to {
            let value = self.values[at];
            if value.is_nan() {
                continue;
            }
            while self.candidates.back().is_some_and(|&last| (self.ahead)(value, self.values[last])) {
                self.candidates.pop_back();
            }
            self.candidates.push_back(at);
        }
        self.seen = to;
        while self.candidates.front().is_some_and(|&first| first < from) {
            self.candidates.pop_front();
        }
        self.candidates.front().map_or(f64::NAN, |&first| self.values[first])
    }
}

/// How many events there were up to each sample, the events being told by a sample and the one before it.
pub(super) fn events(values: &[f64], happened: impl Fn(f64, f64) -> bool) -> Vec<u32> {
    let mut count = 0;
    let mut out = Vec::with_capacity(values.len());
    out.extend(values.first().map(|_| 0));
    for pair in values.windows(2) {
        count += u32::from(happened(pair[0], pair[1]));
        out.push(count);
    }
    out
}

/// The indices of the samples that are less than the one before.
pub(super) fn resets(values: &[f64]) -> Vec<usize> {
    (1..values.len()).filter(|&at| values[at] < values[at - 1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::summary;

    const VALUES: [f64; 12] = [3.0, 1e17, 1.0, -1e17, f64::NAN, 2.0, 5.0, 5.0, 4.0, f64::INFINITY, 1.0, 0.5];

    #[test]
    fn what_slides_is_what_each_window_holds() {
        for width in 1..VALUES.len() {
            for stride in 1..=3 {
                let mut sums = Sums::new(&VALUES);
                let mut largest = Extremes::new(&VALUES, |new, old| new > old);
                for to in (1..=VALUES.len()).step_by(stride) {
                    let from = to.saturating_sub(width);
                    let window = &VALUES[from..to];
                    let expected = summary::sum(window);
                    assert_eq!(sums.over(from, to), expected.is_finite().then_some(expected), "{window:?}");
                    let expected = summary::extreme(window, |new, old| new > old);
                    assert_eq!(largest.over(from, to).to_bits(), expected.to_bits(), "{window:?}");
                }
            }
        }
    }

    #[test]
    fn events_are_counted_up_to_each_sample() {
        assert_eq!(events(&[1.0, 2.0, 2.0, 1.0], |old, new| new != old), [0, 1, 1, 2]);
        assert!(events(&[], |_, _| true).is_empty());
        assert_eq!(resets(&[1.0, 0.0, f64::NAN, 0.0]), [1]);
    }
}
