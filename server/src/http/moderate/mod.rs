//! Moderation: what becomes of those who ask too often.
//!
//! Three kinds of bucket are asked. An agent's own are in its pass, and are asked by the gate before anything else is done for it: one of all its
//! requests, one of those whose body cannot be read or does not verify; when that is empty, it counts from where those came. A token by which series are sent has one of its requests. The one of an
//! address counts what comes from there without a good token: every answer on a connection that is not proven, and every
//! refusal for want of a token on one that is. A good token is never held up by what others of its address send. What an agent asks without
//! its token over a connection that it has proven is counted as its own.
//!
//! A refusal counts by what was read for it ([`cost`]): who sends what is dear to refuse is heard less often.
//!
//! What is too much is refused, and **slowly**: the answer waits two seconds, and its connection with it, for one that is answered at once
//! would be back at once. So many answers wait at a time; beyond them the refusal ends its connection. What is no refusal (`/health`, which
//! anyone may ask) only waits, for half a second: whoever looks whether the hub lives must not be told that it does not.
//! All of it is told in the log, in few lines ([`flood`]).
//!
//! Whom an address belongs to is not asked of headers: `X-Forwarded-For` is whatever its sender likes.

mod flood;
#[cfg(test)]
mod tests;

use self::flood::{Doer, Floods};
use super::{places::Seat, problem::Refusal};
use crate::{
    auth::{Allowances, Pass},
    bucket::{Allowance, Bucket, Buckets},
    figures::Figures,
    settings::Limits,
};
use axum::response::{IntoResponse, Response};
use pingup_protocol::{ids::AgentId, problem::ProblemType, time::Timestamp};
use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

/// How long an agent, or a token by which series are sent, may ask more often than it may.
const AGENT_BURST_SECONDS: u32 = 10;
/// The same for those who bring no good token.
const STRANGERS_BURST_SECONDS: u32 = 10;
/// Addresses of strangers that are kept in the book; some 40 bytes each.
const HOSTS_MAX: usize = 65_536;
/// Agents, each from one address, of whom something was refused, that are kept in another; some 100 bytes each.
const REFUSED_MAX: usize = 16_384;
/// Tokens by which series are sent that are kept in another; some 60 bytes each.
const SENDERS_MAX: usize = 4_096;
/// How long a refusal waits.
const WAIT: Duration = Duration::from_secs(2);
/// How long an answer does that is none: less than any prober's patience.
const WAIT_OF_GOOD: Duration = Duration::from_millis(500);
/// Answers that wait at a time. One to a request with a body keeps all that reads it, 17 KB.
const WAITING_MAX: usize = 2_048;
/// Of a body that is refused, so much costs as another refusal: reading it takes the hub about as long as refusing a small one.
const REFUSED_BYTES_OF_ONE: usize = 16 * 1024;
/// Lines of the log about single addresses, a second, and those of how many seconds at once.
const LINES_PER_SECOND: u32 = 1;
const LINES_BURST_SECONDS: u32 = 20;

/// What a refusal costs whoever is refused: one, and another for each 16 KiB of its body that were read.
pub(super) fn cost(refusal: &Refusal) -> u32 {
    u32::try_from(refusal.bytes_read() / REFUSED_BYTES_OF_ONE).unwrap_or(u32::MAX).saturating_add(1)
}

/// Put into an answer that anyone may have, whoever asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct ForAnyone;

/// Who asks too often.
#[derive(Clone)]
pub struct Moderator(Arc<Inner>);

struct Inner {
    agents: Allowances,
    /// Messages that could not be read or did not verify, by whose token and from where they came.
    refused: Mutex<Buckets<(AgentId, IpAddr)>>,
    strangers: Mutex<Buckets<IpAddr>>,
    /// By the id of the token, or by whom a provider vouches for.
    senders: Mutex<Buckets<String>>,
    floods: Floods,
    lines: Bucket,
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
        let requests = Allowance::per_second(limits.agent_requests_per_second, AGENT_BURST_SECONDS);
        let refusals = Allowance::per_second(limits.agent_refusals_per_second, AGENT_BURST_SECONDS);
        Self(Arc::new(Inner {
            agents: Allowances { requests, refusals },
            refused: Mutex::new(Buckets::new(refusals, REFUSED_MAX)),
            strangers: Mutex::new(Buckets::new(strangers, HOSTS_MAX)),
            senders: Mutex::new(Buckets::new(requests, SENDERS_MAX)),
            floods: Floods::default(),
            lines: Bucket::default(),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            figures,
        }))
    }

    /// Counts a request of an agent, or says of what there were too many, and in how many seconds the next is taken. What was refused
    /// of an agent's holds up those alone who come from where that came from: its bearer token can be in other hands, which
    /// must not silence it.
    pub(super) fn take_agent(
        &self,
        pass: &Pass,
        host: IpAddr,
        now: Timestamp,
    ) -> Result<(), (&'static str, u64)> {
        if pass.is_refused_often(&self.0.agents, now) {
            let from_there = (pass.token().agent_id.clone(), host);
            let what = "messages of this agent that cannot be read or do not verify";
            self.refused().look(&from_there, now).map_err(|seconds| (what, seconds))?;
        }
        pass.take_request(&self.0.agents, 1, now).map_err(|seconds| ("requests of this agent", seconds))
    }

    /// Counts a message of an agent that could not be read, or did not verify, by what it cost.
    pub(super) fn note_refusal(&self, pass: &Pass, host: IpAddr, cost: u32, now: Timestamp) {
        pass.note_refusal(&self.0.agents, cost, now);
        // Those that were under way when there were none left count no more.
        let _ = self.refused().take(&(pass.token().agent_id.clone(), host), cost, now);
    }

    fn refused(&self) -> MutexGuard<'_, Buckets<(AgentId, IpAddr)>> {
        self.0.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request by which series are sent, or says in how many seconds the next of this token is taken.
    pub(super) fn take_sender(&self, token: &str, now: Timestamp) -> Result<(), u64> {
        self.0.senders.lock().unwrap_or_else(PoisonError::into_inner).take(token, 1, now)
    }

    /// What becomes of an answer; one that comes too often may become another refusal.
    pub(super) fn judge(
        &self,
        seat: &Seat,
        response: &mut Response,
        now: impl FnOnce() -> Timestamp,
    ) -> Verdict {
        let refused = response.extensions().get::<Refusal>();
        let (kind, cost) = (refused.map(Refusal::kind), refused.map_or(1, cost));
        if kind.is_none() && seat.is_proven() && response.extensions().get::<ForAnyone>().is_none() {
            return Verdict::Leaves;
        }
        let now = now();
        if let Some(refusal) = refused.filter(|refusal| refusal.kind() == ProblemType::RateLimited) {
            // By the bucket of an agent or a sender, or by a room's rule.
            let doer = Doer::of(refusal.who(), seat.host());
            self.0.floods.note(doer, refusal.of_what().unwrap_or("requests"));
            return self.slow(true);
        }
        if seat.is_proven() && !kind.is_some_and(is_for_want_of_a_token) {
            // An operator asks as often as he likes.
            let Some(pass) = seat.agent() else { return Verdict::Leaves };
            if pass.take_request(&self.0.agents, cost, now).is_ok() {
                return Verdict::Leaves;
            }
            // What was wrong is still told: it may be the answer to a good token.
            self.0.floods.note(Doer::Agent(pass.token().agent_id.clone()), "requests of this agent");
            return self.slow(kind.is_some());
        }
        let what = "requests without a good token from this address";
        let Err(seconds) = self.take(seat.host(), cost, now) else { return Verdict::Leaves };
        self.0.floods.note(Doer::Address(seat.host()), what);
        if kind.is_some() {
            *response = Refusal::too_often(what, seconds).into_response();
        }
        self.slow(kind.is_some())
    }

    fn take(&self, host: IpAddr, cost: u32, now: Timestamp) -> Result<(), u64> {
        self.0.strangers.lock().unwrap_or_else(PoisonError::into_inner).take(&host, cost, now)
    }

    /// Counts a connection that was turned away, for the log.
    pub(super) fn note_turned(&self, host: IpAddr) {
        self.0.floods.note(Doer::Address(host), "connections from this address");
    }

    /// Tells the log of who asks too often, where it is time to: when that begins, each minute, and when it is over.
    pub fn tell(&self, now: Timestamp) {
        self.0.floods.tell(self.0.figures.connections_evicted.get(), now);
    }

    /// Whether the log may have another line of a single address.
    pub(super) fn may_tell(&self, now: Timestamp) -> bool {
        let lines = Allowance::per_second(LINES_PER_SECOND, LINES_BURST_SECONDS);
        self.0.lines.take(lines, 1, now).is_ok()
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
