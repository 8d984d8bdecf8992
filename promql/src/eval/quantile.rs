//! Quantiles of values, with the line between two of them.

use std::cmp::Ordering;

/// The quantile of values, which are put into some other order for it. A quantile below 0 is -Inf, above 1 +Inf; a NaN
/// is less than all others.
pub(super) fn quantile(quantile: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || quantile.is_nan() {
        return f64::NAN;
    }
    if quantile < 0.0 {
        return f64::NEG_INFINITY;
    }
    if quantile > 1.0 {
        return f64::INFINITY;
    }
    let last = values.len() - 1;
    let rank = quantile * last as f64;
    let lower = rank.floor();
    let weight = rank - lower;
    // The rank lies between 0 and the last index, so the cast is exact. Only two values need to be in their places.
    let (_, &mut below, above) =
        values.select_nth_unstable_by((lower as usize).min(last), |a, b| nan_first(*a, *b));
    let above = above.iter().copied().min_by(|a, b| nan_first(*a, *b)).unwrap_or(below);
    below * (1.0 - weight) + above * weight
}

/// The order of values in which a NaN comes before all.
pub(super) fn nan_first(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_on_the_line_between_two() {
        let of = |which: f64, values: &[f64]| quantile(which, &mut values.to_vec());
        assert_eq!(of(0.5, &[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(of(0.5, &[4.0, 1.0]), 2.5);
        assert_eq!([of(0.0, &[2.0, 1.0]), of(1.0, &[2.0, 1.0])], [1.0, 2.0]);
        assert_eq!([of(-0.1, &[1.0]), of(1.1, &[1.0])], [f64::NEG_INFINITY, f64::INFINITY]);
        assert!(of(f64::NAN, &[1.0]).is_nan() && of(0.5, &[]).is_nan());
        assert!(of(0.0, &[1.0, f64::NAN]).is_nan());
        assert_eq!(of(1.0, &[1.0, f64::NAN]), 1.0);
    }
}
