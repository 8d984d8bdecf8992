//! Metrics and scans in, and what 200 promises: **everything the answer counts is committed to disk.**
//!
//! The road of a message, a file a step:
//!
//! 1. [`handler`]: a verified message comes from the gate, is read, and waits here for its answer.
//! 2. [`accept`]: the typed body becomes a [`Job`]; each sample's fate is told from the clock and the
//!    retention alone. Pure.
//! 3. [`queue`]: bounded by count and bytes; what does not fit is refused at once, what fits is answered,
//!    whatever happens.
//! 4. [`writer`]: one thread takes what is there, no timer, and makes it one group, one commit.
//! 5. [`marks`] and [`unnumbered`] tell what was committed before: exactly once, decided in the order of the
//!    queue by the one thread that commits. [`group`] applies them to a group.
//! 6. [`store`]: the group is one record of the history's journal ([`crate::tsdb`]), rows and marks together.
//! 7. The commit done, everyone in the group is answered; or it failed, and everyone is told to come back
//!    ([`herald`], on the threads that serve).
//!
//! After a failed commit what is remembered is made anew from what is committed, before the next group.

pub mod accept;
pub mod group;
pub mod handler;
mod herald;
mod job;
pub mod marks;
pub mod overdue;
pub mod queue;
pub mod store;
#[cfg(test)]
mod testing;
pub mod unnumbered;
pub mod writer;

pub use job::{Fate, Job, Load, Record, Work};
pub use queue::Queue;
pub use store::Store;
pub use writer::Writer;

use crate::tsdb::{Judged, Tsdb, rows::PointRow};
use accept::Window;
use overdue::Overdue;
use pingup_protocol::{
    metrics::{PushAnswer, Rejected},
    time::Timestamp,
};
use std::sync::Arc;

/// What of a request was stored; all of it on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Stored now.
    pub accepted: u64,
    /// Stored before.
    pub duplicates: u64,
    /// Of these, older than the hub keeps by now.
    pub duplicates_expired: u64,
    /// Older than the hub keeps.
    pub expired: u64,
    /// Not accepted, and why.
    pub rejected: Vec<Rejected>,
    /// The stream's mark.
    pub high_water: Option<u64>,
}

impl Stored {
    /// The answer, given at `server_time`.
    pub fn answer(self, server_time: Timestamp) -> PushAnswer {
        let Self { accepted, duplicates, duplicates_expired, expired, rejected, high_water } = self;
        PushAnswer { accepted, duplicates, duplicates_expired, expired, rejected, high_water, server_time }
    }
}

/// Why nothing of a request was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// Too far ahead of the hub's clock.
    #[error(
        "the timestamp is {ahead_seconds} s ahead of the hub's clock; correct it by serverTime and sign anew"
    )]
    InFuture {
        /// By how much.
        ahead_seconds: i64,
    },
    /// Two machines share one identity.
    #[error(
        "seq {seq} of boot {boot} was committed with another timestamp: two machines use this agent's keys, or its \
         state was copied; enrol one of them anew"
    )]
    SequenceConflict {
        /// The stream.
        boot: u64,
        /// The number at its mark.
        seq: u64,
    },
    /// An older stream than the hub knows.
    #[error(
        "boot {boot} is unknown and older than one that is known; begin a stream with a boot from {min_boot}"
    )]
    BootRetired {
        /// The stream that was tried.
        boot: u64,
        /// The least that would be taken.
        min_boot: u64,
    },
    /// Too much waits already.
    #[error("too much waits to be committed; send it again")]
    QueueFull,
    /// Too many samples without numbers came late at once: each takes a look into files.
    #[error("too many late samples without boot and seq at once; send it again, or number them")]
    TooManyLate,
    /// Too many days older than what is kept, while the clock is not believed: each takes a file.
    #[error(
        "too many days older than the hub keeps, while its clock is not believed; send it again within a day"
    )]
    TooManyDays,
    /// The hub is going down.
    #[error("the hub is stopping; send it again when it is back")]
    Stopping,
    /// The disk did not take it.
    #[error("this could not be committed to disk; send it again")]
    NotCommitted,
}

/// The room: takes jobs to the queue and waits for their commit.
#[derive(Debug)]
pub struct Ingest {
    queue: Arc<Queue>,
    tsdb: Tsdb,
    overdue: Overdue,
}

impl Ingest {
    /// The room before `queue`, whose writer writes to `tsdb`. Samples older than that keeps are not stored.
    pub fn new(queue: Arc<Queue>, tsdb: Tsdb) -> Self {
        Self { queue, tsdb, overdue: Overdue::default() }
    }

    /// What is neither too old nor too far ahead now. By a clock that is not believed nothing is too old: its agent
    /// would drop what is not.
    pub fn window(&self) -> Window {
        let (Judged { now, is_believed }, kept) = (self.tsdb.judge_clock(), self.tsdb.retention().raw);
        if is_believed { Window::new(now, kept) } else { Window::doubted(now, kept) }
    }

    /// The hub's clock.
    pub fn now(&self) -> Timestamp {
        self.tsdb.now()
    }

    /// Queues points of series that others write, as [`Ingest::commit`] does.
    pub async fn commit_points(&self, points: Vec<PointRow>) -> Result<Stored, IngestError> {
        self.commit(Work::Points(points), &self.window()).await
    }

    /// Queues `work`, which was accepted by `window`, and waits for its commit. `Ok` means that all it counts is on
    /// disk.
    pub async fn commit(&self, work: impl Into<Work>, window: &Window) -> Result<Stored, IngestError> {
        let work = work.into();
        self.overdue.admit(&work, window)?;
        // A reply that was dropped is that of a writer that died with the work in hand.
        self.queue.push(work)?.await.unwrap_or(Err(IngestError::NotCommitted))
    }
}

#[cfg(test)]
mod tests;
