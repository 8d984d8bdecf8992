//! What is looked at before the parser sees a text: it comes from outside, and the parser is someone else's.
//!
//! The parser's tree is as deep as a text can be nested, and is walked by functions that call themselves; it panics
//! at durations that no clock can hold. So the text is bounded first, by a scan that knows strings, comments and little
//! else.

use crate::error::Error;

/// The longest query, in bytes. Dashboards' longest have some ten thousand.
pub const QUERY_BYTES_MAX: usize = 64 * 1024;
/// Operators and opening brackets of a query: each may nest it one deeper.
pub const QUERY_OPERATORS_MAX: usize = 2_000;
/// Regular expressions of a query, each of which may be compiled.
pub const QUERY_PATTERNS_MAX: usize = 64;
/// The longest duration, in seconds: 1 000 years of 365 days. Sums with any moment still fit.
pub const DURATION_SECONDS_MAX: f64 = 1_000.0 * 365.0 * 86_400.0;
/// Digits of a number in a duration. Behind it comes a unit, so this is beyond [`DURATION_SECONDS_MAX`] anyway.
const DURATION_DIGITS_MAX: usize = 9;

/// Refuses what the parser must not see.
pub(super) fn admit(text: &str) -> Result<(), Error> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(Error::query(format!("parse error: query is longer than {QUERY_BYTES_MAX} bytes")));
    }
    Scan { rest: text, operators: 0, patterns: 0, in_brackets: false, after_offset: false }.run()
}

struct Scan<'a> {
    rest: &'a str,
    operators: usize,
    patterns: usize,
    /// Within `[…]`, and behind `offset` and its sign, a number is a duration.
    in_brackets: bool,
    after_offset: bool,
}

impl Scan<'_> {
    fn run(mut self) -> Result<(), Error> {
        while let Some(c) = self.rest.chars().next() {
            match c {
                '"' | '\'' | '`' => self.skip_string(c),
                '#' => self.skip_while(|c| c != '\n' && c != '\r'),
                c if c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.') => self.word()?,
                c if c.is_whitespace() => self.skip(c),
                _ => self.sign(c)?,
            }
        }
        Ok(())
    }

    fn sign(&mut self, c: char) -> Result<(), Error> {
        if self.rest.starts_with("=~") || self.rest.starts_with("!~") {
            self.patterns += 1;
        }
        self.in_brackets = c == '[' || self.in_brackets && c != ']';
        self.after_offset &= matches!(c, '+' | '-');
        if "([{+-*/%^=!<>".contains(c) {
            self.operators += 1;
        }
        self.skip(c);
        self.check()
    }

    fn word(&mut self) -> Result<(), Error> {
        let before = self.rest;
        self.skip_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.'));
        let word = &before[..before.len() - self.rest.len()];
        // Inside brackets a colon parts two durations: `[1h:5m]`.
        for part in word.split(':') {
            self.duration(part)?;
        }
        if ["and", "or", "unless", "atan2"].iter().any(|operator| word.eq_ignore_ascii_case(operator)) {
            self.operators += 1;
        }
        self.after_offset = word.eq_ignore_ascii_case("offset");
        self.check()
    }

    /// Refuses a duration that is longer than any clock's, also where a number stands for one.
    fn duration(&self, word: &str) -> Result<(), Error> {
        let stands_for_one = self.in_brackets || self.after_offset;
        let longest = word.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
        let starts_as_number = word.starts_with(|c: char| c.is_ascii_digit());
        let has_unit = starts_as_number
            && !word.starts_with("0x")
            && !word.starts_with("0X")
            && word.ends_with(['s', 'm', 'h', 'd', 'w', 'y']);
        let too_long = match word.parse::<f64>() {
            Ok(seconds) => stands_for_one && !(0.0..=DURATION_SECONDS_MAX).contains(&seconds),
            Err(_) => (has_unit || stands_for_one && starts_as_number) && longest > DURATION_DIGITS_MAX,
        };
        if too_long {
            return Err(Error::query(format!("parse error: duration out of range: {word:?}")));
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |what: &str, most: usize| {
            Err(Error::query(format!("parse error: query has more than {most} {what}")))
        };
        if self.operators > QUERY_OPERATORS_MAX {
            return refuse("operators and brackets", QUERY_OPERATORS_MAX);
        }
        if self.patterns > QUERY_PATTERNS_MAX {
            return refuse("regular expressions", QUERY_PATTERNS_MAX);
        }
        Ok(())
    }

    fn skip(&mut self, c: char) {
        self.rest = &self.rest[c.len_utf8()..];
    }

    fn skip_while(&mut self, belongs: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(belongs);
    }

    fn skip_string(&mut self, quote: char) {
        self.after_offset = false;
        self.skip(quote);
        while let Some(c) = self.rest.chars().next() {
            self.skip(c);
            if c == quote {
                return;
            }
            if c == '\\'
                && quote != '`'
                && let Some(escaped) = self.rest.chars().next()
            {
                self.skip(escaped);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_that_no_clock_holds_are_refused() {
        for text in [
            "x[1e300]",
            "x[99999999999]",
            "x[9999999999s]",
            "x[5m:1e300]",
            "x[ 5m : 99999999999 ]",
            "x offset 1e300",
            "x offset - 1e300",
            "x OFFSET NaN",
            "x offset Inf",
            "99999999999999999999d",
        ] {
            assert!(admit(text).is_err_and(|error| error.to_string().contains("out of range")), "{text}");
        }
        for text in
            ["x[5m]", "x[300] offset -1.5", "1e300 + 5m", "x{a=\"[1e300]\"}", "a:b:5m", "x[1h:30] # [1e300]"]
        {
            assert_eq!(admit(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_text_is_bounded_in_each_way() {
        let refused = |text: String| admit(&text).unwrap_err().to_string();
        assert!(refused("x".repeat(QUERY_BYTES_MAX + 1)).contains("longer than 65536 bytes"));
        assert!(refused("(".repeat(QUERY_OPERATORS_MAX + 1)).contains("more than 2000 operators"));
        assert!(refused("1 or ".repeat(QUERY_OPERATORS_MAX + 1)).contains("more than 2000 operators"));
        let patterns = "a=~\"b\",".repeat(QUERY_PATTERNS_MAX + 1);
        assert!(refused(format!("x{{{patterns}}}")).contains("more than 64 regular"));
        assert_eq!(admit(&format!("x{{a=\"{}\"}}", "(".repeat(QUERY_OPERATORS_MAX + 1))), Ok(()));
    }
}
