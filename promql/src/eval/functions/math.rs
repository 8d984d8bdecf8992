//! Functions of one value, with Go's ideas of infinities and NaN where they differ from Rust's.

use crate::plan::function::MapFunction;
use std::f64::consts::PI;

/// The function's value.
pub(in crate::eval) fn map(function: MapFunction, value: f64) -> f64 {
    match function {
        MapFunction::Abs => value.abs(),
        MapFunction::Acos => value.acos(),
        MapFunction::Acosh => value.acosh(),
        MapFunction::Asin => value.asin(),
        MapFunction::Asinh => value.asinh(),
        MapFunction::Atan => value.atan(),
        MapFunction::Atanh => value.atanh(),
        MapFunction::Ceil => value.ceil(),
        MapFunction::Cos => value.cos(),
        MapFunction::Cosh => value.cosh(),
        MapFunction::Deg => value * 180.0 / PI,
        MapFunction::Exp => value.exp(),
        MapFunction::Floor => value.floor(),
        MapFunction::Ln => value.ln(),
        MapFunction::Log10 => value.log10(),
        MapFunction::Log2 => value.log2(),
        MapFunction::Rad => value * PI / 180.0,
        MapFunction::Sgn => sign(value),
        MapFunction::Sin => value.sin(),
        MapFunction::Sinh => value.sinh(),
        MapFunction::Sqrt => value.sqrt(),
        MapFunction::Tan => value.tan(),
        MapFunction::Tanh => value.tanh(),
    }
}

/// -1, 1, or the value itself if it is a zero or NaN.
fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// To the nearest multiple, and up where two are as near.
pub(in crate::eval) fn round(value: f64, nearest: f64) -> f64 {
    // The inverse, as in Prometheus: 0.1 has more rounding in it than 10.
    let inverse = 1.0 / nearest;
    (value * inverse + 0.5).floor() / inverse
}

/// No less than `least`, no more than `most`; a NaN among them is the result, but for an infinity that decides.
pub(in crate::eval) fn clamp(value: f64, least: f64, most: f64) -> f64 {
    larger(least, smaller(most, value))
}

fn larger(a: f64, b: f64) -> f64 {
    match () {
        () if a == f64::INFINITY || b == f64::INFINITY => f64::INFINITY,
        () if a.is_nan() || b.is_nan() => f64::NAN,
        () => a.max(b),
    }
}

fn smaller(a: f64, b: f64) -> f64 {
    match () {
        () if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY => f64::NEG_INFINITY,
        () if a.is_nan() || b.is_nan() => f64::NAN,
        () => a.min(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_goes_up_at_the_half() {
        assert_eq!([round(2.5, 1.0), round(-2.5, 1.0), round(2.34, 0.1)], [3.0, -2.0, 2.3]);
        assert_eq!(round(17.0, 5.0), 15.0);
    }

    #[test]
    fn clamping_passes_nan_on() {
        assert_eq!([clamp(5.0, 0.0, 3.0), clamp(-5.0, 0.0, 3.0), clamp(2.0, 0.0, 3.0)], [3.0, 0.0, 2.0]);
        assert!(clamp(f64::NAN, 0.0, 3.0).is_nan() && clamp(1.0, f64::NAN, 3.0).is_nan());
        assert_eq!(clamp(f64::NAN, f64::INFINITY, f64::INFINITY), f64::INFINITY);
    }

    #[test]
    fn signs_keep_zeros_and_nan() {
        assert_eq!([sign(-0.1), sign(7.0)], [-1.0, 1.0]);
        assert!(sign(-0.0).is_sign_negative() && sign(f64::NAN).is_nan());
        assert_eq!(map(MapFunction::Deg, PI), 180.0);
    }
}
