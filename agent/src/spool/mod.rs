//! The spool: samples and scans on disk, in one order, until the hub has committed them.
//!
//! It promises that what [`Spool::append`] returned for survives a crash; that a number given out is never
//! given out again, also when everything was acknowledged or dropped; that what goes unsent (too old, too
//! much, unreadable) is counted; and that neither disk nor memory grows beyond its bounds: records are read
//! when they are sent, and what is kept of them in memory is a line for each segment.
//!
//! `stream.json` says what is gone, the segments hold the rest. A segment goes as a whole once its last
//! record is acknowledged; when room is needed the oldest goes, sent or not ([`room`]). What piled up can be
//! set aside and sent beside what is new ([`Lane`]).

mod mend;
mod record;
mod room;
mod segment;
mod sent;
mod stream;
mod summary;

pub use record::{Kind, RECORD_BYTES_MAX, Record};
pub use stream::Lane;
pub use summary::{Summary, examine};

use crate::state::StateError;
use pingup_protocol::time::Timestamp;
use segment::Segment;
use std::{
    collections::VecDeque,
    fs::File,
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Duration,
};
use stream::Stream;

/// A segment is full at this size: small enough to go as a whole, large enough to be few.
const SEGMENT_BYTES_MAX: u64 = 1 << 20;

/// How much may wait for the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes on disk.
    pub bytes_max: u64,
    /// How old the newest record of a segment may be.
    pub age_max: Duration,
}

/// Why the spool could not do it.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Its files cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// Reading or writing a segment failed.
    #[error("spool in {directory}: {error}")]
    Io {
        /// Where.
        directory: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// One record that is larger than the hub takes.
    #[error("a record of {0} bytes is larger than the hub takes")]
    TooLarge(usize),
}

/// The spool.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    bounds: Bounds,
    segments: VecDeque<Segment>,
    /// The last segment's file, once something was appended to it.
    active: Option<File>,
    stream: Stream,
}

impl Spool {
    /// Opens the spool in `directory`, cutting off what a crash left unfinished. A new one has a boot of `now`.
    pub fn open(directory: &Path, bounds: Bounds, now: Timestamp) -> Result<Self, SpoolError> {
        let (stream, is_new) = match Stream::load(&directory.join("stream.json"))? {
            Some(stream) => (stream, false),
            None => (Stream::new(now), true),
        };
        let directory = directory.to_owned();
        let mut spool = Self { directory, bounds, segments: VecDeque::new(), active: None, stream };
        let listed = Segment::list(&spool.directory).map_err(|error| spool.io(error))?;
        let mut lost = 0;
        let mut expected: Option<u64> = None;
        for (before, path) in listed {
            if spool.segments.back().is_some_and(|segment| before < segment.last) {
                // A crash while the one before was parted: this is its rest, and was read just now.
                continue;
            }
            let mended = mend::open(before, path)?;
            // Behind a segment that lost its end to damage, numbers are missing that had been given out.
            let gaps = expected.map(|end| (end, before)).into_iter().chain(mended.gaps);
            lost += gaps.map(|(after, through)| spool.stream.unsent(after, through)).sum::<u64>();
            spool.segments.extend(mended.parts);
            expected = spool.segments.back().filter(|_| mended.is_cut).map(|segment| segment.last);
        }
        if lost > 0 {
            tracing::error!(records = lost, "the spool is damaged: so much of what waited is lost");
        }
        spool.stream.dropped += lost;
        if is_new {
            // Segments without their stream: whatever numbers they were sent under are not known any more.
            let before_all = spool.segments.front().map_or(0, |segment| segment.before);
            (spool.stream.live.floor, spool.stream.live.base) = (before_all, before_all);
        }
        if is_new || lost > 0 {
            spool.save()?;
        }
        spool.remove_acknowledged()?;
        Ok(spool)
    }

    /// Appends a record and returns its sequence number; it is on disk when this returns. Makes room first.
    pub fn append(&mut self, kind: Kind, timestamp: Timestamp, json: Vec<u8>) -> Result<u64, SpoolError> {
        let record = Record { number: self.last_number() + 1, kind, timestamp, json };
        let bytes = record.encode().ok_or(SpoolError::TooLarge(record.json.len()))?;
        self.make_room(bytes.len() as u64)?;
        self.forget_broken();
        if self.segments.back().is_none_or(|segment| self.is_full(segment, timestamp)) {
            let created = Segment::create(&self.directory, record.number - 1);
            let (segment, file) = created.map_err(|error| self.io(error))?;
            self.segments.push_back(segment);
            self.active = Some(file);
        }
        let Self { segments, active, .. } = self;
        let Some(segment) = segments.back_mut() else { unreachable!("one was made where none was") };
        let written = match active {
            Some(file) => segment.append(file, &record, &bytes),
            None => segment.file().and_then(|file| segment.append(active.insert(file), &record, &bytes)),
        };
        written.map_err(|error| self.io(error))?;
        Ok(self.seq_of(&record))
    }

    /// The oldest records that wait in `lane`: a scan alone, or samples up to the next scan, at most `count_max` and,
    /// but for the first, `bytes_max`. Empty when nothing waits there.
    pub fn oldest(&self, lane: Lane, count_max: usize, bytes_max: usize) -> Result<Vec<Record>, SpoolError> {
        let mut found: Vec<Record> = Vec::new();
        let Some((course, end)) = self.stream.course(lane) else { return Ok(found) };
        let mut bytes = 0;
        let mut take = |record: Record| {
            bytes += record.json.len();
            let alone = record.kind == Kind::Scan;
            if record.number > end || !found.is_empty() && (alone || bytes > bytes_max) {
                return ControlFlow::Break(());
            }
            found.push(record);
            if alone || found.len() >= count_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let waiting = |segment: &&Segment| segment.last > course.floor && segment.before < end;
        for segment in self.segments.iter().filter(waiting) {
            if segment.read(course.floor, &mut take).map_err(|error| self.io(error))?.is_break() {
                break;
            }
        }
        Ok(found)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting() == 0
    }

    /// How many records wait.
    pub fn waiting(&self) -> u64 {
        self.stream.unsent(0, self.last_number())
    }

    /// How much it may hold.
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Counts so many records that could not even be spooled, or that the hub did not store; written down with whatever is
    /// written next.
    pub const fn count_lost(&mut self, records: u64) {
        self.stream.dropped += records;
    }

    /// How many records went without the hub having had them, ever.
    pub const fn dropped(&self) -> u64 {
        self.stream.dropped
    }

    /// The number of the last record that was spooled; 0 before any was.
    pub fn last_number(&self) -> u64 {
        self.segments.back().map_or(0, |segment| segment.last).max(self.stream.live.floor)
    }

    /// Bytes of records on disk, sent ones among them until their segment goes.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    fn save(&self) -> Result<(), SpoolError> {
        Ok(self.stream.save(&self.directory.join("stream.json"))?)
    }

    fn io(&self, error: io::Error) -> SpoolError {
        SpoolError::Io { directory: self.directory.clone(), error }
    }
}

#[cfg(test)]
mod tests;
