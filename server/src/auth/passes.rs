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
use pingup_protocol::time::Timestamp;
use std::{
    fmt,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// Tokens that are kept, with their keys: about a kilobyte each.
pub const CACHED_TOKENS_MAX: usize = 65_536;

/// A token that verified.
#[derive(Debug)]
pub struct Pass {
    token: AgentToken,
    expiry: Expiry,
    keys: OnceLock<Arc<AgentKeys>>,
    /// Set when it is taken out, under the lock of all passes, and never unset.
    retired: AtomicBool,
}

impl Pass {
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

    fn keep(&self, digest: TokenDigest, (token, expiry): (AgentToken, Expiry)) -> Arc<Pass> {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= self.kept_max && !kept.contains_key(&digest) {
            kept.drain().for_each(|(_, pass)| pass.retired.store(true, Ordering::Release));
        }
        let fresh = || Pass { token, expiry, keys: OnceLock::new(), retired: AtomicBool::new(false) };
        // Another request may have brought it meanwhile: there is only one pass of a token.
        Arc::clone(kept.entry(digest).or_insert_with(|| Arc::new(fresh())))
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
mod tests;
