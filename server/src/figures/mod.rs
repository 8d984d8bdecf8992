//! The hub's own figures: how much it took, how fast, and what it refused.
//!
//! One [`Figures`] is handed around as an `Arc`; rooms count on it with relaxed atomics, so counting costs
//! nothing worth measuring and promises no more than that each figure by itself is right. `GET /metrics`
//! writes them in Prometheus's text format (`text`). Labels come from closed lists (refusals by name,
//! states), but for the names of the few senders with most series, so the number of series is bounded.

pub mod handler;
mod histogram;
mod text;

pub use handler::{AskKeeper, AskWritten, CountByStatus, FiguresRoom, KeeperFigures, WrittenFigures};
pub use histogram::Histogram;

use pingup_protocol::problem::ProblemType;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts `more`.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that comes and goes; whoever adds takes away the same later.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// So much came.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// So much went.
    pub fn sub(&self, less: u64) {
        self.0.fetch_sub(less, Ordering::Relaxed);
    }

    /// So much is there from now on; for one that a single place sets.
    pub fn set(&self, much: u64) {
        self.0.store(much, Ordering::Relaxed);
    }

    /// How much is there.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the hub counts of itself since it started.
#[derive(Debug, Default)]
pub struct Figures {
    /// Samples committed.
    pub samples: Counter,
    /// Scans committed.
    pub scans: Counter,
    /// Samples of written series committed.
    pub points: Counter,
    /// Groups committed; each is one transaction and one sync to disk.
    pub batches: Counter,
    /// Groups that could not be committed; everyone in them was told to come back.
    pub failed_batches: Counter,
    /// How long committing a group took.
    pub commit_seconds: Histogram,
    /// Requests that wait for their commit.
    pub queued_requests: Gauge,
    /// What they take in memory, bytes.
    pub queued_bytes: Gauge,
    /// Numbers that were committed before and came again.
    pub duplicates: Counter,
    /// Samples and scans older than the hub keeps.
    pub expired: Counter,
    /// Samples of batches that could not be accepted.
    pub rejected: Counter,
    /// Times that a stream's numbers jumped.
    pub gaps: Counter,
    /// Connections that are open.
    pub connections: Gauge,
    /// Those of them that wait for their next request, and take next to nothing.
    pub connections_parked: Gauge,
    /// Those whose request is held open until something happens.
    pub connections_held: Gauge,
    /// Those that are read on, for what they sent was refused before its end.
    pub connections_lingering: Gauge,
    /// Those that speak HTTP/2.
    pub connections_multiplexed: Gauge,
    /// Connections that ended before their TLS handshake was over.
    pub handshakes_failed: Counter,
    /// When the certificate ends, in seconds since 1970; 0 without TLS.
    pub certificate_ends: Gauge,
    /// Connections that were ended, unproven, since places were short.
    pub connections_evicted: Counter,
    /// Connections that were turned away, since their address has or opens too many.
    pub connections_refused: Counter,
    /// What unfinished heads of requests take in memory, bytes.
    pub unfinished_heads: Gauge,
    /// Answers that were held back, since whoever asked asks too often.
    pub requests_slowed: Counter,
    /// Events told.
    pub events: Counter,
    /// Streams of events that are open.
    pub event_streams: Gauge,
    /// Streams that were cut, for their readers were too slow.
    pub event_streams_behind: Counter,
    refusals: Refusals,
    logins_refused: [Counter; LoginRefusal::ALL.len()],
}

/// Why a token that came to an operators' door did not open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefusal {
    /// It is none of this hub's.
    Invalid,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// Its role does not allow this.
    Role,
    /// Nobody looked at it: its address sent too many bad ones.
    Locked,
}

impl LoginRefusal {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Invalid, Self::Expired, Self::Revoked, Self::Role, Self::Locked];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Role => "role",
            Self::Locked => "locked",
        }
    }
}

/// One counter for each kind of refusal, in the order of [`ProblemType::ALL`].
#[derive(Debug)]
struct Refusals([Counter; ProblemType::ALL.len()]);

impl Default for Refusals {
    fn default() -> Self {
        Self([const { Counter(AtomicU64::new(0)) }; ProblemType::ALL.len()])
    }
}

impl Figures {
    /// Counts a refusal; the porch does, once for each that leaves.
    pub fn refused(&self, kind: ProblemType) {
        if let Some(counter) = self.refusals.0.get(kind as usize) {
            counter.add(1);
        }
    }

    /// Counts a token that did not open an operators' door.
    pub fn login_refused(&self, why: LoginRefusal) {
        if let Some(counter) = self.logins_refused.get(why as usize) {
            counter.add(1);
        }
    }

    /// How many did not for this reason.
    pub fn logins_refused(&self, why: LoginRefusal) -> u64 {
        self.logins_refused.get(why as usize).map_or(0, Counter::get)
    }

    /// How many refusals of `kind` left.
    pub fn refusals(&self, kind: ProblemType) -> u64 {
        self.refusals.0.get(kind as usize).map_or(0, Counter::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_refusal_has_a_counter_of_its_own() {
        let figures = Figures::default();
        for (place, &kind) in ProblemType::ALL.iter().enumerate() {
            assert_eq!(kind as usize, place, "{}", kind.name());
            (0..=place).for_each(|_| figures.refused(kind));
        }
        for (count, &kind) in (1..).zip(ProblemType::ALL) {
            assert_eq!(figures.refusals(kind), count, "{}", kind.name());
        }
        for (count, why) in (1..).zip(LoginRefusal::ALL) {
            (0..count).for_each(|_| figures.login_refused(why));
        }
        assert_eq!(LoginRefusal::ALL.map(|why| figures.logins_refused(why)), [1, 2, 3, 4, 5]);
    }
}
