//! What is known of a connection while it is served: whose turn it is and since when, and whether anything is still on
//! its way. The line notes what happens to bytes, the desk what happens to requests; the conversation looks.
//!
//! All of them run in the connection's one task, so nothing here is ever contended; the atomics are there because a task
//! may move from thread to thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// How long a request's header block may take to arrive, from the end of the last answer: also how long a
/// kept-alive connection may idle.
pub(super) const HEADER_DEADLINE: Duration = Duration::from_secs(75);
/// How long an answer may wait for its reader to take more of it. What the system holds of an answer is kept small enough
/// (`serve`) that a reader who takes anything at all is seen to within this time.
pub(super) const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// Whose turn it is on a line: the client's since a moment, or ours.
#[derive(Debug)]
pub(super) struct Turn {
    opened: Instant,
    /// Since when the next request is awaited; never while one is being answered.
    clients_since: Moment,
    /// Since when the reader of an answer takes nothing.
    stuck_since: Moment,
    /// Requests so far.
    requests: AtomicU64,
    /// The answer that is being written has no end.
    is_endless: AtomicBool,
    /// The newest answer was all there when it was handed over: nothing of it is still to be made.
    is_whole: AtomicBool,
    /// Nothing is left that was to be written.
    is_flushed: AtomicBool,
    /// The answer at hand waits for something to happen.
    is_held: AtomicBool,
    /// The newest answer refused a request with a body, of which there may be more.
    is_refused: AtomicBool,
}

/// Milliseconds after the line was opened, plus one; zero for never.
#[derive(Debug)]
struct Moment(AtomicU64);

impl Turn {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            clients_since: Moment(AtomicU64::new(1)),
            stuck_since: Moment(AtomicU64::new(0)),
            requests: AtomicU64::new(0),
            is_endless: AtomicBool::new(false),
            is_whole: AtomicBool::new(true),
            is_flushed: AtomicBool::new(true),
            is_held: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
        })
    }

    /// A request is here.
    pub(super) fn ours(&self) {
        self.clients_since.never();
        // One task counts, so two steps do.
        self.requests.store(self.requests().wrapping_add(1), Ordering::Relaxed);
    }

    /// The answer to it is about to be written; `is_whole`: all of it is there.
    pub(super) fn answered(&self, is_whole: bool) {
        self.is_whole.store(is_whole, Ordering::Relaxed);
        self.is_flushed.store(false, Ordering::Relaxed);
        self.clients();
    }

    /// The next request is awaited from now on.
    fn clients(&self) {
        self.clients_since.set(self.opened.elapsed());
    }

    /// The answer that is on its way has no end, and no request follows it.
    pub(super) fn endless(&self) {
        self.is_endless.store(true, Ordering::Relaxed);
    }

    /// The answer at hand waits for something to happen, or does so no more.
    pub(super) fn held(&self, is_held: bool) {
        self.is_held.store(is_held, Ordering::Relaxed);
    }

    /// Whether the newest answer refused a request with a body.
    pub(super) fn refused(&self, is_refused: bool) {
        self.is_refused.store(is_refused, Ordering::Relaxed);
    }

    /// Whether the client may still be sending what was refused.
    pub(super) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    /// Something was written, or could not be: the reader takes nothing.
    pub(super) fn wrote(&self, is_stuck: bool) {
        self.is_flushed.store(false, Ordering::Relaxed);
        match (is_stuck, self.is_stuck()) {
            (true, false) => self.stuck_since.set(self.opened.elapsed()),
            (false, true) => {
                self.stuck_since.never();
                if !self.is_endless.load(Ordering::Relaxed) {
                    // A long answer: the next request is due from its end, not its beginning.
                    self.clients();
                }
            }
            _ => {}
        }
    }

    /// All that was to be written is out, or waits for a reader that takes nothing.
    pub(super) fn flushed(&self, is_stuck: bool) {
        if is_stuck || self.is_stuck() {
            self.wrote(is_stuck);
        }
        self.is_flushed.store(!is_stuck, Ordering::Relaxed);
    }

    /// How many requests there were.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether the line can be left alone until the next request comes.
    pub(super) fn is_idle(&self) -> bool {
        self.clients_since.get().is_some()
            && self.is_whole.load(Ordering::Relaxed)
            && self.is_flushed.load(Ordering::Relaxed)
            && !self.is_stuck()
    }

    /// Whether nothing can be done but to wait for the answer at hand.
    pub(super) fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Relaxed) && self.is_flushed.load(Ordering::Relaxed) && !self.is_stuck()
    }

    /// Whether an answer without an end waits for a reader that takes nothing.
    pub(super) fn is_endless_and_stuck(&self) -> bool {
        self.is_endless.load(Ordering::Relaxed) && self.is_stuck()
    }

    fn is_stuck(&self) -> bool {
        self.stuck_since.get().is_some()
    }

    /// When the client must have done what it is to do: take more of its answer, or send its next request. None while
    /// nothing is due from it.
    pub(super) fn due(&self) -> Option<Instant> {
        // As long as an answer is stuck, its own deadline is the one that counts.
        let due = match self.stuck_since.get() {
            Some(since) => since + WRITE_DEADLINE,
            None => self.clients_since.get()? + HEADER_DEADLINE,
        };
        Some(self.opened + due)
    }
}

impl Moment {
    fn set(&self, since_opened: Duration) {
        let milliseconds = u64::try_from(since_opened.as_millis()).unwrap_or(u64::MAX - 1);
        self.0.store(milliseconds.saturating_add(1), Ordering::Relaxed);
    }

    fn never(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn get(&self) -> Option<Duration> {
        self.0.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_is_idle_only_once_its_answer_is_out() {
        let turn = Turn::new();
        assert!(turn.is_idle(), "nobody has asked for anything");
        turn.ours();
        assert!(!turn.is_idle() && turn.due().is_none());
        turn.answered(true);
        assert!(!turn.is_idle(), "not written");
        turn.wrote(false);
        assert!(!turn.is_idle(), "not flushed");
        turn.flushed(false);
        assert!(turn.is_idle());
        turn.wrote(true);
        turn.flushed(true);
        assert!(!turn.is_idle(), "its reader takes nothing");
        turn.wrote(false);
        turn.flushed(false);
        assert!(turn.is_idle());
        turn.ours();
        turn.answered(false);
        turn.flushed(false);
        assert!(!turn.is_idle(), "more of the answer may come");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_is_the_stuck_answer_or_the_next_request() {
        let turn = Turn::new();
        let begun = Instant::now();
        assert_eq!(turn.due(), Some(begun + HEADER_DEADLINE));
        tokio::time::advance(Duration::from_secs(10)).await;
        turn.answered(true);
        turn.wrote(true);
        tokio::time::advance(Duration::from_secs(5)).await;
        turn.wrote(true);
        assert_eq!(turn.due(), Some(begun + Duration::from_secs(10) + WRITE_DEADLINE), "since it is stuck");
        turn.wrote(false);
        assert_eq!(turn.due(), Some(Instant::now() + HEADER_DEADLINE), "from the end of a long answer");
        // Over TLS all of an answer may be written, and wait there.
        turn.answered(true);
        turn.wrote(false);
        turn.flushed(true);
        assert_eq!(turn.due(), Some(Instant::now() + WRITE_DEADLINE));
        tokio::time::advance(Duration::from_secs(5)).await;
        turn.flushed(false);
        assert!(turn.is_idle());
        assert_eq!(turn.due(), Some(Instant::now() + HEADER_DEADLINE), "from when it was taken");
    }
}
