//! The spool: samples and scans on disk, in one order, until the hub has committed them.
//!
//! It promises that what [`Spool::append`] returned for survives a crash; that a number given out is never
//! given out again, also when everything was acknowledged or dropped; that what goes unsent (too old, too
//! much, unreadable) is counted; and that neither disk nor memory grows beyond its bounds: records are read
//! when they are sent, and what is kept of them in memory is a line for each segment.
//!
//! `stream.json` says what is gone, the segments hold the rest. A segment goes as a whole once its last
//! record is acknowledged; when room is needed the oldest goes, sent or not.

mod record;
mod segment;
mod stream;

pub use record::{Kind, RECORD_BYTES_MAX, Record};

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
/// A full spool has at least this many segments, so that making room costs at most this part of it.
const SEGMENTS_LEAST: u64 = 16;

/// A segment spans at most this part of what a record may age, so that age takes little at once, too.
const AGE_PARTS: u32 = 16;
/// And at least this long: files are not made for single records.
const SPAN_LEAST: Duration = Duration::from_secs(1);

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

/// What is in a spool, seen without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of its segments.
    pub bytes: u64,
    /// Records that went without the hub having had them, ever.
    pub dropped: u64,
}

/// Looks into the spool in `directory`, beside an agent that works with it or without one; changes nothing.
pub fn examine(directory: &Path) -> Result<Summary, SpoolError> {
    let stream = Stream::load(&directory.join("stream.json"))?;
    let io = |error| SpoolError::Io { directory: directory.to_owned(), error };
    let listed = Segment::list(directory).map_err(io)?;
    // One that is gone by now was sent.
    let bytes =
        listed.iter().filter_map(|(_, path)| std::fs::metadata(path).ok()).map(|file| file.len()).sum();
    Ok(Summary { bytes, dropped: stream.map_or(0, |stream| stream.dropped) })
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
    /// Opens the spool in `directory`, cutting off what a crash left unfinished.
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
            let (segment, torn) = Segment::open(before, path).map_err(|error| spool.io(error))?;
            // Behind a segment that was damaged in the middle, numbers are missing that had been given out.
            lost += expected.map_or(0, |end| before.saturating_sub(end.max(spool.stream.floor)));
            expected = torn.then_some(segment.last);
            spool.segments.push_back(segment);
        }
        spool.stream.dropped += lost;
        if is_new {
            // Segments without their stream: whatever numbers they were sent under are not known any more.
            let before_all = spool.segments.front().map_or(0, |segment| segment.before);
            (spool.stream.floor, spool.stream.base) = (before_all, before_all);
        }
        if is_new || lost > 0 {
            spool.save()?;
        }
        spool.remove_acknowledged()?;
        spool.drop_expired(now)?;
        Ok(spool)
    }

    /// Appends a record and returns its sequence number; it is on disk when this returns. Makes room first.
    pub fn append(
        &mut self,
        kind: Kind,
        timestamp: Timestamp,
        json: Vec<u8>,
        now: Timestamp,
    ) -> Result<u64, SpoolError> {
        let record = Record { number: self.last_number() + 1, kind, timestamp, json };
        let bytes = record.encode().ok_or(SpoolError::TooLarge(record.json.len()))?;
        self.drop_expired(now)?;
        self.make_room(bytes.len() as u64)?;
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
        Ok(record.number - self.stream.base)
    }

    /// The oldest records that wait: a scan alone, or samples up to the next scan, at most `count_max` and, but
    /// for the first, `bytes_max`. Empty when nothing waits.
    pub fn oldest(&self, count_max: usize, bytes_max: usize) -> Result<Vec<Record>, SpoolError> {
        let mut found: Vec<Record> = Vec::new();
        let mut bytes = 0;
        let mut take = |record: Record| {
            bytes += record.json.len();
            let alone = record.kind == Kind::Scan;
            if !found.is_empty() && (alone || bytes > bytes_max) {
                return ControlFlow::Break(());
            }
            found.push(record);
            if alone || found.len() >= count_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        for segment in self.segments.iter().filter(|segment| segment.last > self.stream.floor) {
            if segment.read(self.stream.floor, &mut take).map_err(|error| self.io(error))?.is_break() {
                break;
            }
        }
        Ok(found)
    }

    /// The hub has committed everything up to `seq` of `boot`. An acknowledgement of another boot says nothing.
    pub fn acknowledge(&mut self, boot: u64, seq: u64) -> Result<(), SpoolError> {
        match boot == self.stream.boot {
            true => self.acknowledge_number(self.stream.base.saturating_add(seq)),
            false => Ok(()),
        }
    }

    /// The record `number` and all before it need not be sent any more.
    pub fn acknowledge_number(&mut self, number: u64) -> Result<(), SpoolError> {
        let number = number.min(self.last_number());
        if number <= self.stream.floor {
            return Ok(());
        }
        self.stream.floor = number;
        self.save()?;
        self.remove_acknowledged()
    }

    /// Drops the record `number` and all before it: the hub will never take it. It is counted.
    pub fn discard_through(&mut self, number: u64) -> Result<(), SpoolError> {
        let lost = number.min(self.last_number()).saturating_sub(self.stream.floor);
        self.drop_through(self.stream.floor + lost, lost)?;
        self.remove_acknowledged()
    }

    /// Begins a new boot, not before `min_boot`: what waits is numbered anew, from 1, in its order.
    pub fn begin_boot(&mut self, min_boot: u64, now: Timestamp) -> Result<(), SpoolError> {
        self.stream.begin_boot(min_boot, now);
        self.save()
    }

    /// The boot that sequence numbers count in.
    pub const fn boot(&self) -> u64 {
        self.stream.boot
    }

    /// The sequence number that `record` is sent under.
    pub const fn seq_of(&self, record: &Record) -> u64 {
        record.number.saturating_sub(self.stream.base)
    }

    /// The last sequence number that was given out in this boot; 0 when none was.
    pub fn last_seq(&self) -> u64 {
        self.last_number().saturating_sub(self.stream.base)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting() == 0
    }

    /// How many records wait.
    pub fn waiting(&self) -> u64 {
        self.last_number() - self.stream.floor
    }

    /// How much it may hold.
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Counts a record that could not even be spooled; written down with whatever is written next.
    pub const fn count_lost(&mut self) {
        self.stream.dropped += 1;
    }

    /// How many records went without the hub having had them, ever.
    pub const fn dropped(&self) -> u64 {
        self.stream.dropped
    }

    fn last_number(&self) -> u64 {
        self.segments.back().map_or(0, |segment| segment.last).max(self.stream.floor)
    }

    /// Whether a record of `timestamp` goes into another segment than `segment`.
    fn is_full(&self, segment: &Segment, timestamp: Timestamp) -> bool {
        let bytes = self.bounds.bytes_max.div_ceil(SEGMENTS_LEAST).min(SEGMENT_BYTES_MAX);
        let span = (self.bounds.age_max / AGE_PARTS).max(SPAN_LEAST);
        let spanned =
            segment.first.map_or(0, |first| timestamp.as_micros().saturating_sub(first.as_micros()));
        segment.bytes >= bytes || u128::try_from(spanned).is_ok_and(|micros| micros > span.as_micros())
    }

    fn make_room(&mut self, bytes: u64) -> Result<(), SpoolError> {
        while self.segments.len() > 1 && self.bytes() + bytes > self.bounds.bytes_max {
            self.drop_front()?;
        }
        Ok(())
    }

    fn drop_expired(&mut self, now: Timestamp) -> Result<(), SpoolError> {
        let age_seconds = i64::try_from(self.bounds.age_max.as_secs()).unwrap_or(i64::MAX);
        let limit = now.plus_seconds(age_seconds.saturating_neg());
        while self
            .segments
            .front()
            .is_some_and(|segment| segment.last > segment.before && segment.newest < limit)
        {
            self.drop_front()?;
        }
        Ok(())
    }

    fn drop_front(&mut self) -> Result<(), SpoolError> {
        if let Some(segment) = self.segments.front() {
            let last = segment.last.max(self.stream.floor);
            let unsent = last - segment.before.max(self.stream.floor).min(last);
            self.drop_through(last, unsent)?;
        }
        self.remove_front()
    }

    fn drop_through(&mut self, number: u64, lost: u64) -> Result<(), SpoolError> {
        self.stream.floor = self.stream.floor.max(number);
        self.stream.dropped += lost;
        // What is gone is written down before it goes: a crash in between loses nothing that is not counted.
        self.save()
    }

    /// Removes segments of which nothing waits; the last one stays until it is full.
    fn remove_acknowledged(&mut self) -> Result<(), SpoolError> {
        while self.segments.len() > 1
            && self.segments.front().is_some_and(|segment| segment.last <= self.stream.floor)
        {
            self.remove_front()?;
        }
        Ok(())
    }

    fn remove_front(&mut self) -> Result<(), SpoolError> {
        if self.segments.len() == 1 {
            self.active = None;
        }
        self.segments.pop_front().map_or(Ok(()), Segment::remove).map_err(|error| self.io(error))
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
