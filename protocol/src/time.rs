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
