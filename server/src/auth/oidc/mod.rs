//! Operators whom somebody else vouches for: tokens of an OpenID provider, verified by the keys that it publishes.
//!
//! A token is a signed JWT ([`letter`]). Only RS256, ES256 and EdDSA count, and it is the key that says which of them
//! ([`jwk`]): what the token's header says must fit it, so nothing that is public can pass for a secret. Whom the token is for,
//! from when to when, and what its bearer may do here is judged by [`claims`].
//!
//! The provider's keys are fetched when they are needed ([`fetch`]), and kept ([`held`]): for as long as the provider says,
//! within bounds; for some hours more where it is away. A key nobody knows has them fetched anew, but only so often, however
//! many tokens name one. One fetch is under way at a time, and it goes on when the request that began it hangs up.
//!
//! Refused with a reason: everything that is not exactly as it should be. Agents' own roads never lead here.

mod authorities;
mod claims;
mod endpoint;
mod fetch;
mod held;
mod hold;
mod jwk;
mod letter;

pub use self::{
    authorities::{Authorities, AuthoritiesError},
    claims::{ClaimPath, NAME_MARK, judge_by},
    endpoint::{Endpoint, EndpointError},
    hold::Hold,
};

use super::{Role, Stay, role::Operator};
use crate::clock::Clock;
use fetch::Client;
use held::{Digest, Held, Next, Verdict};
use jwk::KeySet;
use letter::Letter;
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Semaphore, watch};

/// Requests that may wait for the provider at once; whoever comes on top is told to come back.
const WAITING_MAX: usize = 256;

/// Whose tokens are taken, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The provider's name for itself, a URL, letter by letter.
    pub issuer: String,
    /// Whom a token must be for.
    pub audience: String,
    /// The claim that says what its bearer may do.
    pub role_claim: ClaimPath,
    /// The claim that says who they are.
    pub name_claim: ClaimPath,
    /// What the claim's values mean; without it they are the words for roles themselves.
    pub roles: Option<BTreeMap<String, Role>>,
    /// Who may vouch for the provider's certificate; without it, whom the system trusts.
    pub authorities: Option<Authorities>,
    /// Whether plain HTTP may leave this machine.
    pub insecure_http: bool,
}

/// Why such a token opens no door.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// Not a token of this provider for this hub, and why.
    #[error("the provider's token is not taken: {0}")]
    Invalid(&'static str),
    /// Its time is over.
    #[error("the token has expired; get a new one from the provider")]
    Expired,
    /// It is good, but says nothing of what its bearer may do here.
    #[error("the token's claim {0} names no role of this hub")]
    NoRole(String),
    /// It cannot be told now: the provider's keys are not to be had.
    #[error("the provider's keys cannot be had now; try again")]
    Unavailable,
}

/// The settings cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum OidcStartError {
    /// The issuer is no URL.
    #[error("[oidc] issuer: {0}")]
    Issuer(#[from] EndpointError),
    /// TLS cannot be set up.
    #[error("[oidc]: TLS to the provider cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Checks tokens of one provider.
#[derive(Clone)]
pub struct Oidc(Arc<Inner>);

struct Inner {
    trust: Trust,
    client: Client,
    clock: Clock,
    held: Mutex<Held>,
    /// How many fetches have come to their end.
    landed: watch::Sender<u64>,
    waiting: Semaphore,
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oidc({})", self.0.trust.issuer)
    }
}

impl Oidc {
    /// Takes tokens by `trust`. Nothing is fetched before the first token comes. Reads the system's authorities from
    /// disk where they are needed.
    pub fn new(trust: Trust, clock: Clock) -> Result<Self, OidcStartError> {
        let client = Client::new(&trust)?;
        Ok(Self(Arc::new(Inner {
            trust,
            client,
            clock,
            held: Mutex::default(),
            landed: watch::Sender::new(0),
            waiting: Semaphore::new(WAITING_MAX),
        })))
    }

    /// Whether a token says that it comes from this provider. Nothing of it has been checked.
    pub fn is_theirs(&self, token: &str) -> bool {
        letter::claimed_issuer(token).is_some_and(|issuer| issuer == self.0.trust.issuer)
    }

    /// What was found of a token that was checked not long ago and has not expired; costs a digest and a look.
    pub fn known(&self, token: &str) -> Option<(Operator, Stay)> {
        let known = self.0.held().known(&digest(token), self.0.clock.read().steady);
        known.filter(|known| known.expiry.check(self.0.clock.now()).is_ok()).map(|known| self.let_in(known))
    }

    /// Whether a key signed it that is held, however old: enough to be listened to, and no more. Asks nobody; costs a
    /// signature.
    pub fn is_signed(&self, token: &str) -> bool {
        let keys = self.0.held().newest();
        keys.is_some_and(|keys| Letter::read(token).is_ok_and(|letter| letter.verify(&keys).is_ok()))
    }

    fn let_in(&self, verdict: Verdict) -> (Operator, Stay) {
        let Verdict { operator, expiry, kid, keys } = verdict;
        (operator, Stay::vouched(expiry, Hold::new(self.clone(), kid, keys)))
    }

    /// Checks a token that [`Self::is_theirs`]; also says when it ends. May wait some seconds for the provider.
    pub async fn check(&self, token: &str) -> Result<(Operator, Stay), OidcError> {
        if let Some(known) = self.known(token) {
            return Ok(known);
        }
        let verdict = self.verify(token, digest(token)).await?;
        verdict.expiry.check(self.0.clock.now()).map_err(|_| OidcError::Expired)?;
        Ok(self.let_in(verdict))
    }

    async fn verify(&self, token: &str, digest: Digest) -> Result<Verdict, OidcError> {
        let letter = Letter::read(token)?;
        let keys = self.keys(&letter.kid).await?;
        letter.verify(&keys)?;
        let (operator, expiry) = claims::judge(&self.0.trust, &letter.claims, self.0.clock.now())?;
        let verdict = Verdict { operator, expiry, kid: letter.kid.into(), keys };
        self.0.held().remember(digest, verdict.clone(), self.0.clock.now());
        Ok(verdict)
    }

    /// The provider's keys, among which there should be one called `kid`.
    async fn keys(&self, kid: &str) -> Result<Arc<KeySet>, OidcError> {
        let mut landed = self.0.landed.subscribe();
        // Before the look at what is held: a fetch that ends in between is not missed.
        let before = *landed.borrow_and_update();
        match self.next(kid) {
            Next::Use(keys) => return Ok(keys),
            Next::Unavailable => return Err(OidcError::Unavailable),
            Next::Wait => {}
        }
        let _place = self.0.waiting.try_acquire().map_err(|_| OidcError::Unavailable)?;
        landed.wait_for(|landed| *landed > before).await.map_err(|_| OidcError::Unavailable)?;
        self.0.held().after_all(kid, self.0.clock.read().steady).ok_or(OidcError::Unavailable)
    }

    /// What is to be done for a key; begins a fetch where one is due.
    fn next(&self, kid: &str) -> Next {
        let now = self.0.clock.read().steady;
        let mut held = self.0.held();
        let (next, begin) = held.next(kid, now);
        if begin {
            held.begin(now);
            let flight = Flight { of: Arc::clone(&self.0), begun: now, brought: None };
            // On its own: whoever asked may hang up.
            tokio::spawn(flight.fly());
        }
        next
    }
}

fn digest(token: &str) -> Digest {
    Digest::of(Sha256::digest(token).into())
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fetch that is under way. However it ends, also by a panic, those who wait are told.
struct Flight {
    of: Arc<Inner>,
    begun: i64,
    brought: Option<fetch::Brought>,
}

impl Flight {
    async fn fly(mut self) {
        match fetch::fetch(&self.of.client, &self.of.trust).await {
            Ok(brought) => self.brought = Some(brought),
            Err(error) => {
                tracing::warn!(issuer = %self.of.trust.issuer, %error, "the provider's keys were not had");
            }
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let brought = self.brought.take();
        if let Some(brought) = &brought {
            let keys = brought.keys.len();
            tracing::debug!(issuer = %self.of.trust.issuer, keys, "the provider's keys were fetched");
        }
        self.of.held().land(self.begun, brought);
        self.of.landed.send_modify(|landed| *landed += 1);
    }
}

#[cfg(test)]
mod tests;
