//! Numbers as Prometheus prints them.
//!
//! [`value`] is what its HTTP API puts into the string of a sample, in vectors and matrices. [`plain`] never uses an
//! exponent: it is what the API puts into the string of a scalar, and `count_values` into a label. [`timestamp`] is a
//! moment in seconds. All print the fewest digits that read
//! back as the same number.

use std::fmt::Write;

/// Below this, and not zero, [`value`] prints an exponent.
const EXPONENT_BELOW: f64 = 1e-6;
/// From here on, [`value`] prints an exponent.
const EXPONENT_FROM: f64 = 1e21;

/// A sample's value: `"1.5"`, `"1e+21"`, `"NaN"`, `"+Inf"`.
pub fn value(number: f64) -> String {
    let mut out = String::new();
    write_value(&mut out, number);
    out
}

/// Like [`value`], behind what is already in `out`.
pub fn write_value(out: &mut String, number: f64) {
    let size = number.abs();
    if size != 0.0 && size.is_finite() && !(EXPONENT_BELOW..EXPONENT_FROM).contains(&size) {
        write_exponent(out, number);
    } else {
        write_plain(out, number);
    }
}

/// A number without an exponent, however long: `"0.0000001"`, `"+Inf"`.
pub fn plain(number: f64) -> String {
    let mut out = String::new();
    write_plain(&mut out, number);
    out
}

/// Like [`plain`], behind what is already in `out`.
pub fn write_plain(out: &mut String, number: f64) {
    // Writing into a string cannot fail.
    let _ = match number {
        number if number.is_nan() => out.write_str("NaN"),
        f64::INFINITY => out.write_str("+Inf"),
        f64::NEG_INFINITY => out.write_str("-Inf"),
        _ => write!(out, "{number}"),
    };
}

/// A moment in milliseconds as seconds with at most three decimals and no zeros behind them: `"1767225600.003"`.
pub fn timestamp(milliseconds: i64) -> String {
    let mut out = String::new();
    write_timestamp(&mut out, milliseconds);
    out
}

/// Like [`timestamp`], behind what is already in `out`.
pub fn write_timestamp(out: &mut String, milliseconds: i64) {
    let size = milliseconds.unsigned_abs();
    let (seconds, rest) = (size / 1000, size % 1000);
    let sign = if milliseconds < 0 { "-" } else { "" };
    let _ = write!(out, "{sign}{seconds}");
    if rest > 0 {
        let _ = write!(out, ".{rest:03}");
        out.truncate(out.trim_end_matches('0').len());
    }
}

/// With a sign and at least two digits in the exponent: `"1e-07"`.
fn write_exponent(out: &mut String, number: f64) {
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(size) => ('-', size),
        None => ('+', exponent),
    };
    let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_look_as_prometheus_prints_them() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.25e21, "-1.25e+21"),
            (1e-6, "0.000001"),
            (9.5e-7, "9.5e-07"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(value(number), text);
        }
        assert_eq!(plain(1e-7), "0.0000001");
        assert_eq!(plain(1e21), "1000000000000000000000");
    }

    #[test]
    fn moments_have_at_most_three_decimals() {
        for (milliseconds, text) in [
            (0, "0"),
            (4_000, "4"),
            (1_767_225_600_003, "1767225600.003"),
            (100, "0.1"),
            (1_120, "1.12"),
            (-1_500, "-1.5"),
            (10, "0.01"),
        ] {
            assert_eq!(timestamp(milliseconds), text);
        }
    }
}
