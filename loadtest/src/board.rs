//! The tally as the connections of a run share it.
//!
//! Split into a few desks, so that connections on different threads seldom wait for each other; added up once at
//! the end. A lock is held for a few additions, never across an await. One counter for everyone feeds the
//! progress bar.

use crate::tally::{Counts, Tally};
use pingup_protocol::problem::ProblemType;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Parts of a board: more than there are threads, few enough for their histograms to stay small.
const DESKS: usize = 16;

/// The board of a run.
#[derive(Debug)]
pub(crate) struct Board {
    desks: Vec<Mutex<Tally>>,
    stored_rows: AtomicU64,
    started: Instant,
}

/// A connection's place at the board.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    board: Arc<Board>,
    number: usize,
}

impl Board {
    /// A board with nothing on it, for a run that begins at `started`.
    pub(crate) fn new(started: Instant) -> Arc<Self> {
        let desks = (0..DESKS).map(|_| Mutex::new(Tally::new(started))).collect();
        Arc::new(Self { desks, stored_rows: AtomicU64::new(0), started })
    }

    /// The place of connection `lane`.
    pub(crate) fn desk(self: &Arc<Self>, lane: usize) -> Desk {
        Desk { board: Arc::clone(self), number: lane % DESKS }
    }

    /// Rows known to be stored so far.
    pub(crate) fn stored_rows(&self) -> u64 {
        self.stored_rows.load(Ordering::Relaxed)
    }

    /// Everything that was counted; the board is empty again.
    pub(crate) fn take(&self) -> Tally {
        let mut whole = Tally::new(self.started);
        for desk in &self.desks {
            whole.merge(std::mem::replace(&mut *lock(desk), Tally::new(self.started)));
        }
        whole
    }
}

impl Desk {
    /// A push of `sent` rows got its 200, `latency` after it was due.
    pub(crate) fn stored(&self, sent: usize, first_try: bool, counts: Counts, latency: Duration) {
        self.board.stored_rows.fetch_add(counts.accepted + counts.duplicates, Ordering::Relaxed);
        self.lock().stored(sent as u64, first_try, counts, latency);
    }

    /// An answer came that stored nothing.
    pub(crate) fn answered(&self, status: u16, problem: Option<ProblemType>) {
        self.lock().answered(status, problem);
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

    fn lock(&self) -> MutexGuard<'_, Tally> {
        lock(&self.board.desks[self.number])
    }
}

fn lock(desk: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    // Counts stay sound whoever panicked beside them.
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_desk_counted_is_added_up() {
        let board = Board::new(Instant::now());
        let counts = Counts { accepted: 1, duplicates: 0, not_stored: 0 };
        for lane in 0..3 * DESKS {
            board.desk(lane).stored(1, true, counts, Duration::from_millis(1));
        }
        assert_eq!(board.stored_rows(), 3 * DESKS as u64);
        assert_eq!(board.take().rows.accepted, 3 * DESKS as u64);
        assert_eq!(board.take().rows.accepted, 0);
    }
}
