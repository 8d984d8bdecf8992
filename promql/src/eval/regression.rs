//! The line that lies nearest to a window's samples, by least squares.

use super::summary::Compensated;

/// A line through samples.
pub(super) struct Line {
    /// By the second.
    pub(super) slope: f64,
    /// Its value at the moment that was asked for.
    pub(super) intercept: f64,
}

/// The line, seen from `origin` (milliseconds); nothing for fewer than two samples.
pub(super) fn line(timestamps: &[i64], values: &[f64], origin: i64) -> Option<Line> {
    let first = *values.first()?;
    if values.len() < 2 {
        return None;
    }
    if values.iter().all(|&value| value == first) {
        // Exactly flat, without the rounding of the sums below.
        let flat = if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
        return Some(Line { slope: flat.0, intercept: flat.1 });
    }
    let (mut x, mut y) = (Compensated::default(), Compensated::default());
    let (mut xy, mut xx) = (Compensated::default(), Compensated::default());
    for (&at, &value) in timestamps.iter().zip(values) {
        let seconds = (at - origin) as f64 / 1e3;
        x.add(seconds);
        y.add(value);
        xy.add(seconds * value);
        xx.add(seconds * seconds);
    }
    let [x, y, xy, xx] = [x, y, xy, xx].map(|sum| sum.sum + sum.lost);
    let count = values.len() as f64;
    let covariance = xy - x * y / count;
    let variance = xx - x * x / count;
    let slope = covariance / variance;
    Some(Line { slope, intercept: y / count - slope * x / count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_and_seen_from_its_origin() {
        let found = line(&[0, 1_000, 2_000], &[1.0, 3.0, 5.0], 2_000).unwrap();
        assert_eq!((found.slope, found.intercept), (2.0, 5.0));
        let flat = line(&[0, 700, 2_000], &[0.1, 0.1, 0.1], 9_000).unwrap();
        assert_eq!((flat.slope, flat.intercept), (0.0, 0.1));
        assert!(line(&[0, 1], &[f64::INFINITY; 2], 0).unwrap().slope.is_nan());
        assert!(line(&[0], &[1.0], 0).is_none());
    }
}
