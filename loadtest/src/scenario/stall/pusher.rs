//! One agent of a stall: it measures by the clock, keeps what is not answered, and sends it in batches.

use crate::{
    error::LoadError,
    spool::{Pushed, Spool},
};
use hdrhistogram::Histogram;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};

/// How long an answer may take before an agent tries again with what it has by then.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// Rows of the largest batch.
const BATCH_ROWS_MAX: u64 = 500;
/// How long the agents have to deliver what is left.
const DELIVERY_MAX: Duration = Duration::from_secs(120);

/// How long the hub took to refuse, microseconds; of all agents.
pub(super) type Refusals = Arc<Mutex<Histogram<u64>>>;

/// One agent, from the beginning to the last delivery.
pub(super) struct Pusher {
    /// What it keeps.
    pub(super) spool: Spool,
    /// Refusals that named no time to come again.
    pub(super) refused_without_time: u64,
    /// Requests whose answer never came in time.
    pub(super) broken: u64,
    /// Rows that a 200 did not account for.
    pub(super) missed: u64,
    /// The longest that a request took, refused or not.
    pub(super) longest: Duration,
    started: Instant,
    taking: Duration,
    step: Duration,
    refusals: Refusals,
}

impl Pusher {
    /// An agent that takes a sample each `step` from now on, for as long as `taking`.
    pub(super) fn new(spool: Spool, taking: Duration, step: Duration, refusals: Refusals) -> Self {
        Self {
            spool,
            refused_without_time: 0,
            broken: 0,
            missed: 0,
            longest: Duration::ZERO,
            started: Instant::now(),
            taking,
            step,
            refusals,
        }
    }

    /// Pushes until everything that was taken is delivered, or patience ends.
    pub(super) async fn drive(mut self) -> Result<Self, LoadError> {
        let give_up = self.started + self.taking + DELIVERY_MAX;
        while Instant::now() < give_up {
            let Some(range) = self.spool.next(self.taken(), BATCH_ROWS_MAX) else {
                if self.started.elapsed() >= self.taking {
                    break;
                }
                sleep_until(self.started + self.step * u32::try_from(self.taken()).unwrap_or(u32::MAX)).await;
                continue;
            };
            let asked = Instant::now();
            match self.spool.push(range).await? {
                Pushed::Stored { missed, .. } => self.missed += missed,
                Pushed::Later { wait, took, says_when } => {
                    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                    // A record stays sound whoever panicked beside it.
                    self.refusals.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(micros);
                    self.refused_without_time += u64::from(!says_when);
                    sleep(wait).await;
                }
                Pushed::Broken => self.broken += 1,
            }
            self.longest = self.longest.max(asked.elapsed());
        }
        Ok(self)
    }

    /// Samples taken so far: the first at once, the others a step apart.
    pub(super) fn taken(&self) -> u64 {
        let elapsed = self.started.elapsed().min(self.taking);
        u64::try_from(elapsed.as_nanos() / self.step.as_nanos().max(1)).unwrap_or(u64::MAX) + 1
    }
}
