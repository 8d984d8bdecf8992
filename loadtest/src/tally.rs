//! What happened: rows by fate, answers by kind, latencies; written by every lane, read once at the end.
//!
//! A latency is taken only of pushes that were stored, from the moment they were due to the 200 that
//! said so, retries and reconnects included. A quick refusal must not flatter the figures.

use hdrhistogram::Histogram;
use http::StatusCode;
use pingup_protocol::{metrics::PushAnswer, problem::ProblemType};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The longest latency that is told from longer ones: an hour.
const LATENCY_MICROS_MAX: u64 = 3_600_000_000;
/// Three significant digits: a p99 of 12.3 ms is not 12.2.
const LATENCY_DIGITS: u8 = 3;

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
    /// When the newest answer came.
    pub(crate) last_answer: Option<Instant>,
}

impl Tally {
    fn new() -> Self {
        let latency = match Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, LATENCY_DIGITS) {
            Ok(histogram) => histogram,
            Err(_) => unreachable!("the bounds are constants that fit"),
        };
        Self {
            rows: Rows::default(),
            unsent: 0,
            answers: BTreeMap::new(),
            retries: 0,
            broken: 0,
            latency,
            last_answer: None,
        }
    }

    /// Answers of any kind.
    pub(crate) fn requests(&self) -> u64 {
        self.answers.values().sum()
    }

    fn stored(&mut self, sent: u64, first_try: bool, answer: &PushAnswer) {
        let rejected = answer.expired + answer.rejected.len() as u64;
        let accounted = answer.accepted + answer.duplicates + rejected;
        self.rows.accepted += answer.accepted;
        self.rows.rejected += rejected;
        match first_try {
            true => self.rows.never_stored += answer.duplicates,
            false => self.rows.duplicates += answer.duplicates,
        }
        self.rows.unanswered += sent.saturating_sub(accounted);
    }
}

/// The tally as lanes share it. The lock is held for a few additions, never across an await.
#[derive(Debug)]
pub(crate) struct Board(Mutex<Tally>);

impl Board {
    /// A board with nothing on it.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Tally::new()))
    }

    /// An answer came.
    pub(crate) fn answered(&self, status: StatusCode, problem: Option<ProblemType>) {
        let mut tally = self.lock();
        *tally.answers.entry((status.as_u16(), problem)).or_default() += 1;
        tally.last_answer = Some(Instant::now());
    }

    /// A push of `sent` rows got its 200, `latency` after it was due.
    pub(crate) fn stored(&self, sent: usize, first_try: bool, answer: &PushAnswer, latency: Duration) {
        let mut tally = self.lock();
        tally.stored(sent as u64, first_try, answer);
        tally.latency.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// A push of `sent` rows was refused, and will not be sent again.
    pub(crate) fn refused(&self, sent: usize) {
        self.lock().rows.refused += sent as u64;
    }

    /// A push of `sent` rows was given up without an answer that says what became of it.
    pub(crate) fn unanswered(&self, sent: usize) {
        self.lock().rows.unanswered += sent as u64;
    }

    /// `rows` were due and never sent.
    pub(crate) fn unsent(&self, rows: usize) {
        self.lock().unsent += rows as u64;
    }

    /// A push is sent again because the hub asked for it.
    pub(crate) fn retried(&self) {
        self.lock().retries += 1;
    }

    /// A request's connection broke, or its answer never came.
    pub(crate) fn broke(&self) {
        self.lock().broken += 1;
    }

    /// Rows known to be stored so far.
    pub(crate) fn stored_rows(&self) -> u64 {
        let tally = self.lock();
        tally.rows.accepted + tally.rows.duplicates
    }

    /// Looks at the tally under the lock.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Tally) -> T) -> T {
        look(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        // Counts stay sound whoever panicked beside them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::{metrics::Rejected, time::Timestamp};

    fn answer(accepted: u64, duplicates: u64, expired: u64, rejected: usize) -> PushAnswer {
        let bad = Rejected { seq: 1, problem: "schema-invalid".to_owned(), detail: String::new() };
        PushAnswer {
            accepted,
            duplicates,
            expired,
            rejected: vec![bad; rejected],
            high_water: None,
            server_time: Timestamp::from_micros(0),
        }
    }

    fn rows_after(sent: usize, first_try: bool, answer: &PushAnswer) -> Rows {
        let board = Board::new();
        board.stored(sent, first_try, answer, Duration::from_millis(1));
        board.read(|tally| tally.rows)
    }

    #[test]
    fn every_row_has_one_fate() {
        let rows = rows_after(10, false, &answer(4, 3, 1, 2));
        assert_eq!(rows, Rows { accepted: 4, duplicates: 3, rejected: 3, ..Rows::default() });
        assert_eq!(rows.lost(), 3);
    }

    #[test]
    fn a_duplicate_of_something_sent_once_is_a_loss() {
        assert_eq!(rows_after(2, true, &answer(1, 1, 0, 0)).lost(), 1);
        assert_eq!(rows_after(2, false, &answer(1, 1, 0, 0)).lost(), 0);
    }

    #[test]
    fn rows_that_no_count_covers_are_missed() {
        assert_eq!(rows_after(5, true, &answer(3, 0, 0, 0)).lost(), 2);
    }

    #[test]
    fn latencies_beyond_the_last_are_kept_as_the_last() {
        let board = Board::new();
        board.stored(1, true, &answer(1, 0, 0, 0), Duration::from_secs(1_000_000));
        assert!(board.read(|tally| tally.latency.max()) >= LATENCY_MICROS_MAX);
    }
}
