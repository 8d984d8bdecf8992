//! Pushing: a sample each interval, kept until the hub has it, sent in batches where several wait.

use super::{backoff::Backoff, diary::record, lines::Purpose, member::Member};
use crate::{
    fleet::now,
    spool::{Pushed, Spool},
};
use pingup_protocol::time::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

/// The wait after a first failure, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Rows of the largest batch.
const BATCH_ROWS_MAX: u64 = 500;

/// Pushes for one agent.
pub(super) struct Pusher {
    member: Arc<Member>,
    spool: Spool,
    backoff: Backoff,
}

impl Pusher {
    /// A pusher with an empty spool.
    pub(super) fn new(member: Arc<Member>) -> Self {
        let client = member.line(Purpose::Push, Duration::ZERO);
        let begin = (moment(member.first_sample()), member.habits.interval);
        let backoff = Backoff::new(BACKOFF.0, BACKOFF.1, member.random(13));
        let spool = Spool::over(client, Arc::clone(&member.agent), begin, &member.hub);
        Self { member, spool, backoff }
    }

    /// What was sent, and what of it the hub has.
    pub(super) fn into_spool(self) -> Spool {
        self.spool
    }

    /// Pushes for as long as somebody lets it.
    pub(super) async fn run(&mut self) {
        loop {
            let taken = self.member.taken(Instant::now());
            let Some(range) = self.spool.next(taken, BATCH_ROWS_MAX) else {
                sleep_until(self.member.sample_due(taken + 1)).await;
                continue;
            };
            let (kept, began) = (self.spool.is_connected(), Instant::now());
            let wait = match self.spool.push(range).await {
                Ok(Pushed::Stored { rows, missed }) => {
                    self.member.diary.acked(self.member.place, self.spool.acked());
                    self.member.diary.note(|entries| {
                        entries.rows += rows;
                        entries.rows_missed += missed;
                        record(&mut entries.pushed, began.elapsed());
                    });
                    self.backoff.reset();
                    continue;
                }
                Ok(Pushed::Later { wait, .. }) => {
                    self.member.diary.note(|entries| entries.put_off += 1);
                    Some(wait)
                }
                Ok(Pushed::Broken) => {
                    self.member.broke();
                    // Closed at that very moment, perhaps: once more at once, as the real agent does.
                    if kept {
                        continue;
                    }
                    None
                }
                Err(error) => {
                    self.member.diary.fault(|| format!("{}: {error}", self.member.agent_id));
                    None
                }
            };
            sleep(self.backoff.after_failure(wait)).await;
        }
    }
}

impl Member {
    /// When the first sample is taken.
    fn first_sample(&self) -> Instant {
        self.first(self.habits.interval, 1)
    }

    /// When sample number `seq` is taken.
    fn sample_due(&self, seq: u64) -> Instant {
        let after = u32::try_from(seq.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first_sample() + self.habits.interval.saturating_mul(after)
    }

    /// Samples taken by `at`.
    pub(super) fn taken(&self, at: Instant) -> u64 {
        match at.checked_duration_since(self.first_sample()) {
            Some(since) => {
                u64::try_from(since.as_nanos() / self.habits.interval.as_nanos().max(1)).unwrap_or(u64::MAX)
                    + 1
            }
            None => 0,
        }
    }
}

/// What the clock says at `at`, which may be to come.
fn moment(at: Instant) -> Timestamp {
    let ahead = at.saturating_duration_since(Instant::now());
    Timestamp::from_micros(now().as_micros() + i64::try_from(ahead.as_micros()).unwrap_or_default())
}
