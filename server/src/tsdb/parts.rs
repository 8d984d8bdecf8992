//! Parts: immutable Parquet files, each of one tier and one period, ordered by agent and time.

use super::{fleet::FLEET, rollup::DAY};
use pingup_protocol::time::Timestamp;
use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Samples as they came; a day a period.
    Raw,
    /// Rollups by the minute; a day a period.
    Minute,
    /// Rollups by the hour; a month a period.
    Hour,
    /// Scans; a day a period.
    Scans,
    /// Samples of series that others write; a day a period.
    Points,
}

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 5] = [Self::Raw, Self::Minute, Self::Hour, Self::Scans, Self::Points];

    /// Its name, and its folder's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Scans => "scans",
            Self::Points => "points",
        }
    }

    /// The tier of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == name)
    }

    /// The first day of the period that `day` lies in.
    pub fn period(self, day: i64) -> i64 {
        match self {
            Self::Raw | Self::Minute | Self::Scans | Self::Points => day,
            Self::Hour => first_of_month(day),
        }
    }

    /// The moment, in microseconds, at which the period that begins on `day` is over.
    pub fn end(self, period: i64) -> i64 {
        let next = match self {
            Self::Raw | Self::Minute | Self::Scans | Self::Points => period + 1,
            // No month is longer than 31 days.
            Self::Hour => first_of_month(period + 31),
        };
        next.saturating_mul(DAY)
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the catalogue knows of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRow {
    /// Its number, given once.
    pub id: u64,
    /// What it holds.
    pub tier: Tier,
    /// Its period's first day, counted from 1970.
    pub period: i64,
    /// How often its rows were merged.
    pub level: u32,
    /// Rows in it.
    pub rows: u64,
    /// Its file's size.
    pub bytes: u64,
    /// Its first and last moment, microseconds.
    pub times: (i64, i64),
    /// Its first and last agent; the last is the [`FLEET`] where it has rows of that. Of points, the keys of series.
    pub agents: (String, String),
    /// When it was made, by the hub's clock.
    pub created: Timestamp,
    /// The CRC-32 of its file; unknown of one that was written before there were any.
    pub crc32: Option<u32>,
}

impl PartRow {
    /// Whether it has the fleet's rows.
    pub fn has_fleet(&self) -> bool {
        self.agents.1 == FLEET
    }

    /// Its file, below the folder of all parts.
    pub fn file(&self) -> PathBuf {
        let (year, month, day) = civil(self.period);
        PathBuf::from(self.tier.as_str())
            .join(format!("{year:04}-{month:02}-{day:02}-{:010}.parquet", self.id))
    }
}

/// A part that readers may hold. Its file goes once it was retired and nobody holds it any more.
#[derive(Debug)]
pub struct Part {
    row: PartRow,
    path: PathBuf,
    retired: AtomicBool,
    garbage: Arc<Garbage>,
}

impl Part {
    /// The part `row` below `folder`.
    pub fn new(row: PartRow, folder: &Path, garbage: &Arc<Garbage>) -> Self {
        let path = folder.join(row.file());
        Self { row, path, retired: AtomicBool::new(false), garbage: Arc::clone(garbage) }
    }

    /// What the catalogue knows.
    pub const fn row(&self) -> &PartRow {
        &self.row
    }

    /// Where its file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that the catalogue does not have it any more.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Whether rows of the agent within `range` can be in it; of any agent without one.
    pub fn may_hold(&self, agent_id: Option<&str>, range: &Range<Timestamp>) -> bool {
        let (first, last) = self.row.times;
        let in_time = first < range.end.as_micros() && last >= range.start.as_micros();
        let (first, last) = &self.row.agents;
        in_time && agent_id.is_none_or(|agent_id| (first.as_str()..=last.as_str()).contains(&agent_id))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.retired.load(Ordering::Acquire) {
            self.garbage.put(vec![std::mem::take(&mut self.path)]);
        }
    }
}

/// Files that nobody needs any more, to be deleted when no backup is being made.
#[derive(Debug, Default)]
pub struct Garbage(Mutex<Vec<PathBuf>>);

impl Garbage {
    /// Takes out what there is.
    pub fn take(&self) -> Vec<PathBuf> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// How much there is.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Puts in what nobody needs any more.
    pub fn put(&self, paths: Vec<PathBuf>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(paths);
    }
}

/// Year, month and day of the `day` counted from 1970, in the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, of_month)
}

fn first_of_month(day: i64) -> i64 {
    day + 1 - civil(day).2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (day, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (20_778, (2026, 11, 21)),
            (-719_528, (0, 1, 1)),
        ] {
            assert_eq!(civil(day), date);
        }
    }

    #[test]
    fn a_period_is_a_day_or_a_month() {
        assert_eq!(Tier::Raw.period(20_778), 20_778);
        assert_eq!(Tier::Raw.end(20_778), 20_779 * DAY);
        assert_eq!(Tier::Hour.period(20_778), 20_758);
        assert_eq!(civil(Tier::Hour.end(20_758) / DAY), (2026, 12, 1));
        let february = Tier::Hour.period(11_016);
        assert_eq!(civil(Tier::Hour.end(february) / DAY), (2000, 3, 1));
    }

    #[test]
    fn the_name_of_a_file_tells_its_day_and_number() {
        let row = PartRow {
            id: 7,
            tier: Tier::Hour,
            period: 20_758,
            level: 0,
            rows: 1,
            bytes: 1,
            times: (0, 0),
            agents: ("a".to_owned(), "b".to_owned()),
            created: Timestamp::from_micros(0),
            crc32: None,
        };
        assert_eq!(row.file(), Path::new("hour/2026-11-01-0000000007.parquet"));
    }
}
