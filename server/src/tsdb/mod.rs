//! The history as it lies on disk and in memory: one store of samples, scans, rollups, and points (samples of series
//! that others write) for all rooms.
//!
//! The road of a row, a file a step:
//!
//! 1. [`append`]: the ingest's writer gives a group; it becomes one record of the journal ([`record`]), synced,
//!    and then rows of the [`head`], in memory. Only now is it answered.
//! 2. [`seal`]: a segment of the journal that is full, or a day old, is written as Parquet parts ([`parts`]): its
//!    samples by day, ordered by agent and time; what they add up to by the hour ([`rollup`]), and all of those
//!    together ([`fleet`]); its scans; its points, ordered by series and time. One transaction of the [`catalogue`]
//!    makes the parts be, with the segment's marks and number. Then the segment goes.
//! 3. [`compact`]: parts of one period become one, [`retain`] lets old ones go: samples past their time leave
//!    rollups by the minute behind.
//!
//! A reader takes a [`View`]: the segments and parts of one moment. What seals or merges publishes the next
//! view in one step, so each row is in a view exactly once; files go when no view has them any more.
//!
//! Everything is idempotent and can be killed at any point: what the catalogue does not list is swept away at
//! start ([`open`]), what it lists as sealed is dropped from the journal, and the rest of the journal is read
//! back.

pub mod append;
mod attempts;
pub mod backup;
mod belief;
pub mod catalogue;
pub mod checksum;
pub mod compact;
mod condition;
pub mod damaged;
mod error;
pub mod export;
pub mod fleet;
pub mod former;
pub mod head;
pub mod keeper;
pub mod lanes;
pub mod leftovers;
pub(crate) mod merge;
mod open;
pub mod parts;
pub mod pick;
mod publish;
pub mod record;
pub mod restore;
pub mod retain;
mod rolled;
mod roller;
pub mod rollup;
pub mod rows;
pub mod schema;
pub mod seal;
mod signal;
#[cfg(test)]
pub(crate) mod testing;
pub mod total;
mod write;

pub use append::Appender;
pub use belief::Judged;
pub use condition::Keeping;
pub use error::TsdbError;
pub use open::{Opened, Places};
pub use parts::{Part, PartRow, Tier};

use crate::{
    clock::Clock,
    storage::{DiskSpace, Duck, Faults, Sqlite, StorageError},
};
use append::Writing;
use attempts::Attempts;
use belief::Witness;
use condition::Condition;
use head::Segment;
use lanes::{Layouts, Strip};
use parts::Garbage;
use pingup_protocol::time::Timestamp;
use signal::Signal;
use std::{
    fmt,
    fs::File,
    io::Write,
    ops::Range,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Segments in memory at most: one that is written to, the others waiting to be sealed.
pub const SEGMENTS_MAX: usize = 3;

/// How long each tier is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Samples, and scans.
    pub raw: Duration,
    /// Rollups by the minute.
    pub minute: Duration,
    /// Rollups by the hour.
    pub hour: Duration,
}

impl Retention {
    /// What is coarser is kept at least as long as what is finer: questions that it answers go no less far back.
    #[must_use]
    pub fn widened(self) -> Self {
        let minute = self.minute.max(self.raw);
        Self { raw: self.raw, minute, hour: self.hour.max(minute) }
    }
}

/// A handle to the history; clones share everything.
#[derive(Clone)]
pub struct Tsdb(Arc<Inner>);

struct Inner {
    places: Places,
    sqlite: Sqlite,
    engine: Duck,
    clock: Clock,
    disk: DiskSpace,
    faults: Faults,
    retention: Retention,
    view: RwLock<Arc<View>>,
    last_part: AtomicU64,
    garbage: Arc<Garbage>,
    /// Files of changes whose commit failed: only the next commit tells whether the catalogue will list them
    /// after a crash.
    doubtful: Garbage,
    writing: Mutex<Writing>,
    /// The disk's free bytes do not tell of quotas, limits and broken disks; the last append does.
    last_append_failed: AtomicBool,
    /// What failed of merging, and of letting go.
    merging: Attempts,
    letting_go: Attempts,
    condition: Condition,
    witness: Witness,
    signal: Signal,
}

/// What there is at one moment, each row once.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Rows in memory, oldest segment first; the last is written to.
    pub segments: Vec<Arc<Segment>>,
    /// Rows in files, in the order they were made.
    pub parts: Vec<Arc<Part>>,
    /// Where what lies in these, as far as it was asked; of every view the same.
    pub layouts: Arc<Layouts>,
}

impl View {
    /// The files of a tier that rows of an agent (of any, without one) within `range` can be in.
    pub fn parts_for(&self, tier: Tier, agent_id: Option<&str>, range: &Range<Timestamp>) -> Vec<Arc<Part>> {
        let fits = |part: &&Arc<Part>| part.row().tier == tier && part.may_hold(agent_id, range);
        self.parts.iter().filter(fits).cloned().collect()
    }

    /// Begins to read one of the files by lanes.
    pub fn strip(&self, part: &Arc<Part>) -> Result<Strip, TsdbError> {
        self.layouts.strip(self, part)
    }
}

/// Parts as the argument of `read_parquet`.
pub fn file_list<'a>(parts: impl IntoIterator<Item = &'a Arc<Part>>) -> String {
    let quoted: Vec<_> = parts.into_iter().map(|part| quote(part.path())).collect();
    format!("[{}]", quoted.join(", "))
}

/// A path as a text of SQL.
pub fn quote(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "''"))
}

impl Tsdb {
    /// The segments and parts of this moment.
    ///
    /// The segment that is written to goes on growing, so an answer may have rows that came while it was made. They
    /// are the next ones of that segment, up to some row and none behind it, since a segment that was begun later is
    /// not in the view; and no file of the view has them, since files are made of segments that were left before. So
    /// no row is seen twice, and none is missing that came before one that is seen: as long as an answer looks at
    /// each segment once, or a second time only for rows that it found the first time.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.0.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long each tier is kept, at least.
    pub fn retention(&self) -> Retention {
        self.0.retention
    }

    /// Whether rows can be appended as far as is known; after an append failed, whether a file can be written and
    /// synced again. Blocks.
    pub fn probe(&self) -> Result<(), StorageError> {
        if self.0.last_append_failed.load(Ordering::Relaxed) {
            self.0.faults.at("probe write")?;
            let path = self.0.places.scratch.join("probe");
            let written = File::create(&path).and_then(|mut file| {
                file.write_all(&[1])?;
                file.sync_all()
            });
            written.map_err(StorageError::file("write", &path))?;
            open::remove(&path)?;
            self.0.last_append_failed.store(false, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl fmt::Debug for Tsdb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tsdb(…)")
    }
}

#[cfg(test)]
mod tests;
