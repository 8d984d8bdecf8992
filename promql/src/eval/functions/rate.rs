//! `rate`, `increase`, `delta`, and their instant kin.

use crate::{eval::window::Bounds, options::Edition};

/// A sample is missed at a window's edge if the edge is further away than this many times the samples' distance.
const EXTRAPOLATION_THRESHOLD: f64 = 1.1;

/// Where a window starts and ends, in milliseconds.
pub(in crate::eval) struct Boundaries {
    pub(in crate::eval) start: i64,
    pub(in crate::eval) end: i64,
    pub(in crate::eval) edition: Edition,
}

/// What a counter rose by from a window's first sample to its last. Where a sample is less than the one before, the
/// counter began anew, and what it had reached is added. `resets` are the indices of such samples.
pub(in crate::eval) fn counter_change(values: &[f64], bounds: Bounds, resets: &[usize]) -> f64 {
    let mut change = values[bounds.to - 1] - values[bounds.from];
    let first = resets.partition_point(|&at| at <= bounds.from);
    for &at in resets[first..].iter().take_while(|&&at| at < bounds.to) {
        change += values[at - 1];
    }
    change
}

/// The change that the whole window would have seen, or that of a second; nothing for fewer than two samples.
///
/// The samples cover only a part of the window. If its edges are about as near as the next sample would be, the
/// change is taken to go on up to them; otherwise for half the distance of two samples. `counter` is a counter's
/// first value: below zero it was never.
pub(in crate::eval) fn extrapolated(
    timestamps: &[i64],
    change: f64,
    counter: Option<f64>,
    window: &Boundaries,
    per_second: bool,
) -> Option<f64> {
    let (first, last) = (*timestamps.first()?, *timestamps.last()?);
    if timestamps.len() < 2 {
        return None;
    }
    let mut to_start = (first - window.start) as f64 / 1000.0;
    let mut to_end = (window.end - last) as f64 / 1000.0;
    let sampled = (last - first) as f64 / 1000.0;
    let between = sampled / (timestamps.len() - 1) as f64;
    let threshold = between * EXTRAPOLATION_THRESHOLD;

    let until_zero = |to_start: f64| match counter {
        Some(value) if change > 0.0 && value >= 0.0 => to_start.min(sampled * (value / change)),
        _ => to_start,
    };
    if window.edition == Edition::Prometheus2 {
        to_start = until_zero(to_start);
    }
    if to_start >= threshold {
        to_start = between / 2.0;
    }
    if window.edition == Edition::Prometheus3 {
        to_start = until_zero(to_start);
    }
    if to_end >= threshold {
        to_end = between / 2.0;
    }

    let mut factor = (sampled + to_start + to_end) / sampled;
    if per_second {
        factor /= (window.end - window.start) as f64 / 1000.0;
    }
    Some(change * factor)
}

/// The change between the last two samples; a counter's by the second, and from zero if it began anew.
pub(in crate::eval) fn instant(timestamps: &[i64], values: &[f64], counter: bool) -> Option<f64> {
    let before = timestamps.len().checked_sub(2)?;
    let (old, new) = (values[before], values[before + 1]);
    let change = if counter && new < old { new } else { new - old };
    let seconds = (timestamps[before + 1] - timestamps[before]) as f64 / 1000.0;
    Some(if counter { change / seconds } else { change })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::sliding::resets;

    fn window(start: i64, end: i64) -> Boundaries {
        Boundaries { start, end, edition: Edition::Prometheus3 }
    }

    #[test]
    fn a_counter_that_began_anew_lost_nothing() {
        let values = [5.0, 7.0, 1.0, 4.0, 0.0];
        let resets = resets(&values);
        assert_eq!(resets, [2, 4]);
        assert_eq!(counter_change(&values, Bounds { from: 0, to: 5 }, &resets), 6.0);
        assert_eq!(counter_change(&values, Bounds { from: 2, to: 4 }, &resets), 3.0);
        assert_eq!(counter_change(&values, Bounds { from: 1, to: 3 }, &resets), 1.0);
    }

    #[test]
    fn near_edges_are_reached_and_far_ones_by_half() {
        // Samples at 10, 20 and 30 s, a change of 20.
        let at = [10_000, 20_000, 30_000];
        assert_eq!(extrapolated(&at, 20.0, None, &window(0, 40_000), false), Some(40.0));
        assert_eq!(extrapolated(&at, 20.0, None, &window(0, 40_000), true), Some(1.0));
        assert_eq!(extrapolated(&at, 20.0, None, &window(-30_000, 60_000), false), Some(30.0));
        assert_eq!(extrapolated(&at[..1], 20.0, None, &window(0, 40_000), false), None);
    }

    #[test]
    fn a_counter_is_not_followed_below_zero() {
        let at = [10_000, 20_000, 30_000];
        // Rising by 1 a second from 4, it was zero 4 s before.
        assert_eq!(extrapolated(&at, 20.0, Some(4.0), &window(0, 30_000), false), Some(24.0));
        assert_eq!(extrapolated(&at, 20.0, Some(50.0), &window(0, 30_000), false), Some(30.0));
        // 12 s from the edge, which is too far: half of 10 s now, and up to the zero at 7 s before.
        let mut far = window(-2_000, 30_000);
        assert_eq!(extrapolated(&at, 20.0, Some(7.0), &far, false), Some(25.0));
        far.edition = Edition::Prometheus2;
        assert_eq!(extrapolated(&at, 20.0, Some(7.0), &far, false), Some(27.0));
    }

    #[test]
    fn instant_changes_are_of_the_last_two() {
        assert_eq!(instant(&[0, 1_000, 3_000], &[9.0, 2.0, 8.0], true), Some(3.0));
        assert_eq!(instant(&[0, 1_000, 3_000], &[9.0, 8.0, 2.0], true), Some(1.0));
        assert_eq!(instant(&[0, 1_000, 3_000], &[9.0, 8.0, 2.0], false), Some(-6.0));
        assert_eq!(instant(&[0], &[9.0], false), None);
    }
}
