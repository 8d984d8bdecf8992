//! What a classic histogram tells at one moment: quantiles and fractions of its observations.
//!
//! Observations are taken to be spread evenly within their bucket.

/// Counts that differ by less than this part of them are the same, and differ by rounding.
const SMALL_DIFFERENCE: f64 = 1e-12;

/// What is no more than a bound, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    pub(super) bound: f64,
    pub(super) count: f64,
}

/// The value below which a part of all observations lies; and whether counts had to be mended for it.
pub(super) fn quantile(quantile: f64, buckets: &mut Vec<Bucket>) -> (f64, bool) {
    if quantile.is_nan() {
        return (f64::NAN, false);
    }
    if quantile < 0.0 {
        return (f64::NEG_INFINITY, false);
    }
    if quantile > 1.0 {
        return (f64::INFINITY, false);
    }
    if buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
        return (f64::NAN, false);
    }
    coalesce(buckets);
    let forced = mend(buckets);
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if buckets.len() < 2 || observations == 0.0 {
        return (f64::NAN, forced);
    }
    let mut rank = quantile * observations;
    let at = buckets[..last].partition_point(|bucket| bucket.count < rank || (bucket.count - rank).is_nan());
    if at == last {
        return (buckets[last - 1].bound, forced);
    }
    if at == 0 && buckets[0].bound <= 0.0 {
        return (buckets[0].bound, forced);
    }
    let end = buckets[at].bound;
    let (mut start, mut count) = (0.0, buckets[at].count);
    if at > 0 {
        start = buckets[at - 1].bound;
        count -= buckets[at - 1].count;
        rank -= buckets[at - 1].count;
    }
    (start + (end - start) * (rank / count), forced)
}

/// The part of all observations that lies between two values.
pub(super) fn fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
        return f64::NAN;
    }
    coalesce(buckets);
    let all = buckets.last().map_or(0.0, |last| last.count);
    if all == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let below = |value: f64| observations_below(value, buckets).filter(|&rank| rank <= all).unwrap_or(all);
    (below(upper) - below(lower)) / all
}

/// How many observations lie below a value, if a bucket tells.
fn observations_below(value: f64, buckets: &[Bucket]) -> Option<f64> {
    // Observations are taken to be positive if the first bound is.
    let mut start = if buckets[0].bound <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    let mut rank = 0.0;
    for bucket in buckets {
        if start >= value {
            return Some(rank);
        }
        if bucket.bound > value {
            if start == f64::NEG_INFINITY {
                return Some(bucket.count);
            }
            return Some(rank + (bucket.count - rank) * (value - start) / (bucket.bound - start));
        }
        (start, rank) = (bucket.bound, bucket.count);
    }
    None
}

/// Adds up the buckets that have the same bound.
fn coalesce(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|next, kept| {
        let same = next.bound == kept.bound;
        if same {
            kept.count += next.count;
        }
        same
    });
}

/// A bucket counts all that the one before it counts. Where it does not, it is given as much; whether that was more
/// than rounding is told.
fn mend(buckets: &mut [Bucket]) -> bool {
    let mut forced = false;
    let Some(mut before) = buckets.first().map(|bucket| bucket.count) else { return false };
    for bucket in &mut buckets[1..] {
        if bucket.count == before {
            continue;
        }
        let rounding = almost_equal(before, bucket.count);
        if rounding || bucket.count < before {
            bucket.count = before;
            forced |= !rounding;
        } else {
            before = bucket.count;
        }
    }
    forced
}

fn almost_equal(a: f64, b: f64) -> bool {
    if a.is_nan() && b.is_nan() {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < SMALL_DIFFERENCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < SMALL_DIFFERENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    fn buckets(counts: &[(f64, f64)]) -> Vec<Bucket> {
        counts.iter().map(|&(bound, count)| Bucket { bound, count }).collect()
    }

    #[test]
    fn quantiles_lie_on_the_line_through_their_bucket() {
        let counts = [(1.0, 10.0), (2.0, 30.0), (INF, 40.0)];
        let of = |which: f64| quantile(which, &mut buckets(&counts)).0;
        assert_eq!([of(0.0), of(0.125), of(0.25), of(0.5), of(1.0)], [0.0, 0.5, 1.0, 1.5, 2.0]);
        assert_eq!([of(-1.0), of(2.0)], [f64::NEG_INFINITY, INF]);
        assert!(of(f64::NAN).is_nan());
        assert_eq!(quantile(0.5, &mut buckets(&[(-1.0, 5.0), (INF, 6.0)])).0, -1.0);
    }

    #[test]
    fn what_is_no_histogram_has_no_quantile() {
        for counts in [&[(1.0, 5.0), (2.0, 6.0)][..], &[(INF, 5.0)], &[(1.0, 0.0), (INF, 0.0)]] {
            assert!(quantile(0.5, &mut buckets(counts)).0.is_nan(), "{counts:?}");
        }
    }

    #[test]
    fn counts_that_fall_are_mended_and_told() {
        let falling = [(1.0, 10.0), (2.0, 8.0), (INF, 20.0)];
        assert_eq!(quantile(0.5, &mut buckets(&falling)), (1.0, true));
        let rounding = [(1.0, 10.0), (2.0, 10.0 - 1e-13), (INF, 20.0)];
        assert_eq!(quantile(0.5, &mut buckets(&rounding)), (1.0, false));
    }

    #[test]
    fn fractions_are_the_observations_between() {
        let counts = [(1.0, 10.0), (2.0, 30.0), (INF, 40.0)];
        let of = |lower: f64, upper: f64| fraction(lower, upper, &mut buckets(&counts));
        assert_eq!([of(0.0, 1.0), of(0.5, 1.5), of(-INF, INF), of(2.0, INF)], [0.25, 0.375, 1.0, 0.25]);
        assert_eq!([of(1.0, 1.0), of(5.0, 7.0)], [0.0, 0.0]);
        assert!(of(f64::NAN, 1.0).is_nan());
    }
}
