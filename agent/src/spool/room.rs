//! Room in the spool: when a segment is full, and which one goes when there is too much, or it is too old.

use super::{SEGMENT_BYTES_MAX, Spool, SpoolError, segment::Segment};
use pingup_protocol::time::Timestamp;
use std::time::Duration;

/// A full spool has at least this many segments, so that making room costs at most this part of it.
pub(super) const SEGMENTS_LEAST: u64 = 16;

/// A segment spans at most this part of what a record may age, so that age takes little at once, too.
pub(super) const AGE_PARTS: u32 = 16;
/// And at least this long: files are not made for single records.
const SPAN_LEAST: Duration = Duration::from_secs(1);

/// Why a segment goes: there is no room for what is new.
const TOO_MUCH: &str = "too much waits";
/// Why a segment goes: nothing in it is young enough.
const TOO_OLD: &str = "too old";

impl Spool {
    /// Whether a record of `timestamp` goes into another segment than `segment`.
    pub(super) fn is_full(&self, segment: &Segment, timestamp: Timestamp) -> bool {
        let bytes = self.bounds.bytes_max.div_ceil(SEGMENTS_LEAST).min(SEGMENT_BYTES_MAX);
        let span = (self.bounds.age_max / AGE_PARTS).max(SPAN_LEAST);
        let spanned =
            segment.first.map_or(0, |first| timestamp.as_micros().saturating_sub(first.as_micros()));
        segment.is_broken
            || segment.bytes >= bytes
            || u128::try_from(spanned).is_ok_and(|micros| micros > span.as_micros())
    }

    pub(super) fn make_room(&mut self, bytes: u64) -> Result<(), SpoolError> {
        while self.segments.len() > 1 && self.bytes() + bytes > self.bounds.bytes_max {
            self.drop_front(TOO_MUCH)?;
        }
        Ok(())
    }

    /// Drops what is older than it may be at `now`, which is for the hub to say: by the machine's clock alone nothing goes,
    /// since that clock may be wrong.
    pub fn drop_expired(&mut self, now: Timestamp) -> Result<(), SpoolError> {
        let age_seconds = i64::try_from(self.bounds.age_max.as_secs()).unwrap_or(i64::MAX);
        let limit = now.plus_seconds(age_seconds.saturating_neg());
        while self
            .segments
            .front()
            .is_some_and(|segment| segment.last > segment.before && segment.newest < limit)
        {
            self.drop_front(TOO_OLD)?;
        }
        Ok(())
    }

    fn drop_front(&mut self, reason: &str) -> Result<(), SpoolError> {
        if let Some(segment) = self.segments.front() {
            let records = self.stream.unsent(segment.before, segment.last);
            if records > 0 {
                tracing::warn!(records, reason, "dropped from the spool, unsent");
            }
            self.stream.dropped += records;
            self.stream.pass(segment.last);
        }
        // What is gone is written down before it goes: a crash in between loses nothing that is not counted. But a full
        // disk takes nothing before something went.
        let saved = self.save();
        self.remove(0)?;
        if saved.is_err() { self.save() } else { Ok(()) }
    }

    /// Writes down what the hub has, and lets it go; the other way round where the disk is full.
    pub(super) fn let_go(&mut self) -> Result<(), SpoolError> {
        let saved = self.save();
        self.remove_acknowledged()?;
        if saved.is_err() { self.save() } else { Ok(()) }
    }

    /// Removes segments of which nothing waits; the last one stays until it is full.
    pub(super) fn remove_acknowledged(&mut self) -> Result<(), SpoolError> {
        let mut place = 0;
        while place + 1 < self.segments.len() {
            let waits = |segment: &Segment| self.stream.unsent(segment.before, segment.last) > 0;
            match self.segments.get(place).is_none_or(waits) {
                true => place += 1,
                false => self.remove(place)?,
            }
        }
        Ok(())
    }

    /// Forgets a last segment that nothing could be put into: another one takes its name.
    pub(super) fn forget_broken(&mut self) {
        if self.segments.back().is_some_and(|segment| segment.is_broken && segment.bytes == 0) {
            self.segments.pop_back();
            self.active = None;
        }
    }

    fn remove(&mut self, place: usize) -> Result<(), SpoolError> {
        if place + 1 == self.segments.len() {
            self.active = None;
        }
        self.segments.remove(place).map_or(Ok(()), Segment::remove).map_err(|error| self.io(error))
    }
}
