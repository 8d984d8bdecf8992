//! Moderation: what becomes of those who ask too often.
//!
//! Two kinds of bucket are asked. An agent's own are in its pass, and are asked by the gate before anything else is done for it: one of all its
//! requests, one of those whose body cannot be read or does not verify. The one of an
//! address counts what comes from there without a good token: every answer on a connection that is not proven, and every
//! refusal for want of a token on one that is. A good token is never held up by what others of its address send.
//!
//! What is too much is refused, and **slowly**: the answer waits two seconds, and its connection with it, for one that is answered at once
//! would be back at once. So many answers wait at a time; beyond them the refusal ends its connection. What is no refusal (`/health`, which
//! anyone may ask) only waits, for half a second: whoever looks whether the hub lives must not be told that it does not.
//!
//! Whom an address belongs to is not asked of headers: `X-Forwarded-For` is whatever its sender likes.

use super::{places::Seat, problem::Refusal};
use crate::{
    auth::Allowances,
    bucket::{Allowance, Buckets},
    figures::Figures,
    settings::Limits,
};
use pingup_protocol::{problem::ProblemType, time::Timestamp};
use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

/// How long an agent may ask more often than it may.
const AGENT_BURST_SECONDS: u32 = 10;
/// The same for those who bring no good token.
const STRANGERS_BURST_SECONDS: u32 = 10;
/// Addresses of strangers that are kept in the book; some 40 bytes each.
const HOSTS_MAX: usize = 65_536;
/// How long a refusal waits.
const WAIT: Duration = Duration::from_secs(2);
/// How long an answer does that is none: less than any prober's patience.
const WAIT_OF_GOOD: Duration = Duration::from_millis(500);
/// Answers that wait at a time. One to a request with a body keeps all that reads it, 17 KB.
const WAITING_MAX: usize = 2_048;

/// Who asks too often.
#[derive(Clone)]
pub struct Moderator(Arc<Inner>);

struct Inner {
    agents: Allowances,
    strangers: Mutex<Buckets>,
    waiting: Arc<Semaphore>,
    figures: Arc<Figures>,
}

impl fmt::Debug for Moderator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Moderator(…)")
    }
}

/// What becomes of an answer.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It leaves at once.
    Leaves,
    /// It leaves when this is over.
    Waits(Penalty),
    /// It leaves at once, and is the last on its connection.
    Last,
}

/// An answer's wait, and its room among those that wait.
#[derive(Debug)]
pub(super) struct Penalty(OwnedSemaphorePermit, Duration);

impl Penalty {
    /// Waits.
    pub(super) async fn served(self) {
        sleep(self.1).await;
        drop(self.0);
    }
}

impl Moderator {
    /// Moderates by these limits.
    pub fn new(limits: &Limits, figures: Arc<Figures>) -> Self {
        let strangers = Allowance::per_second(limits.stranger_requests_per_second, STRANGERS_BURST_SECONDS);
        Self(Arc::new(Inner {
            agents: Allowances {
                requests: Allowance::per_second(limits.agent_requests_per_second, AGENT_BURST_SECONDS),
                refusals: Allowance::per_second(limits.agent_refusals_per_second, AGENT_BURST_SECONDS),
            },
            strangers: Mutex::new(Buckets::new(strangers, HOSTS_MAX)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            figures,
        }))
    }

    /// How much one agent may ask.
    pub(super) fn agents(&self) -> &Allowances {
        &self.0.agents
    }

    /// What becomes of an answer that is a refusal of this kind, or none. `refuse` makes it another refusal.
    pub(super) fn judge(
        &self,
        seat: &Seat,
        refused: Option<ProblemType>,
        now: impl FnOnce() -> Timestamp,
        refuse: impl FnOnce(Refusal),
    ) -> Verdict {
        match refused {
            // By the agent's own bucket, or by a room's rule.
            Some(ProblemType::RateLimited) => self.slow(true),
            None if seat.is_proven() => Verdict::Leaves,
            Some(kind) if seat.is_proven() && !is_for_want_of_a_token(kind) => Verdict::Leaves,
            _ => match self.take(seat.host(), now()) {
                Ok(()) => Verdict::Leaves,
                Err(seconds) => {
                    if refused.is_some() {
                        refuse(too_often("requests without a good token from this address", seconds));
                    }
                    self.slow(refused.is_some())
                }
            },
        }
    }

    fn take(&self, host: IpAddr, now: Timestamp) -> Result<(), u64> {
        self.0.strangers.lock().unwrap_or_else(PoisonError::into_inner).take(host, now)
    }

    fn slow(&self, is_refused: bool) -> Verdict {
        self.0.figures.requests_slowed.add(1);
        match Arc::clone(&self.0.waiting).try_acquire_owned() {
            Ok(place) => Verdict::Waits(Penalty(place, if is_refused { WAIT } else { WAIT_OF_GOOD })),
            Err(_) if is_refused => Verdict::Last,
            Err(_) => Verdict::Leaves,
        }
    }
}

/// The refusal of one who asks too often.
pub(super) fn too_often(what: &str, seconds: u64) -> Refusal {
    let detail = format!("too many {what}; the next is taken in {seconds} s");
    Refusal::new(ProblemType::RateLimited, detail).retry_after(seconds)
}

/// Refusals that whoever has a good token does not hear.
const fn is_for_want_of_a_token(kind: ProblemType) -> bool {
    matches!(
        kind,
        ProblemType::TokenMissing
            | ProblemType::TokenInvalid
            | ProblemType::TokenExpired
            | ProblemType::JoinTokenInvalid
            | ProblemType::JoinTokenExhausted
            | ProblemType::JoinTokenExpired
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{
        Peer,
        places::{Places, Proof},
    };

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    /// What an address may ask at once.
    const BURST: usize = 10;

    struct Door {
        moderator: Moderator,
        places: Arc<Places>,
    }

    impl Door {
        fn new() -> Self {
            let limits = Limits { stranger_requests_per_second: 1, ..Limits::default() };
            let moderator = Moderator::new(&limits, Arc::default());
            Self { moderator, places: Places::new(100, limits, Arc::default()) }
        }

        async fn seat(&self, address: &str) -> Arc<Seat> {
            let peer = Peer { address: format!("{address}:1").parse().unwrap(), is_tls: false };
            self.places.seat(peer, self.places.free().await.unwrap(), NOW).unwrap()
        }

        /// The verdict, and whether the answer became another.
        fn judge(&self, seat: &Seat, refused: Option<ProblemType>) -> (Verdict, bool) {
            let mut changed = false;
            let verdict = self.moderator.judge(
                seat,
                refused,
                || NOW,
                |refusal| {
                    assert_eq!(refusal.kind(), ProblemType::RateLimited);
                    changed = true;
                },
            );
            (verdict, changed)
        }
    }

    #[tokio::test]
    async fn strangers_are_slowed_and_whoever_has_a_token_is_not() {
        let door = Door::new();
        let (stranger, agent) = (door.seat("10.0.0.1").await, door.seat("10.0.0.1").await);
        agent.prove(|| Proof::Operator);
        for _ in 0..BURST {
            let judged = door.judge(&stranger, Some(ProblemType::TokenInvalid));
            assert!(matches!(judged, (Verdict::Leaves, false)));
        }
        assert!(matches!(door.judge(&stranger, Some(ProblemType::TokenInvalid)), (Verdict::Waits(_), true)));
        for fine in [None, Some(ProblemType::SchemaInvalid), Some(ProblemType::Overloaded)] {
            assert!(matches!(door.judge(&agent, fine), (Verdict::Leaves, false)), "{fine:?}");
        }
        assert!(matches!(door.judge(&agent, Some(ProblemType::TokenInvalid)), (Verdict::Waits(_), true)));
        let elsewhere = door.seat("10.0.0.2").await;
        assert!(matches!(door.judge(&elsewhere, Some(ProblemType::TokenInvalid)), (Verdict::Leaves, false)));
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_wait_and_the_next_is_the_last_on_its_connection() {
        let door = Door::new();
        let stranger = door.seat("10.0.0.1").await;
        let mut waiting = Vec::new();
        for _ in 0..BURST {
            door.judge(&stranger, None);
        }
        for _ in 0..WAITING_MAX {
            match door.judge(&stranger, None) {
                (Verdict::Waits(penalty), false) => waiting.push(penalty),
                other => panic!("{other:?}"),
            }
        }
        let refused = Some(ProblemType::NotFound);
        assert!(matches!(door.judge(&stranger, refused), (Verdict::Last, true)));
        assert!(matches!(door.judge(&stranger, None), (Verdict::Leaves, false)), "what is no refusal leaves");
        let begun = tokio::time::Instant::now();
        waiting.pop().unwrap().served().await;
        assert_eq!(begun.elapsed(), WAIT_OF_GOOD);
        match door.judge(&stranger, refused) {
            (Verdict::Waits(penalty), true) => penalty.served().await,
            other => panic!("{other:?}"),
        }
        assert_eq!(begun.elapsed(), WAIT_OF_GOOD + WAIT);
    }
}
