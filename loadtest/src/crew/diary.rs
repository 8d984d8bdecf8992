//! What a crew lives through: who waits, what was begun, stored, answered, and what should not have been.
//!
//! Shared by all agents of a run. Figures of every agent are atomics in its own place; what is rarer is behind one
//! lock, held for a few additions and never across an await.

use crate::{client::Attempts, tally::microseconds};
use hdrhistogram::Histogram;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// The diary of a crew.
#[derive(Debug)]
pub(crate) struct Diary {
    /// Attempts to open a connection.
    pub(crate) attempts: Arc<Attempts>,
    began: Instant,
    /// Since when the connection is open over which an agent waits: microseconds from `began`, plus one; 0 while it
    /// does not wait.
    waiting: Vec<AtomicU64>,
    /// The last sample of an agent that the hub has.
    acked: Vec<AtomicU64>,
    entries: Mutex<Entries>,
}

/// What was counted, and the moments of commands.
#[derive(Clone, Debug)]
pub(crate) struct Entries {
    /// When each command was begun, by its id. Bounded by the commands that a scenario orders.
    pub(crate) begun: HashMap<String, Instant>,
    /// Results that were answered 200.
    pub(crate) stored: u64,
    /// When the last of them was.
    pub(crate) stored_last: Option<Instant>,
    /// Rows that were answered 200.
    pub(crate) rows: u64,
    /// Rows that such an answer did not account for.
    pub(crate) rows_missed: u64,
    /// Microseconds from a push to its 200.
    pub(crate) pushed: Histogram<u64>,
    /// Microseconds from a heartbeat to its verified answer.
    pub(crate) beaten: Histogram<u64>,
    /// Requests whose connection broke or did not open.
    pub(crate) broken: u64,
    /// Requests that the hub asked to send again later.
    pub(crate) put_off: u64,
    /// What an agent in order should not meet: refusals, answers that the hub did not sign.
    pub(crate) faults: u64,
    /// The first of them, in words.
    pub(crate) first_fault: Option<String>,
}

/// An agent waits for as long as it holds this.
pub(super) struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl Diary {
    /// An empty one for so many agents.
    pub(super) fn new(agents: usize) -> Self {
        let began = Instant::now();
        let zeros = || (0..agents).map(|_| AtomicU64::new(0)).collect();
        Self {
            attempts: Arc::new(Attempts::new(began.into())),
            began,
            waiting: zeros(),
            acked: zeros(),
            entries: Mutex::new(Entries::new()),
        }
    }

    /// The agent at `place` waits from now on, over a connection that was opened at `opened`.
    pub(super) fn waits(&self, place: usize, opened: Instant) -> Waiting<'_> {
        let micros = opened.saturating_duration_since(self.began).as_micros();
        self.waiting[place].store(u64::try_from(micros).unwrap_or(u64::MAX - 1) + 1, Ordering::Relaxed);
        Waiting(&self.waiting[place])
    }

    /// How many agents wait over connections that were opened at `mark` or later.
    pub(crate) fn waiting_since(&self, mark: Instant) -> usize {
        let micros = mark.saturating_duration_since(self.began).as_micros();
        self.waiting.iter().filter(|since| u128::from(since.load(Ordering::Relaxed)) > micros).count()
    }

    /// How long after `mark` the connections were opened over which agents wait, microseconds; 0 for those before.
    pub(crate) fn opened_after(&self, mark: Instant) -> Histogram<u64> {
        let mut micros = microseconds();
        for since in self.waiting.iter().map(|since| since.load(Ordering::Relaxed)).filter(|since| *since > 0)
        {
            record(&mut micros, (self.began + Duration::from_micros(since)).saturating_duration_since(mark));
        }
        micros
    }

    /// The hub has everything of the agent at `place` up to sample `last`.
    pub(super) fn acked(&self, place: usize, last: u64) {
        self.acked[place].store(last, Ordering::Relaxed);
    }

    /// How many agents have samples up to the number that `taken` gives for their place which the hub has not.
    pub(crate) fn undelivered(&self, taken: impl Fn(usize) -> u64) -> usize {
        let lacks = |(place, acked): &(usize, &AtomicU64)| acked.load(Ordering::Relaxed) < taken(*place);
        self.acked.iter().enumerate().filter(lacks).count()
    }

    /// Changes what is behind the lock.
    pub(super) fn note(&self, change: impl FnOnce(&mut Entries)) {
        change(&mut self.lock());
    }

    /// Something happened that an agent in order should not meet.
    pub(super) fn fault(&self, what: impl FnOnce() -> String) {
        let mut entries = self.lock();
        entries.faults += 1;
        entries.first_fault.get_or_insert_with(what);
    }

    /// How many commands were begun, and how many results stored.
    pub(crate) fn progress(&self) -> (u64, u64) {
        let entries = self.lock();
        (entries.begun.len() as u64, entries.stored)
    }

    /// Everything that was counted so far.
    pub(crate) fn entries(&self) -> Entries {
        self.lock().clone()
    }

    /// When each command was begun, and when the last result was stored, since the last time that was asked.
    pub(crate) fn take_commands(&self) -> (HashMap<String, Instant>, Option<Instant>) {
        let mut entries = self.lock();
        entries.stored = 0;
        (std::mem::take(&mut entries.begun), entries.stored_last.take())
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Counts stay sound whoever panicked beside them.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn new() -> Self {
        Self {
            begun: HashMap::new(),
            stored: 0,
            stored_last: None,
            rows: 0,
            rows_missed: 0,
            pushed: microseconds(),
            beaten: microseconds(),
            broken: 0,
            put_off: 0,
            faults: 0,
            first_fault: None,
        }
    }

    /// Why the agents' life was not in order, if it was not.
    pub(crate) fn trouble(&self) -> Option<String> {
        match (self.faults, self.rows_missed) {
            (0, 0) => None,
            (0, rows) => Some(format!("{rows} rows were answered 200 and not accounted for")),
            (faults, _) => {
                Some(format!("{faults} faults, the first: {}", self.first_fault.as_deref().unwrap_or("?")))
            }
        }
    }
}

/// Takes a duration down in a histogram of microseconds.
pub(crate) fn record(histogram: &mut Histogram<u64>, took: Duration) {
    histogram.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_counted_by_when_its_connection_was_opened() {
        let diary = Diary::new(3);
        let (early, late) = (diary.began, diary.began + Duration::from_secs(1));
        let first = diary.waits(0, early);
        let second = diary.waits(1, late);
        assert_eq!((diary.waiting_since(early), diary.waiting_since(late)), (2, 1));
        let opened = diary.opened_after(early);
        assert_eq!((opened.len(), opened.max() / 100_000), (2, 10));
        drop(second);
        assert_eq!((diary.waiting_since(early), diary.waiting_since(late)), (1, 0));
        drop(first);
        assert_eq!(diary.waiting_since(early), 0);
    }

    #[test]
    fn what_was_taken_and_not_answered_is_undelivered() {
        let diary = Diary::new(3);
        diary.acked(1, 5);
        diary.acked(2, 9);
        assert_eq!(diary.undelivered(|place| [0, 5, 9][place]), 0);
        assert_eq!(diary.undelivered(|place| [1, 5, 10][place]), 2);
    }

    #[test]
    fn the_first_fault_is_kept_in_words() {
        let diary = Diary::new(0);
        assert_eq!(diary.entries().trouble(), None);
        diary.note(|entries| entries.rows_missed += 2);
        assert!(diary.entries().trouble().unwrap().contains("2 rows"));
        diary.fault(|| "one".to_owned());
        diary.fault(|| "two".to_owned());
        assert_eq!(diary.entries().trouble().unwrap(), "2 faults, the first: one");
    }
}
