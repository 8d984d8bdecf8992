//! The provider's keys as they are held, and the rules by which they are fetched anew. Pure: moments are given, in microseconds
//! of the steady clock.

use super::{fetch::Brought, jwk::KeySet};
use crate::auth::{Operator, token::Expiry};
use pingup_protocol::time::Timestamp;
use std::{collections::HashMap, sync::Arc};

const SECOND: i64 = 1_000_000;
/// How long keys count where the provider cannot be asked for newer ones.
pub(super) const KEPT_SECONDS: i64 = 6 * 3_600;
/// How long after a fetch a name that nobody knows may lead to another one: so often can made-up names have the provider asked.
pub(super) const UNKNOWN_PAUSE_SECONDS: i64 = 30;
/// How long after a fetch that failed the next one may begin.
pub(super) const RETRY_PAUSE_SECONDS: i64 = 10;
/// Tokens that verified and are remembered, so that their signatures are verified once: some hundred bytes each.
pub(super) const KNOWN_MAX: usize = 1_024;

/// A digest of a token.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) const fn of(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }
}

/// What was found of a token that verified.
#[derive(Clone)]
pub(super) struct Verdict {
    pub(super) operator: Operator,
    pub(super) expiry: Expiry,
    /// Which key signed it, and of which keys.
    pub(super) kid: Arc<str>,
    pub(super) keys: Arc<KeySet>,
}

/// What to do for a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Verify it with these; where they lack its key it is refused.
    Use(Arc<KeySet>),
    /// Wait for the fetch that is under way.
    Wait,
    /// Send it away: nothing can be told now.
    Unavailable,
}

/// What is held.
#[derive(Default)]
pub(super) struct Held {
    keys: Option<Fetched>,
    /// When the newest fetch began.
    begun: Option<i64>,
    /// Whether the newest one that ended brought nothing.
    failed: bool,
    under_way: bool,
    /// Tokens that verified with these keys.
    known: HashMap<Digest, Verdict>,
}

struct Fetched {
    keys: Arc<KeySet>,
    /// When their fetch began.
    at: i64,
    fresh_until: i64,
}

impl Held {
    /// What a token says that verified before, with keys that are fresh.
    pub(super) fn known(&self, digest: &Digest, now: i64) -> Option<Verdict> {
        let fresh = self.keys.as_ref().is_some_and(|keys| now < keys.fresh_until);
        fresh.then(|| self.known.get(digest).cloned()).flatten()
    }

    /// Remembers a token that verified, unless there are other keys by now.
    pub(super) fn remember(&mut self, digest: Digest, verdict: Verdict, now: Timestamp) {
        if self.keys.as_ref().is_none_or(|held| !Arc::ptr_eq(&held.keys, &verdict.keys)) {
            return;
        }
        if self.known.len() >= KNOWN_MAX {
            self.known.retain(|_, verdict| verdict.expiry.check(now).is_ok());
        }
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(digest, verdict);
    }

    /// What to do for a token that is signed with the key `kid`, and whether a fetch is to begin.
    pub(super) fn next(&self, kid: &str, now: i64) -> (Next, bool) {
        let due = |pause| !self.under_way && self.begun.is_none_or(|begun| now - begun >= pause * SECOND);
        let wait_or = |begin, otherwise| match begin || self.under_way {
            true => (Next::Wait, begin),
            false => (otherwise, false),
        };
        let retry = || due(RETRY_PAUSE_SECONDS);
        let Some(held) = self.usable(now) else { return wait_or(retry(), Next::Unavailable) };
        let (fresh, names) = (now < held.fresh_until, held.keys.names(kid));
        let at_hand = || Next::Use(Arc::clone(&held.keys));
        match (fresh, names) {
            (true, true) => (at_hand(), false),
            // Nobody waits for a provider that was away a moment ago: its keys are good for a while.
            (false, true) if self.failed => (at_hand(), retry()),
            (false, true) => wait_or(!self.under_way, at_hand()),
            (_, false) if self.failed => wait_or(due(UNKNOWN_PAUSE_SECONDS), Next::Unavailable),
            (_, false) => wait_or(due(UNKNOWN_PAUSE_SECONDS) || (!fresh && !self.under_way), at_hand()),
        }
    }

    /// The keys for a token that waited for a fetch, if it can be told now whether there is such a key.
    pub(super) fn after_all(&self, kid: &str, now: i64) -> Option<Arc<KeySet>> {
        let held = self.usable(now)?;
        (!self.failed || held.keys.names(kid)).then(|| Arc::clone(&held.keys))
    }

    /// The keys that were fetched last, however old.
    pub(super) fn newest(&self) -> Option<Arc<KeySet>> {
        self.keys.as_ref().map(|held| Arc::clone(&held.keys))
    }

    /// Whether a token that the key `kid` of `keys` signed would still be taken, as far as is known here.
    pub(super) fn vouches(&self, kid: &str, keys: &Arc<KeySet>, now: i64) -> bool {
        self.usable(now).is_some_and(|held| {
            Arc::ptr_eq(&held.keys, keys) || (held.keys.names(kid) && held.keys.get(kid) == keys.get(kid))
        })
    }

    fn usable(&self, now: i64) -> Option<&Fetched> {
        self.keys.as_ref().filter(|held| now - held.at < KEPT_SECONDS * SECOND)
    }

    /// A fetch begins.
    pub(super) fn begin(&mut self, now: i64) {
        (self.begun, self.under_way) = (Some(now), true);
    }

    /// The fetch that began at `begun` has ended.
    pub(super) fn land(&mut self, begun: i64, brought: Option<Brought>) {
        self.under_way = false;
        self.failed = brought.is_none();
        let Some(Brought { keys, fresh_seconds }) = brought else { return };
        // Keys that are no more take with them what they verified.
        let keys = match self.keys.take() {
            Some(held) if *held.keys == keys => held.keys,
            _ => {
                self.known.clear();
                Arc::new(keys)
            }
        };
        self.keys = Some(Fetched { keys, at: begun, fresh_until: begun + fresh_seconds * SECOND });
    }
}
