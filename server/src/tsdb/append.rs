//! The writer's end: groups into the journal and the head, and a new segment when one is full, or old.
//!
//! What is written to stands behind a lock: the writer's alone but for the moment once a day when the keeper
//! leaves a segment that does not fill ([`Tsdb::leave_aged`]). The keeper never waits for it.

use super::{
    Inner, Part, SEGMENTS_MAX, Tier, Tsdb, TsdbError, View,
    head::{SEGMENT_BYTES_MAX, Segment},
    pick, record,
    rows::{Kind, Look, MarkRow, Rows, Sought},
    schema::{integer_at, time_at},
};
use crate::storage::{Journal, StorageError};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{
    ops::Range,
    sync::{Arc, MutexGuard, PoisonError, TryLockError, atomic::Ordering},
    time::Duration,
};

/// What the record's buffer keeps between groups.
const RECORD_KEPT_BYTES: usize = 256 * 1024;
/// How long a group waits for a segment to be sealed when there are too many, before it is refused.
const SEAL_WAIT: Duration = Duration::from_secs(2);
/// How long rows lie in a segment that does not fill. Only what is in parts is let go by retention, so a small
/// fleet's rows stay so much longer than they should at most; parts of a day are few enough to be merged at its end.
pub const SEGMENT_AGE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// What segments take at most when one more is begun while one waits. A segment takes much more than its bound when
/// a group brings some hundred thousand new names; so large ones wait for each other.
const SEGMENTS_BYTES_MAX: usize = SEGMENTS_MAX * SEGMENT_BYTES_MAX;

/// The one writer of the history.
pub struct Appender {
    tsdb: Tsdb,
    record: Vec<u8>,
    /// See [`SEAL_WAIT`]; tests do not wait so long.
    pub(super) seal_wait: Duration,
}

/// What is written to.
#[derive(Debug)]
pub(super) struct Writing {
    journal: Journal,
    open: Arc<Segment>,
    /// Since when there are rows in it, by the hub's clock.
    since: Option<Timestamp>,
}

impl Writing {
    /// Goes on in `open`, the segment that `journal` writes; it is `now`. Of rows that were read back nobody knows
    /// when they came: about when the first was measured. Should that have been late, it is sealed somewhat early.
    pub(super) fn resume(journal: Journal, open: Arc<Segment>, now: Timestamp) -> Self {
        let since = open.first_at().map(|first| first.min(now));
        Self { journal, open, since }
    }

    /// Leaves the segment to be sealed and goes on in a new one; `false` if too many wait already.
    fn begin_segment(&mut self, tsdb: &Tsdb) -> Result<bool, TsdbError> {
        if !has_room(&tsdb.view()) {
            return Ok(false);
        }
        let number = self.open.number() + 1;
        self.journal.begin(number)?;
        (self.open, self.since) = (Arc::new(Segment::new(number)), None);
        let open = Arc::clone(&self.open);
        tsdb.publish(|view| view.segments.push(open));
        tsdb.0.signal.tell();
        Ok(true)
    }
}

/// Whether one more segment may be begun. Only what is left is sealed: with a single one, however large, it may.
fn has_room(view: &View) -> bool {
    let bytes = || view.segments.iter().map(|segment| segment.bytes()).sum::<usize>();
    match view.segments.len() {
        0 | 1 => true,
        segments => segments < SEGMENTS_MAX && bytes() < SEGMENTS_BYTES_MAX,
    }
}

impl Appender {
    pub(super) const fn new(tsdb: Tsdb) -> Self {
        Self { tsdb, record: Vec::new(), seal_wait: SEAL_WAIT }
    }

    /// Writes a group. `Ok`: all of it is synced to disk, and readers see it. `Err`: nothing of it is kept.
    pub fn append(&mut self, rows: &Rows<'_>) -> Result<(), TsdbError> {
        let is_full = self.writing().open.is_full();
        if is_full && !self.begin_segment()? {
            self.wait_for_room()?;
        }
        record::write(rows, &mut self.record);
        let inner = &self.tsdb.0;
        let mut writing = inner.writing();
        let appended = writing.journal.append(&self.record);
        inner.last_append_failed.store(appended.is_err(), Ordering::Relaxed);
        appended?;
        writing.open.push(rows);
        inner.witness.rows(rows);
        writing.since.get_or_insert_with(|| inner.clock.now());
        // A group of large scans may have taken much; the next one will not need it.
        self.record.shrink_to(RECORD_KEPT_BYTES);
        // Sealing begins as soon as it can. Should this fail, the next group tries again and is told.
        if writing.open.is_full()
            && let Err(error) = writing.begin_segment(&self.tsdb)
        {
            tracing::debug!(%error, "no new segment yet");
        }
        Ok(())
    }

    /// How far each stream is committed, in no order.
    pub fn marks(&self) -> Result<Vec<MarkRow>, TsdbError> {
        // The view first: what is sealed meanwhile is told twice, and would be told by neither the other way round.
        let view = self.tsdb.view();
        let sealed = self
            .tsdb
            .0
            .sqlite
            .reclaim_blocking(|connection| Ok::<_, StorageError>(super::catalogue::marks(connection)?))?;
        let head = view.segments.iter().flat_map(|segment| segment.marks()).collect::<Vec<_>>();
        Ok(sealed.into_iter().chain(head).collect())
    }

    /// Looks for a row without numbers; `None` where that takes files and `in_files` is false.
    pub fn newest_unnumbered(&self, sought: Sought<'_>, in_files: bool) -> Result<Option<Look>, TsdbError> {
        let view = self.tsdb.view();
        let in_head = view.segments.iter().filter_map(|segment| segment.newest_unnumbered(sought)).max();
        let Sought { kind, agent_id, from, to } = sought;
        let tier = match kind {
            Kind::Metrics => Tier::Raw,
            Kind::Discovery => Tier::Scans,
        };
        let range = from.as_micros()..to.as_micros().saturating_add(1);
        let times = from..Timestamp::from_micros(range.end);
        let parts = view.parts_for(tier, Some(agent_id.as_str()), &times);
        if !parts.is_empty() && !in_files {
            return Ok(None);
        }
        let newest = in_head.max(newest_unnumbered_on_disk(&parts, agent_id, &range)?);
        Ok(Some(Look { newest, reads_files: !parts.is_empty() }))
    }

    /// Leaves the segment to be sealed and goes on in a new one; `false` if too many wait already.
    pub(super) fn begin_segment(&mut self) -> Result<bool, TsdbError> {
        self.writing().begin_segment(&self.tsdb)
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.tsdb.0.writing()
    }

    fn wait_for_room(&mut self) -> Result<(), TsdbError> {
        let tsdb = &self.tsdb;
        tsdb.0.signal.wait_for(self.seal_wait, || has_room(&tsdb.view()));
        if self.begin_segment()? { Ok(()) } else { Err(StorageError::Busy.into()) }
    }
}

impl Inner {
    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tsdb {
    /// Leaves the segment that is written to, though it is not full, once there have been rows in it for
    /// [`SEGMENT_AGE_MAX`]; whether it did. While the writer is at work it is left to the next look.
    pub fn leave_aged(&self) -> Result<bool, TsdbError> {
        let mut writing = match self.0.writing.try_lock() {
            Ok(writing) => writing,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        let age_max = SEGMENT_AGE_MAX.as_secs().cast_signed();
        let is_aged = writing.since.is_some_and(|since| since.plus_seconds(age_max) <= self.0.clock.now());
        if is_aged { writing.begin_segment(self) } else { Ok(false) }
    }
}

fn newest_unnumbered_on_disk(
    parts: &[Arc<Part>],
    agent_id: &AgentId,
    range: &Range<i64>,
) -> Result<Option<Timestamp>, TsdbError> {
    let mut newest = None;
    for part in parts {
        for batch in pick::rows_within(part, agent_id.as_str(), range, &["timestamp", "boot"])? {
            let batch = batch?;
            let unnumbered = (0..batch.num_rows()).filter(|row| integer_at(&batch, 1, *row).is_none());
            newest = newest.max(unnumbered.map(|row| time_at(&batch, 0, row)).max());
        }
    }
    Ok(newest.map(Timestamp::from_micros))
}

impl std::fmt::Debug for Appender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Appender(segment {})", self.writing().open.number())
    }
}
