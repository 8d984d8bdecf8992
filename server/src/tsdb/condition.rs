//! How the keeper does, for health and figures: when each of its threads was last well, and how long somebody has held
//! files back from being deleted.

use super::Tsdb;
use pingup_protocol::time::Timestamp;
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// A thread of the keeper that was not well for so long is told by `/health`: longer than any merge takes.
pub(super) const UNWELL_MAX: Duration = Duration::from_secs(3_600);
/// Files that are held back for so long are told: longer than most backups take.
pub(super) const HELD_MAX: Duration = Duration::from_secs(600);

/// A thread of the keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Seal,
    Merge,
}

/// How it does, as its threads tell.
#[derive(Debug)]
pub(super) struct Condition {
    /// When each thread last ended a step with nothing left that failed, microseconds.
    well_at: [AtomicI64; 2],
    held: Mutex<Option<Held>>,
}

/// Somebody holds files back.
#[derive(Clone, Copy, Debug)]
struct Held {
    since: Timestamp,
    was_told: bool,
}

/// How the keeper does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// How long ago the thread that is longer unwell was well.
    pub unwell: Duration,
    /// How long files have been held back, by a backup or an export.
    pub held: Duration,
    /// Files that nobody needs any more and that are still there.
    pub files: usize,
}

impl Condition {
    /// All is well `now`.
    pub(super) fn new(now: Timestamp) -> Self {
        let well_at = [Job::Seal, Job::Merge].map(|_| AtomicI64::new(now.as_micros()));
        Self { well_at, held: Mutex::default() }
    }

    /// A thread ended a step, and nothing it is to do has failed.
    pub(super) fn well(&self, job: Job, now: Timestamp) {
        self.well_at[job as usize].store(now.as_micros(), Ordering::Relaxed);
    }

    /// Files could not be deleted, somebody holds them; says so in the log once it has lasted.
    pub(super) fn held(&self, files: usize, now: Timestamp) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.get_or_insert(Held { since: now, was_told: false });
        let lasted = since(held.since, now);
        if lasted >= HELD_MAX && !held.was_told {
            held.was_told = true;
            let seconds = lasted.as_secs();
            tracing::warn!(
                files,
                seconds,
                "a backup or an export that goes on keeps files from being deleted"
            );
        }
    }

    /// Nobody holds files any more, or there are none to be deleted.
    pub(super) fn released(&self, now: Timestamp) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(held) = held.filter(|held| held.was_told) {
            let seconds = since(held.since, now).as_secs();
            tracing::info!(seconds, "files are deleted again");
        }
    }
}

impl Tsdb {
    /// How the keeper does.
    pub fn keeping(&self) -> Keeping {
        let (condition, now) = (&self.0.condition, self.0.clock.now());
        let well_at = condition.well_at.iter().map(|at| at.load(Ordering::Relaxed)).min();
        let held = *condition.held.lock().unwrap_or_else(PoisonError::into_inner);
        Keeping {
            unwell: well_at.map_or(Duration::ZERO, |at| since(Timestamp::from_micros(at), now)),
            held: held.map_or(Duration::ZERO, |held| since(held.since, now)),
            files: self.0.garbage.len(),
        }
    }
}

impl Keeping {
    /// What everyone may hear: `Err` when the keeper has not been well for long, else what is worth knowing.
    pub fn verdict(&self) -> Result<Option<&'static str>, &'static str> {
        if self.unwell > UNWELL_MAX {
            return Err("the history has not been put in order for long; the log says why");
        }
        let held = "a backup or an export that goes on keeps files from being deleted";
        Ok((self.held >= HELD_MAX).then_some(held))
    }
}

/// Nothing, should the clock have been set back.
fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(now.as_micros().saturating_sub(then.as_micros())).unwrap_or_default())
}
