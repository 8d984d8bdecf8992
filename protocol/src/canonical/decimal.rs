//! Decimals without an exponent, such as `12.5`: what can be told from their digits, without making a double of them.
//!
//! Nothing is refused here: of a number that is too long or has an exponent nothing is told, and the caller goes the
//! way that knows every number.

use crate::limits::INTEGER_MAX;

/// Digits that a `u64` holds whatever they are.
const DIGITS_MAX: usize = 18;
/// Powers of ten that a double holds exactly, as far as [`DIGITS_MAX`] needs them.
const POWERS: [f64; DIGITS_MAX] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17];
/// The first integer of more than fifteen digits. No two decimals of fifteen digits share a double.
const SIXTEEN_DIGITS: u64 = 1_000_000_000_000_000;
/// Digits behind the point of 1e-6, the smallest magnitude that ECMAScript writes without an exponent.
const SMALLEST_FRACTION: usize = 6;

/// A decimal of JSON's grammar: ±digits / 10^fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: u64,
    fraction: usize,
    len: usize,
}

impl Decimal {
    /// Reads the decimal that `bytes` starts with, if it is one of at most [`DIGITS_MAX`] digits and no exponent.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let negative = bytes.first() == Some(&b'-');
        let start = usize::from(negative);
        let (mut digits, mut len) = take_digits(bytes, start, 0);
        let whole = len - start;
        if whole == 0 || (whole > 1 && bytes[start] == b'0') {
            return None;
        }
        let mut fraction = 0;
        if bytes.get(len) == Some(&b'.') {
            let point = len;
            (digits, len) = take_digits(bytes, point + 1, digits);
            fraction = len - point - 1;
            if fraction == 0 {
                return None;
            }
        }
        let exponent = matches!(bytes.get(len), Some(b'e' | b'E'));
        (whole + fraction <= DIGITS_MAX && !exponent).then_some(Self { negative, digits, fraction, len })
    }

    /// Bytes it takes.
    pub(crate) const fn len(self) -> usize {
        self.len
    }

    /// Its value, if it is an integer from 0.
    pub(crate) const fn integer(self) -> Option<u64> {
        if self.fraction == 0 && !self.negative { Some(self.digits) } else { None }
    }

    /// Whether its digits alone tell that ECMAScript writes its double so, and that it is in range.
    ///
    /// What no two decimals of fifteen digits share, none of them shares with a shorter one either: the double nearest
    /// to such a decimal has no shorter text, and no other as short.
    #[inline]
    pub(crate) const fn is_evidently_canonical(self) -> bool {
        if self.fraction == 0 {
            return self.digits <= INTEGER_MAX && !(self.negative && self.digits == 0);
        }
        self.digits < SIXTEEN_DIGITS
            && !self.digits.is_multiple_of(10)
            && (self.fraction <= SMALLEST_FRACTION
                || self.digits as f64 >= POWERS[self.fraction - SMALLEST_FRACTION])
    }

    /// The double nearest to it, if one division makes it: of two exact doubles the quotient is rounded correctly
    /// (Clinger 1990, "How to read floating point numbers accurately").
    #[inline]
    pub(crate) const fn value(self) -> Option<f64> {
        if self.digits > INTEGER_MAX {
            return None;
        }
        let magnitude = self.digits as f64 / POWERS[self.fraction];
        Some(if self.negative { -magnitude } else { magnitude })
    }
}

/// Appends the decimal digits from `at` on to `sum`; where they end. Too many of them wrap, and are counted.
#[inline]
fn take_digits(bytes: &[u8], mut at: usize, mut sum: u64) -> (u64, usize) {
    while let Some(digit) = bytes.get(at).map(|b| b.wrapping_sub(b'0')).filter(|&digit| digit <= 9) {
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (sum, at)
}

#[cfg(test)]
mod tests {
    use super::{super::number, *};
    use proptest::prelude::*;

    fn decimal() -> impl Strategy<Value = String> {
        prop_oneof![
            "-?[0-9]{1,20}",
            "-?[0-9]{1,3}\\.[0-9]{1,3}",
            "-?(0|[1-9][0-9]{0,17})\\.[0-9]{0,17}",
            "-?0\\.0{0,8}[0-9]{1,16}",
            "-?[0-9]{1,4}(\\.[0-9]{1,4})?[eE][+-]?[0-9]{1,2}",
            "[0-9.eE+-]{0,6}",
            any::<f64>().prop_map(|value| format!("{value}")),
            any::<u64>().prop_map(|bits| ryu_js::Buffer::new().format(f64::from_bits(bits)).to_owned()),
            (any::<i64>(), 0..18_i32)
                .prop_map(|(digits, power)| (digits as f64 / 10_f64.powi(power)).to_string()),
            prop::sample::select(vec![
                "0",
                "-0",
                "0.0",
                "-0.0",
                "0.000001",
                "0.0000001",
                "0.00000123",
                "0.000000999",
                "10.0",
                "1.10",
                "9007199254740991",
                "9007199254740992",
                "-9007199254740991",
                "999999999999999.9",
                "0.1",
                "-0.1",
                "99999999999999.95",
                "0.3",
                "0.30000000000000004",
                "5e-324",
                "123456789012345.5",
                "00.5",
                "1.",
                "9.00719925474099",
                "0.000001000000000001",
                "0.00000100000000000001",
                "1000000000000000.1",
            ])
            .prop_map(str::to_owned),
        ]
    }

    /// What is canonical by ECMAScript's own printing of the double.
    fn printed(text: &str) -> bool {
        number::measure(text.as_bytes())
            .is_some_and(|found| found.len == text.len() && number::is_printed_so(text, found.integer))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn evident_is_canonical_and_canonical_is_evident_up_to_fifteen_digits(text in decimal()) {
            let found = Decimal::read(text.as_bytes()).filter(|decimal| decimal.len == text.len());
            let evident = found.is_some_and(Decimal::is_evidently_canonical);
            let canonical = printed(&text);
            prop_assert!(canonical || !evident, "{}", text);
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            if canonical && digits <= 15 && !text.contains('e') {
                prop_assert!(evident, "{}", text);
            }
        }

        #[test]
        fn the_value_is_that_of_a_full_parser(text in decimal()) {
            let Some(found) = Decimal::read(text.as_bytes()).filter(|decimal| decimal.len == text.len()) else {
                return Ok(());
            };
            prop_assert!(number::measure(text.as_bytes()).is_some_and(|number| number.len == text.len()));
            if let Some(value) = found.value() {
                prop_assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
            }
            if let Some(integer) = found.integer() {
                prop_assert_eq!(Ok(integer), text.parse::<u64>(), "{}", text);
            }
        }
    }

    #[test]
    fn a_decimal_ends_where_its_digits_end() {
        for (text, len) in
            [("12.5,", 4), ("-7}", 2), ("0.25", 4), ("0]", 1), (&"9".repeat(DIGITS_MAX), DIGITS_MAX)]
        {
            assert_eq!(Decimal::read(text.as_bytes()).map(Decimal::len), Some(len), "{text}");
        }
        for other in
            ["", "-", "01", "-01", ".5", "1.", "1.,", "1e5", "1.5E2", "x", &"9".repeat(DIGITS_MAX + 1)]
        {
            assert_eq!(Decimal::read(other.as_bytes()), None, "{other}");
        }
    }
}
