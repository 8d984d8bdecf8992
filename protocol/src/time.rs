//! Moments, as they travel (RFC 3339) and as they are kept (microseconds since 1970, UTC).
//!
//! More than six fractional digits are cut, since the store keeps microseconds. Nobody here reads a clock.

use ::time::{OffsetDateTime, format_description::well_known::Rfc3339};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt};

/// A moment in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, format = DateTime))]
pub struct Timestamp(i64);

/// Why a text is no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is RFC 3339 text such as 2026-02-25T10:00:00Z")]
pub struct TimestampError;

impl Timestamp {
    /// Reads RFC 3339 text, any offset.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        if let Some(micros) = parse_plain(text.as_bytes()) {
            return Ok(Self(micros));
        }
        Self::parse_any(text)
    }

    fn parse_any(text: &str) -> Result<Self, TimestampError> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError)?;
        let micros =
            i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000)).map_err(|_| TimestampError)?;
        // An offset can carry a text beyond the years that can be written again.
        if (FIRST_MICROS..=LAST_MICROS).contains(&micros) { Ok(Self(micros)) } else { Err(TimestampError) }
    }

    /// The moment that lies `micros` microseconds after 1970 began.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970 began.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This moment moved by `seconds`; stays at the edge of what can be told.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// The calendar year, UTC.
    pub fn year(self) -> i32 {
        self.calendar().year()
    }

    /// The moment on the calendar, or the edge of what can be written.
    fn calendar(self) -> OffsetDateTime {
        let micros = self.0.clamp(FIRST_MICROS, LAST_MICROS);
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// The first and the last moment that RFC 3339 can write: 0000-01-01T00:00:00Z, 9999-12-31T23:59:59.999999Z.
const FIRST_MICROS: i64 = ::time::macros::datetime!(0000-01-01 0:00 UTC).unix_timestamp() * 1_000_000;
const LAST_MICROS: i64 =
    ::time::macros::datetime!(9999-12-31 23:59:59 UTC).unix_timestamp() * 1_000_000 + 999_999;

/// Reads `YYYY-MM-DDTHH:MM:SS`, perhaps a fraction of up to nine digits, `Z`. `None` is no verdict.
fn parse_plain(text: &[u8]) -> Option<i64> {
    let (head, tail) = text.split_first_chunk::<19>()?;
    let separators = [head[4], head[7], head[10], head[13], head[16]] == *b"--T::";
    let two = |at: usize| match [head[at].wrapping_sub(b'0'), head[at + 1].wrapping_sub(b'0')] {
        [tens @ 0..=9, ones @ 0..=9] => Some(i64::from(tens) * 10 + i64::from(ones)),
        _ => None,
    };
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    let clock = hour < 24 && minute < 60 && second < 60;
    if !separators || !clock || !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day)
    {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds * 1_000_000 + parse_fraction(tail)?)
}

/// Reads what stands behind the seconds: `Z`, or a fraction and `Z`; in microseconds.
fn parse_fraction(tail: &[u8]) -> Option<i64> {
    let digits = match tail {
        b"Z" => return Some(0),
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => digits,
        _ => return None,
    };
    let (mut micros, mut unit) = (0, 100_000);
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        micros += i64::from(digit - b'0') * unit;
        unit /= 10;
    }
    Some(micros)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms":
/// years begin in March, so that the leap day is a year's last).
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.calendar().format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        let moment = (FIRST_MICROS..=LAST_MICROS).prop_map(|micros| Timestamp(micros).to_string());
        prop_oneof![
            "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,11})?(Z|z|\\+01:00|-00:00|)",
            "(1900|2000|2023|2024|0000|9999)-(02|02|12|01)-(28|29|30|31|01)[Tt ](00|23|24):(00|59|60):(00|59|60)(\\.[09]{1,10})?Z",
            (moment, any::<prop::sample::Index>(), "[0-9TZ.:+ -]").prop_map(|(text, at, c)| {
                let at = at.index(text.len());
                [&text[..at], &c, &text[at + 1..]].concat()
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_plain_way_says_what_the_other_says(text in text()) {
            prop_assert_eq!(Timestamp::parse(&text), Timestamp::parse_any(&text), "{}", text);
        }

        #[test]
        fn what_was_written_is_read_the_plain_way(micros in FIRST_MICROS..=LAST_MICROS) {
            prop_assert_eq!(parse_plain(Timestamp(micros).to_string().as_bytes()), Some(micros));
        }
    }

    #[test]
    fn every_day_of_the_calendar_is_read_the_plain_way() {
        for day in FIRST_MICROS / 86_400_000_000..=LAST_MICROS / 86_400_000_000 {
            let micros = day * 86_400_000_000;
            assert_eq!(parse_plain(Timestamp(micros).to_string().as_bytes()), Some(micros));
        }
    }

    #[test]
    fn reads_and_writes_the_same_moment() {
        for (text, written) in [
            ("2026-02-25T10:00:00Z", "2026-02-25T10:00:00Z"),
            ("2026-02-25T11:00:00+01:00", "2026-02-25T10:00:00Z"),
            ("2026-02-25T10:00:00.25Z", "2026-02-25T10:00:00.25Z"),
            ("2026-02-25T10:00:00.123456789Z", "2026-02-25T10:00:00.123456Z"),
        ] {
            assert_eq!(Timestamp::parse(text).map(|t| t.to_string()), Ok(written.to_owned()));
        }
    }

    #[test]
    fn refuses_what_only_looks_like_a_time() {
        for bad in [
            "",
            "2026-02-25",
            "2026-02-25T10:00:00",
            "2026-13-25T10:00:00Z",
            "1772013600",
            "2026-02-30T10:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(bad), Err(TimestampError), "{bad:?}");
        }
    }

    #[test]
    fn the_edges_of_time_can_be_printed() {
        assert_eq!(Timestamp::from_micros(i64::MAX).to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp::from_micros(i64::MIN).to_string(), "0000-01-01T00:00:00Z");
        for beyond in ["0000-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"] {
            assert_eq!(Timestamp::parse(beyond), Err(TimestampError), "{beyond}");
        }
    }
}
