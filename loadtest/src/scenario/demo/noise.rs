//! Figures that move as a machine's do: noise that glides, the rhythm of a day, and rounding. Pure.

use crate::measured::mix;

pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 86_400;

/// A number from 0 up to 1 that follows from both and looks like no other.
pub(super) fn chance(seed: u64, of: i64) -> f64 {
    const BITS: u32 = 53;
    (mix(seed ^ mix(of.cast_unsigned())) >> (u64::BITS - BITS)) as f64 / (1_u64 << BITS) as f64
}

/// A number from 0 to 1 that glides from one height to the next, one every `every` seconds.
pub(super) fn glide(seed: u64, at: i64, every: i64) -> f64 {
    let (cell, into) = (at.div_euclid(every), at.rem_euclid(every) as f64 / every as f64);
    let smooth = into * into * (3.0 - 2.0 * into);
    chance(seed, cell) * (1.0 - smooth) + chance(seed, cell + 1) * smooth
}

/// How busy people are, from 0 to 1: by day, in the evening too, less on Saturdays and Sundays.
pub(super) fn rhythm(at: i64) -> f64 {
    let hour = at.rem_euclid(DAY) as f64 / HOUR as f64;
    // Also the day before and after, so that midnight is no step.
    let hump = |peak: f64, width: f64| -> f64 {
        [-24.0, 0.0, 24.0].iter().map(|days| (-((hour + days - peak) / width).powi(2)).exp()).sum()
    };
    // 1970 began on a Thursday.
    let is_weekend = (at.div_euclid(DAY) + 3).rem_euclid(7) >= 5;
    let whole = (hump(11.5, 3.6) + 0.75 * hump(19.5, 2.4)).min(1.0);
    if is_weekend { 0.6 * whole } else { whole }
}

/// To so many decimals: what is sent is as long as what a machine measures.
pub(super) fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_stays_in_its_bounds_and_glides() {
        for at in (-100_000..100_000).step_by(37) {
            let (one, next) = (glide(7, at, HOUR), glide(7, at + 1, HOUR));
            assert!((0.0..=1.0).contains(&one) && (one - next).abs() < 0.001, "{at}: {one} {next}");
            assert!((0.0..=1.0).contains(&rhythm(at)) && (rhythm(at) - rhythm(at + 1)).abs() < 0.02, "{at}");
        }
    }

    #[test]
    fn nights_and_weekends_are_quiet() {
        let monday = 4 * DAY;
        assert!(rhythm(monday + 11 * HOUR) > 0.9 && rhythm(monday + 4 * HOUR) < 0.1);
        assert!(rhythm(monday + 5 * DAY + 11 * HOUR) < 0.65);
    }
}
