//! Agents' bearer tokens that verified, kept with the keys their generation was found to have.
//!
//! Only tokens of this hub's making get in, and each is found again by the SHA-256 of its whole text: what a
//! stranger sends costs one digest and one look. A pass says nothing for ever: its expiry is checked at every
//! use, and one that was taken out (its agent was removed, or the room was needed) never vouches again, not even
//! in the hands of a request that took it earlier. What is kept is bounded; past that it starts anew.

use super::{
    digest::{ByDigest, TokenDigest},
    keys::AgentKeys,
    token::{AgentToken, Expiry, TokenError},
};
use crate::bucket::{Allowance, Bucket};
use pingup_protocol::{
    limits::{BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX},
    time::Timestamp,
};
use std::{
    fmt,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
};

/// Tokens that are kept, with their keys: about a kilobyte each.
pub const CACHED_TOKENS_MAX: usize = 65_536;
/// How long an agent that nobody knew counts as unknown without asking the records again: a message of one that is known asks them once, so
/// one that is not must not be told from it by the time that asking takes.
const UNKNOWN_SECONDS: i64 = 1;
/// Connections that one agent's token proves; ours keeps two.
pub const PROVEN_CONNECTIONS_MAX: usize = 64;
/// What bodies of one agent that are on their way may take together: a full batch, and another message beside it. One agent must
/// not have all the memory that there is for bodies.
pub const ARRIVING_BYTES_MAX: usize = BATCH_BODY_BYTES_MAX + BODY_BYTES_MAX;

/// How much one agent may ask.
#[derive(Clone, Copy, Debug)]
pub struct Allowances {
    /// Requests.
    pub requests: Allowance,
    /// Messages that cannot be read, or do not verify: their bodies may be large, and who sends them is no agent that is well.
    pub refusals: Allowance,
}

/// A token that verified.
#[derive(Debug)]
pub struct Pass {
    token: AgentToken,
    expiry: Expiry,
    keys: OnceLock<Arc<AgentKeys>>,
    /// Set when it is taken out, under the lock of all passes, and never unset.
    retired: AtomicBool,
    /// Until when its agent counts as one that nobody knows, microseconds since 1970.
    unknown_until: AtomicI64,
    /// How often it is used.
    requests: Bucket,
    /// How often a message that came with it could not be read, or did not verify.
    refusals: Bucket,
    /// Connections that it proves.
    connections: AtomicUsize,
    /// What is left of [`ARRIVING_BYTES_MAX`].
    arriving: AtomicUsize,
}

impl Pass {
    fn new((token, expiry): (AgentToken, Expiry)) -> Self {
        Self {
            token,
            expiry,
            keys: OnceLock::new(),
            retired: AtomicBool::new(false),
            unknown_until: AtomicI64::new(i64::MIN),
            requests: Bucket::default(),
            refusals: Bucket::default(),
            connections: AtomicUsize::new(0),
            arriving: AtomicUsize::new(ARRIVING_BYTES_MAX),
        }
    }

    /// Whether its agent was found lately to be one that nobody knows.
    pub fn is_unknown(&self, now: Timestamp) -> bool {
        now.as_micros() < self.unknown_until.load(Ordering::Relaxed)
    }

    /// Its agent is one that nobody knows at `now`.
    pub(super) fn note_unknown(&self, now: Timestamp) {
        self.unknown_until.store(now.plus_seconds(UNKNOWN_SECONDS).as_micros(), Ordering::Relaxed);
    }

    /// Whether too many messages that came with it, wherever from, could not be read or did not verify.
    pub fn is_refused_often(&self, allowances: &Allowances, now: Timestamp) -> bool {
        self.refusals.look(allowances.refusals, now).is_err()
    }

    /// Counts a request, or says in how many seconds the next is taken.
    pub fn take_request(&self, allowances: &Allowances, cost: u32, now: Timestamp) -> Result<(), u64> {
        self.requests.take(allowances.requests, cost, now)
    }

    /// Counts a message that could not be read, or did not verify, by what it cost.
    pub fn note_refusal(&self, allowances: &Allowances, cost: u32, now: Timestamp) {
        // When there are none left it is refused before it is looked at; those that were under way count no more.
        let _ = self.refusals.take(allowances.refusals, cost, now);
    }

    /// Lets it prove one connection more, if it may.
    pub fn prove_one(&self) -> bool {
        let more = |count| (count < PROVEN_CONNECTIONS_MAX).then_some(count + 1);
        self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// A connection that it proved is gone.
    pub fn prove_one_less(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// What is left for bodies that are on their way, bytes.
    pub const fn arriving(&self) -> &AtomicUsize {
        &self.arriving
    }

    /// What the token says.
    pub const fn token(&self) -> &AgentToken {
        &self.token
    }

    /// The keys of a generation that lives, for all that is known here.
    pub fn keys(&self) -> Option<&Arc<AgentKeys>> {
        self.keys.get().filter(|_| !self.retired.load(Ordering::Acquire))
    }
}

/// All passes.
pub(super) struct Passes {
    kept: RwLock<ByDigest<Arc<Pass>>>,
    kept_max: usize,
}

impl fmt::Debug for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passes(…)")
    }
}

impl Passes {
    pub(super) fn new(kept_max: usize) -> Self {
        Self { kept: RwLock::default(), kept_max }
    }

    /// The pass of a bearer token: the kept one, or else the one that `verify` makes.
    pub(super) fn of(
        &self,
        text: &str,
        now: Timestamp,
        verify: impl FnOnce() -> Result<(AgentToken, Expiry), TokenError>,
    ) -> Result<Arc<Pass>, TokenError> {
        let digest = TokenDigest::of(text);
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        let pass = match kept {
            Some(pass) => pass,
            None => self.keep(digest, verify()?),
        };
        pass.expiry.check(now)?;
        Ok(pass)
    }

    fn keep(&self, digest: TokenDigest, verified: (AgentToken, Expiry)) -> Arc<Pass> {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= self.kept_max && !kept.contains_key(&digest) {
            kept.drain().for_each(|(_, pass)| pass.retired.store(true, Ordering::Release));
        }
        // Another request may have brought it meanwhile: there is only one pass of a token.
        Arc::clone(kept.entry(digest).or_insert_with(|| Arc::new(Pass::new(verified))))
    }

    /// Remembers the keys that the database was found to have for a pass, unless it was taken out since: then
    /// a removal may have overtaken the finding.
    pub(super) fn remember(&self, pass: &Pass, keys: Arc<AgentKeys>) {
        let _kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        if !pass.retired.load(Ordering::Acquire) {
            // Whoever was first found the same.
            let _ = pass.keys.set(keys);
        }
    }

    /// Takes out every pass of an agent.
    pub(super) fn forget(&self, agent_id: &str) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, pass| {
            let stays = pass.token.agent_id.as_str() != agent_id;
            if !stays {
                pass.retired.store(true, Ordering::Release);
            }
            stays
        });
    }
}

#[cfg(test)]
impl Pass {
    /// That of an agent of this name, good for ever.
    pub(crate) fn for_test(agent_id: &str, now: Timestamp) -> Self {
        let tokens = super::token::Tokens::new(&pingup_protocol::keys::Secret::new([1; 32]));
        let agent_id = pingup_protocol::ids::AgentId::parse(agent_id).unwrap();
        let text = tokens.issue_agent(&agent_id, 1, now).unwrap();
        Self::new(tokens.read_agent(&text).unwrap())
    }
}

#[cfg(test)]
mod tests;
