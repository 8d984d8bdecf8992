//! Values as people write them: `30d`, `64MiB`. The same words in flags, variables and the file.

use serde::Deserialize;
use std::{fmt, str::FromStr, time::Duration};

/// A length of time, such as `30d`, `1h 30m` or `90s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(Duration);

/// How often something happens by itself: a length of time, or `off` (also `0`) for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Period(Option<Duration>);

/// A number of bytes: `67108864`, `64MiB` (binary) or `64MB` (decimal); in the file a plain number will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "NumberOrText")]
pub struct Bytes(u64);

/// What DuckDB may use, in the words that it reads itself, such as `64MB`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct MemoryLimit(String);

/// Why a word is not what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// Not a length of time.
    #[error("a time such as 90s, 1h or 30d expected")]
    Span,
    /// Neither a length of time nor never.
    #[error("a time such as 30d, or off, expected")]
    Period,
    /// Not a number of bytes.
    #[error("a size such as 67108864, 64MB or 64MiB expected")]
    Bytes,
    /// Not a memory limit.
    #[error("a size such as 64MB or 1GiB expected, at least 16MB")]
    MemoryLimit,
}

/// With less, DuckDB cannot even append a batch.
const DUCKDB_MEMORY_BYTES_MIN: u64 = 16_000_000;

/// Bytes of each unit.
const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

impl Span {
    /// As a duration.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl Period {
    /// As a duration; `None` for never.
    pub const fn get(self) -> Option<Duration> {
        self.0
    }
}

impl Bytes {
    /// As a number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl MemoryLimit {
    /// The words.
    pub fn into_text(self) -> String {
        self.0
    }
}

impl Default for MemoryLimit {
    fn default() -> Self {
        Self("64MB".to_owned())
    }
}

impl FromStr for Span {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        humantime::parse_duration(text).map(Self).map_err(|_| WordError::Span)
    }
}

impl FromStr for Period {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        match text {
            "off" | "0" => Ok(Self(None)),
            _ => text.parse::<Span>().map(|span| Self(Some(span.get()))).map_err(|_| WordError::Period),
        }
    }
}

impl FromStr for Bytes {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let (number, unit) = UNITS
            .iter()
            .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?.trim_end(), *bytes)))
            .unwrap_or((text, 1));
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(WordError::Bytes);
        }
        let number: u64 = number.parse().map_err(|_| WordError::Bytes)?;
        number.checked_mul(unit).map(Self).ok_or(WordError::Bytes)
    }
}

impl FromStr for MemoryLimit {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let bytes = text.parse::<Bytes>().map_err(|_| WordError::MemoryLimit)?;
        // A bare number is no limit in DuckDB's words.
        let has_unit = text.ends_with('B');
        if has_unit && bytes.get() >= DUCKDB_MEMORY_BYTES_MIN {
            Ok(Self(text.to_owned()))
        } else {
            Err(WordError::MemoryLimit)
        }
    }
}

impl TryFrom<String> for Span {
    type Error = WordError;

    fn try_from(text: String) -> Result<Self, WordError> {
        text.parse()
    }
}

impl TryFrom<String> for Period {
    type Error = WordError;

    fn try_from(text: String) -> Result<Self, WordError> {
        text.parse()
    }
}

impl TryFrom<String> for MemoryLimit {
    type Error = WordError;

    fn try_from(text: String) -> Result<Self, WordError> {
        text.parse()
    }
}

impl TryFrom<NumberOrText> for Bytes {
    type Error = WordError;

    fn try_from(value: NumberOrText) -> Result<Self, WordError> {
        match value {
            NumberOrText::Number(number) => Ok(Self(number)),
            NumberOrText::Text(text) => text.parse(),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_both_systems() {
        for (text, bytes) in
            [("0", 0), ("67108864", 64 << 20), ("64MiB", 64 << 20), ("64 MB", 64_000_000), ("5B", 5)]
        {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for bad in ["", "MB", "-1", "+1", "1.5GB", "64mb", "1 2", "99999999999TB", "64M"] {
            assert_eq!(bad.parse::<Bytes>(), Err(WordError::Bytes), "{bad:?}");
        }
    }

    #[test]
    fn a_memory_limit_has_a_unit_and_a_least() {
        assert_eq!("64MB".parse(), Ok(MemoryLimit::default()));
        for bad in ["64000000", "15MB", "lots", "64MB'; DROP TABLE metrics; --"] {
            assert_eq!(bad.parse::<MemoryLimit>(), Err(WordError::MemoryLimit), "{bad}");
        }
    }

    #[test]
    fn times_are_read_and_written() {
        assert_eq!("90s".parse::<Span>().map(|span| span.to_string()), Ok("1m 30s".to_owned()));
        for bad in ["", "30", "d", "-1h", "1 fortnight"] {
            assert_eq!(bad.parse::<Span>(), Err(WordError::Span), "{bad:?}");
        }
        let period = |text: &str| text.parse::<Period>().map(Period::get);
        assert_eq!(period("30s"), Ok(Some(Duration::from_secs(30))));
        assert_eq!(
            (period("off"), period("0"), period("never")),
            (Ok(None), Ok(None), Err(WordError::Period))
        );
    }
}
