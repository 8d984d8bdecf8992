//! Numbers: JSON's grammar, I-JSON's range, ECMAScript's way of writing them (RFC 8785 §3.2.2.3).

use super::decimal::Decimal;
use crate::limits::INTEGER_MAX;

/// A number as it stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumberText {
    /// Bytes it takes.
    pub(super) len: usize,
    /// Neither fraction nor exponent.
    pub(super) integer: bool,
}

/// Measures the number that `bytes` starts with; `None` if JSON's grammar knows none such.
pub(super) fn measure(bytes: &[u8]) -> Option<NumberText> {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut len = usize::from(bytes.first() == Some(&b'-'));
    match (bytes.get(len), digits(len)) {
        (_, 0) => return None,
        (Some(b'0'), count) if count > 1 => return None,
        (_, count) => len += count,
    }
    let mut integer = true;
    if bytes.get(len) == Some(&b'.') {
        integer = false;
        match digits(len + 1) {
            0 => return None,
            count => len += 1 + count,
        }
    }
    if matches!(bytes.get(len), Some(b'e' | b'E')) {
        integer = false;
        let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
        match digits(len + 1 + sign) {
            0 => return None,
            count => len += 1 + sign + count,
        }
    }
    Some(NumberText { len, integer })
}

/// The value of a measured number; `None` if it is out of range.
pub(super) fn value(text: &str, integer: bool) -> Option<f64> {
    if integer {
        let whole = text.parse::<i64>().ok()?;
        if whole.unsigned_abs() > INTEGER_MAX {
            return None;
        }
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Measures the number that `text` starts with, if it is written as ECMAScript would write it, and in range.
#[inline]
pub(super) fn measure_canonical(text: &str) -> Option<usize> {
    measure_evident(text).or_else(|| measure_printed(text))
}

/// Measures the number that `text` starts with, if its digits alone tell that it is canonical.
#[inline]
pub(super) fn measure_evident(text: &str) -> Option<usize> {
    Decimal::read(text.as_bytes()).filter(|decimal| decimal.is_evidently_canonical()).map(Decimal::len)
}

/// What [`measure_canonical`] does with a number of which the digits alone do not tell.
#[cold]
fn measure_printed(text: &str) -> Option<usize> {
    let found = measure(text.as_bytes())?;
    is_printed_so(&text[..found.len], found.integer).then_some(found.len)
}

/// Whether a measured number, read as a double and printed again, is `text`.
pub(super) fn is_printed_so(text: &str, integer: bool) -> bool {
    if integer {
        return text != "-0" && text.parse::<i64>().is_ok_and(|whole| whole.unsigned_abs() <= INTEGER_MAX);
    }
    value(text, integer).is_some_and(|value| ryu_js::Buffer::new().format_finite(value) == text)
}

/// Writes `value` as ECMAScript does: the shortest text that reads back as the same double.
pub(super) fn write(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_jsons() {
        for (text, len, integer) in [
            ("0", 1, true),
            ("-0", 2, true),
            ("10,", 2, true),
            ("1.50]", 4, false),
            ("1e5", 3, false),
            ("1E-5 ", 4, false),
        ] {
            assert_eq!(measure(text.as_bytes()), Some(NumberText { len, integer }), "{text}");
        }
        for bad in ["", "-", "01", "-01", ".5", "1.", "1e", "1e+", "+1", "NaN", "Infinity"] {
            assert_eq!(measure(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_appendix_of_rfc_8785_is_written_as_it_stands() {
        for (bits, text) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            let mut out = Vec::new();
            write(f64::from_bits(bits), &mut out);
            assert_eq!(String::from_utf8(out).as_deref(), Ok(text));
        }
    }

    #[test]
    fn integers_stop_where_doubles_stop_being_exact() {
        assert_eq!(value("9007199254740991", true), Some(9_007_199_254_740_991.0));
        for bad in ["9007199254740992", "-9007199254740992", "99999999999999999999"] {
            assert_eq!(value(bad, true), None);
        }
        assert_eq!(value("1e400", false), None);
        assert_eq!(value("1e16", false), Some(1e16));
        assert_eq!(value("1e-400", false), Some(0.0));
    }
}
