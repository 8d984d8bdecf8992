//! Whether the hub's clock is believed for letting go, as a whole hub sees it: each look at the clock is one of the
//! [`rule`]'s, so a step is seen by the first who acts on it.

mod rule;

use super::{Tier, Tsdb, parts::PartRow, rows::Rows};
use crate::clock::Reading;
use pingup_protocol::time::Timestamp;
use rule::Belief;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

/// No row is known.
const NO_ROW: i64 = i64::MIN;

/// What is known of the clock, and of the rows that bear it out.
#[derive(Debug)]
pub(super) struct Witness {
    belief: Mutex<Belief>,
    /// When the newest row known was measured, microseconds.
    newest: AtomicI64,
    /// Whether the log was told that nothing is let go.
    was_told: AtomicBool,
}

/// What the clock says, and what that is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What it says.
    pub now: Timestamp,
    /// Whether anything may be let go by it.
    pub is_believed: bool,
}

impl Witness {
    /// Of a hub that starts `now`.
    pub(super) fn new(now: Reading) -> Self {
        let belief = Mutex::new(Belief::begin(now));
        Self { belief, newest: AtomicI64::new(NO_ROW), was_told: AtomicBool::new(false) }
    }

    /// Takes note of rows that are stored. Points do not count: whoever may write series says what time he likes, and one
    /// must not let the agents' history go by it.
    pub(super) fn rows(&self, rows: &Rows<'_>) {
        let samples = rows.samples.iter().map(|row| row.origin.timestamp);
        let scans = rows.scans.iter().map(|row| row.origin.timestamp);
        self.row(samples.chain(scans).map(Timestamp::as_micros).max().unwrap_or(NO_ROW));
    }

    /// Takes note of parts that are listed.
    pub(super) fn parts<'a>(&self, parts: impl IntoIterator<Item = &'a PartRow>) {
        let of_agents = parts.into_iter().filter(|part| part.tier != Tier::Points);
        self.row(of_agents.map(|part| part.times.1).max().unwrap_or(NO_ROW));
    }

    /// Takes note of a row by its time alone.
    pub(super) fn row(&self, micros: i64) {
        self.newest.fetch_max(micros, Ordering::Relaxed);
    }

    fn newest(&self) -> Option<Timestamp> {
        let newest = self.newest.load(Ordering::Relaxed);
        (newest != NO_ROW).then(|| Timestamp::from_micros(newest))
    }

    /// Says once that what is due is not let go, and once that it is again.
    pub(super) fn tell(&self, clock: Judged, is_due: bool) {
        if clock.is_believed {
            if self.was_told.swap(false, Ordering::Relaxed) {
                tracing::info!(clock = %clock.now, "the clock is believed again; old periods are let go");
            }
        } else if is_due && !self.was_told.swap(true, Ordering::Relaxed) {
            let newest = self.newest().map(tracing::field::display);
            tracing::warn!(
                clock = %clock.now,
                newest,
                "the clock was set, or the newest row is far from it: nothing is let go until it is borne out"
            );
        }
    }
}

#[cfg(test)]
impl Witness {
    /// Whether the log was told last that nothing is let go.
    pub(super) fn has_told(&self) -> bool {
        self.was_told.load(Ordering::Relaxed)
    }
}

impl Tsdb {
    /// What the clock says, for what is only told.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// What the clock says, and whether anything may be let go by it: no period, and nothing that is sent for being old.
    pub fn judge_clock(&self) -> Judged {
        let witness = &self.0.witness;
        // Read under the lock: two who look see it in one order.
        let mut belief = witness.belief.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.0.clock.read();
        Judged { now: now.wall, is_believed: belief.judge(now, witness.newest()) }
    }

    /// As if this hub had started so long ago.
    #[cfg(test)]
    pub(crate) fn started_seconds_ago(&self, seconds: i64) {
        let then = self.0.clock.read().plus_seconds(-seconds);
        *self.0.witness.belief.lock().unwrap() = Belief::begin(then);
    }
}
