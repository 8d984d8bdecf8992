//! A history in a folder of its own, opened through the doors that the hub opens it by. Nothing runs beside: full
//! segments are sealed, and parts merged, when it is asked for. The folder goes with it.

use crate::{fleet::Fleet, sizes::Sizes};
use indicatif::{ProgressBar, ProgressStyle};
use pingup_protocol::{ids::AgentIdError, time::Timestamp};
use pingup_server::{
    clock::Clock,
    storage::{DataFolder, DiskSpace, Duck, DuckSettings, Faults, Sqlite, StorageError},
    tsdb::{Appender, Opened, Places, Retention, Tsdb, TsdbError, record::OwnedRows},
};
use std::{fmt, io, path::Path, time::Duration};
use tempfile::TempDir;

/// The end of all samples: 2027-01-15T08:00:00Z.
pub const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
/// Hours, days and the time after which a period that is over is finished, seconds.
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// Why there is no history to measure.
#[derive(Debug)]
pub enum HistoryError {
    /// No folder for it.
    Folder(io::Error),
    /// The cellar.
    Storage(StorageError),
    /// The history itself.
    Tsdb(TsdbError),
    /// An agent has no name.
    Name(AgentIdError),
}

impl From<io::Error> for HistoryError {
    fn from(error: io::Error) -> Self {
        Self::Folder(error)
    }
}

impl From<StorageError> for HistoryError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<TsdbError> for HistoryError {
    fn from(error: TsdbError) -> Self {
        Self::Tsdb(error)
    }
}

impl From<AgentIdError> for HistoryError {
    fn from(error: AgentIdError) -> Self {
        Self::Name(error)
    }
}

/// An open history, and what it lies on.
pub struct OpenHistory {
    /// Stands still at [`NOW`] until it is moved.
    pub clock: Clock,
    /// The records: the catalogue is in them.
    pub sqlite: Sqlite,
    /// Reads and writes parts.
    pub engine: Duck,
    /// For readers.
    pub tsdb: Tsdb,
    /// For the one writer.
    pub appender: Appender,
    // Goes last: everything above lies in it.
    _folder: TempDir,
}

impl OpenHistory {
    /// An empty history in a new folder below `dir`.
    pub fn empty(dir: &Path) -> Result<Self, HistoryError> {
        let place = tempfile::Builder::new().prefix("pingup-bench-").tempdir_in(dir)?;
        let folder = DataFolder::open_or_create(&place.path().join("data"))?;
        let (clock, disk) = (Clock::fixed(NOW), DiskSpace::watch(folder.path(), 0)?);
        let sqlite = Sqlite::open(&folder.sqlite_path(), disk.clone(), NOW)?;
        let places = Places::below(folder.path());
        places.create()?;
        let readable = std::slice::from_ref(&places.parts);
        let engine = Duck::open(DuckSettings::default(), &places.scratch, readable)?;
        let opened = Tsdb::open(
            places.clone(),
            sqlite.clone(),
            engine.clone(),
            clock.clone(),
            retention(),
            disk,
            Faults::none(),
        )?;
        let Opened { tsdb, appender } = opened;
        Ok(Self { clock, sqlite, engine, tsdb, appender, _folder: place })
    }

    /// A history of `sizes`, ending at [`NOW`], with scans by the hour; as a hub leaves it that has had the time to
    /// put it in order.
    pub fn filled(sizes: &Sizes, fleet: &mut Fleet) -> Result<Self, HistoryError> {
        let mut history = Self::empty(&sizes.dir)?;
        let bar = bar(sizes.days);
        for day in (1..=sizes.days).rev() {
            let step = if day == 1 { sizes.last_day_step_seconds } else { sizes.step_seconds };
            let begin = NOW.plus_seconds(-day * DAY);
            for hour in 0..DAY / HOUR {
                let begin = begin.plus_seconds(hour * HOUR);
                let moments = (0..HOUR / step).map(|number| begin.plus_seconds(number * step));
                let (samples, scans) = (fleet.samples(moments), fleet.scans(begin));
                history.appender.append(&OwnedRows { samples, scans, ..OwnedRows::default() }.borrow())?;
                history.seal_full()?;
            }
            bar.inc(1);
        }
        // Periods that are over are finished after a while.
        history.clock.advance(HOUR);
        while history.tsdb.compact_once()? {}
        bar.finish_and_clear();
        Ok(history)
    }

    /// Seals the segments that are full.
    pub fn seal_full(&self) -> Result<(), HistoryError> {
        while self.tsdb.seal_oldest()? {}
        Ok(())
    }
}

impl fmt::Debug for OpenHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.tsdb.view();
        write!(f, "OpenHistory({} segments, {} parts)", view.segments.len(), view.parts.len())
    }
}

/// As the hub has it by default.
pub const fn retention() -> Retention {
    const fn days(days: u64) -> Duration {
        Duration::from_secs(days * 86_400)
    }
    Retention { raw: days(30), minute: days(90), hour: days(730) }
}

/// Draws on standard error, and only where somebody sees it.
fn bar(days: i64) -> ProgressBar {
    let bar = ProgressBar::new(days.unsigned_abs()).with_message("filling the history");
    // The template is a constant; should it not be read, the standard bar does.
    if let Ok(style) = ProgressStyle::with_template("{msg} [{wide_bar}] {pos}/{len} days {eta}") {
        bar.set_style(style);
    }
    bar
}
