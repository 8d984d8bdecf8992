//! Sums, averages and variances as Prometheus 3 computes them: with Neumaier's variant of Kahan's summation, so that
//! what a large number swallows of a small one is added in the end.

/// A sum, and what was lost of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Compensated {
    pub(super) sum: f64,
    pub(super) lost: f64,
}

impl Compensated {
    pub(super) fn new(first: f64) -> Self {
        Self { sum: first, lost: 0.0 }
    }

    pub(super) fn add(&mut self, more: f64) {
        let total = self.sum + more;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= more.abs() {
            self.lost += (self.sum - total) + more;
        } else {
            self.lost += (more - total) + self.sum;
        }
        self.sum = total;
    }

    pub(super) fn total(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }

    fn scaled(self, factor: f64) -> Self {
        Self { sum: factor * self.sum, lost: factor * self.lost }
    }
}

/// A mean of values that come one by one. It divides the sum as long as there is one, and follows the mean itself
/// once the sum is beyond the largest number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mean {
    count: f64,
    /// Of the sum, or of the mean itself.
    kept: Compensated,
    incremental: bool,
}

impl Mean {
    pub(super) fn new(first: f64) -> Self {
        Self { count: 1.0, kept: Compensated::new(first), incremental: false }
    }

    pub(super) fn add(&mut self, more: f64) {
        self.count += 1.0;
        if !self.incremental {
            let mut longer = self.kept;
            longer.add(more);
            if !longer.sum.is_infinite() {
                self.kept = longer;
                return;
            }
            self.incremental = true;
            let before = self.count - 1.0;
            self.kept = Compensated { sum: self.kept.sum / before, lost: self.kept.lost / before };
        }
        self.kept = self.kept.scaled((self.count - 1.0) / self.count);
        self.kept.add(more / self.count);
    }

    pub(super) fn value(self) -> f64 {
        if self.incremental {
            self.kept.sum + self.kept.lost
        } else {
            self.kept.sum / self.count + self.kept.lost / self.count
        }
    }
}

/// The sum of a window.
pub(super) fn sum(values: &[f64]) -> f64 {
    let mut all = Compensated::default();
    values.iter().for_each(|&value| all.add(value));
    all.total()
}

/// The mean of a window that has a sample.
pub(super) fn average(values: &[f64]) -> f64 {
    let Some((&first, rest)) = values.split_first() else { return f64::NAN };
    let mut mean = Mean::new(first);
    rest.iter().for_each(|&value| mean.add(value));
    mean.value()
}

/// The variance of a window, by Welford's way.
pub(super) fn variance(values: &[f64]) -> f64 {
    let (mut mean, mut squares) = (Compensated::default(), Compensated::default());
    let mut count = 0.0;
    for &value in values {
        count += 1.0;
        let delta = value - (mean.sum + mean.lost);
        mean.add(delta / count);
        squares.add(delta * (value - (mean.sum + mean.lost)));
    }
    (squares.sum + squares.lost) / count
}

/// The first of the values that none is ahead of; a NaN only if there is nothing else.
pub(super) fn extreme(values: &[f64], ahead: impl Fn(f64, f64) -> bool) -> f64 {
    let mut best = values.first().copied().unwrap_or(f64::NAN);
    for &value in values {
        if ahead(value, best) || best.is_nan() {
            best = value;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn small_numbers_survive_large_ones() {
        assert_eq!(sum(&[1e100, 1.0, -1e100]), 1.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[INF, 1.0]), INF);
        assert!(sum(&[INF, -INF]).is_nan() && sum(&[1.0, f64::NAN]).is_nan());
    }

    #[test]
    fn a_mean_may_be_of_numbers_whose_sum_is_none() {
        assert_eq!(average(&[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(average(&[f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(average(&[INF, 1.0]), INF);
        assert_eq!(average(&[1.0, -INF, 5.0]), -INF);
        assert!(average(&[INF, -INF]).is_nan());
    }

    #[test]
    fn variance_is_of_the_whole_population() {
        assert_eq!(variance(&[1.0, 2.0, 3.0, 4.0]), 1.25);
        assert_eq!(variance(&[5.0]), 0.0);
    }

    #[test]
    fn extremes_pass_over_nans() {
        let largest = |values: &[f64]| extreme(values, |new, old| new > old);
        assert_eq!(largest(&[f64::NAN, 1.0, 3.0, f64::NAN, 2.0]), 3.0);
        assert!(largest(&[f64::NAN]).is_nan());
    }
}
