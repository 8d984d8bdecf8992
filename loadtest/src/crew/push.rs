//! Pushing: a sample each interval, kept until the hub has it, sent in batches where several wait.

use super::{chance::Chance, diary::record, member::Member};
use crate::{
    error::LoadError,
    fleet::now,
    spool::{Pushed, Spool},
};
use pingup_protocol::{
    backoff::{Backoff, REFUSED},
    time::Timestamp,
};
use std::{ops::RangeInclusive, sync::Arc};
use tokio::time::{Instant, sleep, sleep_until};

/// Rows of the largest batch.
const BATCH_ROWS_MAX: u64 = 500;

/// Pushes for one agent.
pub(super) struct Pusher {
    member: Arc<Member>,
    spool: Spool,
    backoff: Backoff,
    chance: Chance,
}

impl Pusher {
    /// A pusher with an empty spool.
    pub(super) fn new(member: Arc<Member>) -> Self {
        let begin = (moment(member.first_sample()), member.habits.interval);
        let (backoff, chance) = (Backoff::new(REFUSED), Chance::new(member.random(13)));
        let spool = Spool::without_line(Arc::clone(&member.agent), begin, &member.hub);
        Self { member, spool, backoff, chance }
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
            let retry_after = match self.push(range).await {
                Ok(Pushed::Stored { rows, missed }) => {
                    self.member.diary.acked(self.member.place, self.spool.acked());
                    self.member.diary.note(|entries| {
                        entries.rows += rows;
                        entries.rows_missed += missed;
                    });
                    self.backoff.reset();
                    continue;
                }
                // Whoever speaks next waits until it is back.
                Ok(Pushed::Broken) => continue,
                Ok(Pushed::Later { wait, .. }) => {
                    self.member.diary.note(|entries| entries.put_off += 1);
                    Some(wait)
                }
                Err(error) => {
                    self.member.diary.fault(|| format!("{}: {error}", self.member.agent_id));
                    None
                }
            };
            sleep(self.backoff.after_failure(retry_after, self.chance.draw())).await;
        }
    }

    /// Pushes once, when it is its turn to speak.
    async fn push(&mut self, range: RangeInclusive<u64>) -> Result<Pushed, LoadError> {
        let member = Arc::clone(&self.member);
        let mut client = member.saying().await;
        if !member.reach(&mut client).await {
            return Ok(Pushed::Broken);
        }
        let asked = Instant::now();
        let pushed = self.spool.push_over(&mut client, range).await;
        match &pushed {
            Ok(Pushed::Broken) => member.went(),
            Ok(Pushed::Stored { .. }) => {
                member.came(asked);
                member.diary.note(|entries| record(&mut entries.pushed, asked.elapsed()));
            }
            Ok(Pushed::Later { .. }) | Err(_) => member.came(asked),
        }
        pushed
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
