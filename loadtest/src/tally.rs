//! What happened: rows by fate, answers by kind, latencies.
//!
//! A latency is taken only of pushes that were stored, from the moment they were due to the 200 that
//! said so, retries and reconnects included. A quick refusal must not flatter the figures.

mod counts;

pub(crate) use counts::Counts;

use crate::answer::OK;
use hdrhistogram::Histogram;
use pingup_protocol::problem::ProblemType;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The longest latency that is told from longer ones: an hour.
pub(crate) const LATENCY_MICROS_MAX: u64 = 3_600_000_000;
/// Three significant digits: a p99 of 12.3 ms is not 12.2.
const LATENCY_DIGITS: u8 = 3;
/// Seconds of a run whose worst latency is kept for each; what comes later counts with the last.
const SECONDS_MAX: usize = 7 * 24 * 3600;

/// A histogram of microseconds, with nothing in it.
pub(crate) fn microseconds() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, LATENCY_DIGITS) {
        Ok(histogram) => histogram,
        Err(_) => unreachable!("the bounds are constants that fit"),
    }
}

/// The fate of every row. Each row that was sent ends in exactly one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Stored by the request that was answered.
    pub(crate) accepted: u64,
    /// Stored by an earlier try whose answer was lost.
    pub(crate) duplicates: u64,
    /// Called a duplicate though it was sent only once: the hub does not have it.
    pub(crate) never_stored: u64,
    /// Not stored by the hub's word: rejected from a batch, or expired.
    pub(crate) rejected: u64,
    /// In a request that was refused whole.
    pub(crate) refused: u64,
    /// In a request that got no answer, or one that does not account for it.
    pub(crate) unanswered: u64,
}

impl Rows {
    /// Rows that were sent and are not known to be stored.
    pub(crate) const fn lost(&self) -> u64 {
        self.never_stored + self.rejected + self.refused + self.unanswered
    }
}

/// Everything that is counted in a run.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Rows by fate.
    pub(crate) rows: Rows,
    /// Rows that were due and never sent, because their connection was held up until the end.
    pub(crate) unsent: u64,
    /// Answers by status and problem. Bounded: a status has three digits, and only known problems have a name.
    pub(crate) answers: BTreeMap<(u16, Option<ProblemType>), u64>,
    /// Requests sent again because the hub asked for it.
    pub(crate) retries: u64,
    /// Requests whose connection broke or whose answer never came.
    pub(crate) broken: u64,
    /// Microseconds from due to stored.
    pub(crate) latency: Histogram<u64>,
    /// The worst of them in each second of the run, microseconds.
    pub(crate) worst_by_second: Vec<u32>,
    /// When the newest answer came.
    pub(crate) last_answer: Option<Instant>,
    stored_requests: u64,
    started: Instant,
}

impl Tally {
    /// A tally of a run that begins at `started`.
    pub(crate) fn new(started: Instant) -> Self {
        Self {
            rows: Rows::default(),
            unsent: 0,
            answers: BTreeMap::new(),
            retries: 0,
            broken: 0,
            latency: microseconds(),
            worst_by_second: Vec::new(),
            last_answer: None,
            stored_requests: 0,
            started,
        }
    }

    /// Answers of any kind.
    pub(crate) fn requests(&self) -> u64 {
        self.stored_requests + self.answers.values().sum::<u64>()
    }

    /// A 200 came for a push of `sent` rows, `latency` after it was due.
    pub(crate) fn stored(&mut self, sent: u64, first_try: bool, counts: Counts, latency: Duration) {
        let now = Instant::now();
        self.stored_requests += 1;
        self.last_answer = Some(now);
        let accounted = counts.accepted + counts.duplicates + counts.not_stored;
        self.rows.accepted += counts.accepted;
        self.rows.rejected += counts.not_stored;
        match first_try {
            true => self.rows.never_stored += counts.duplicates,
            false => self.rows.duplicates += counts.duplicates,
        }
        self.rows.unanswered += sent.saturating_sub(accounted);
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(micros);
        self.note_worst(now, u32::try_from(micros).unwrap_or(u32::MAX));
    }

    fn note_worst(&mut self, now: Instant, micros: u32) {
        let second =
            usize::try_from((now - self.started).as_secs()).unwrap_or(SECONDS_MAX).min(SECONDS_MAX - 1);
        if self.worst_by_second.len() <= second {
            self.worst_by_second.resize(second + 1, 0);
        }
        self.worst_by_second[second] = self.worst_by_second[second].max(micros);
    }

    /// An answer came that stored nothing.
    pub(crate) fn answered(&mut self, status: u16, problem: Option<ProblemType>) {
        *self.answers.entry((status, problem)).or_default() += 1;
        self.last_answer = Some(Instant::now());
    }

    /// Adds what another part of the same run counted.
    pub(crate) fn merge(&mut self, other: Self) {
        let Self { rows, unsent, answers, retries, broken, latency, worst_by_second, .. } = other;
        self.rows.accepted += rows.accepted;
        self.rows.duplicates += rows.duplicates;
        self.rows.never_stored += rows.never_stored;
        self.rows.rejected += rows.rejected;
        self.rows.refused += rows.refused;
        self.rows.unanswered += rows.unanswered;
        self.unsent += unsent;
        self.retries += retries;
        self.broken += broken;
        self.stored_requests += other.stored_requests;
        self.last_answer = self.last_answer.max(other.last_answer);
        for (kind, count) in answers {
            *self.answers.entry(kind).or_default() += count;
        }
        // Both were made with the same bounds, so nothing is out of range.
        let _ = self.latency.add(latency);
        if self.worst_by_second.len() < worst_by_second.len() {
            self.worst_by_second.resize(worst_by_second.len(), 0);
        }
        for (worst, micros) in self.worst_by_second.iter_mut().zip(worst_by_second) {
            *worst = (*worst).max(micros);
        }
    }

    /// Answers by kind, the 200s with the others.
    pub(crate) fn answers(&self) -> BTreeMap<(u16, Option<ProblemType>), u64> {
        let mut all = self.answers.clone();
        if self.stored_requests > 0 {
            *all.entry((OK, None)).or_default() += self.stored_requests;
        }
        all
    }
}

#[cfg(test)]
mod tests;
