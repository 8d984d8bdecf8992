//! A series in memory: its number, its labels, who wrote it first, and from when to when it has samples.

use super::Pair;
use crate::tsdb::rows::SeriesId;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

/// A series.
#[derive(Debug)]
pub(in crate::series) struct Entry {
    pub(in crate::series) id: SeriesId,
    pub(super) pairs: Box<[Pair]>,
    /// Who wrote it first, by number.
    pub(super) sender: u32,
    /// The first and the last moment of its samples, milliseconds, as far as is known.
    first_ms: AtomicI64,
    last_ms: AtomicI64,
    /// How much earlier and later there may be some, milliseconds.
    slack_ms: u32,
    /// The same as the records have it.
    noted: (AtomicI64, AtomicI64),
    /// Whether the records have it.
    is_stored: AtomicBool,
}

impl Entry {
    /// One that the records do not have yet. It may have samples so much earlier and later than `times` tell.
    pub(super) fn new(
        id: SeriesId,
        pairs: Box<[Pair]>,
        sender: u32,
        times: (i64, i64),
        slack_ms: u32,
    ) -> Self {
        let at = |ms: i64| AtomicI64::new(ms);
        Self {
            id,
            pairs,
            sender,
            first_ms: at(times.0),
            last_ms: at(times.1),
            slack_ms,
            noted: (at(times.0), at(times.1)),
            is_stored: AtomicBool::new(false),
        }
    }

    /// Takes note of samples between two moments.
    pub(in crate::series) fn note(&self, (first_ms, last_ms): (i64, i64)) {
        self.first_ms.fetch_min(first_ms, Relaxed);
        self.last_ms.fetch_max(last_ms, Relaxed);
    }

    /// The first and the last moment at which it may have samples, milliseconds.
    pub(in crate::series) fn about(&self) -> (i64, i64) {
        let (first, last) = self.times();
        let slack_ms = i64::from(self.slack_ms);
        (first.saturating_sub(slack_ms), last.saturating_add(slack_ms))
    }

    /// The first and the last moment of its samples, milliseconds, as far as is known.
    pub(in crate::series) fn times(&self) -> (i64, i64) {
        (self.first_ms.load(Relaxed), self.last_ms.load(Relaxed))
    }

    /// Says that the records have it, with these times or more.
    pub(in crate::series) fn set_stored(&self, (first_ms, last_ms): (i64, i64)) {
        if self.is_stored.swap(true, Relaxed) {
            self.noted.0.fetch_min(first_ms, Relaxed);
            self.noted.1.fetch_max(last_ms, Relaxed);
        } else {
            self.noted.0.store(first_ms, Relaxed);
            self.noted.1.store(last_ms, Relaxed);
        }
    }

    pub(in crate::series) fn is_stored(&self) -> bool {
        self.is_stored.load(Relaxed)
    }

    /// Whether the records' times are wrong by more than so much.
    pub(in crate::series) fn is_behind(&self, by_ms: i64) -> bool {
        let (first, last) = self.times();
        let apart = |noted: &AtomicI64, now: i64| noted.load(Relaxed).abs_diff(now) > by_ms.unsigned_abs();
        self.is_stored() && (apart(&self.noted.0, first) || apart(&self.noted.1, last))
    }
}
