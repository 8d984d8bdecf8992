//! One signed request: what every loop that talks to the hub is made of.
//!
//! A [`Link`] is who we are, which hub is ours, and whether it is there ([`absence`]). It has two connections: one for
//! all that is said, one request after the other, and one that waits for commands, so that a question that is held open
//! never stands in the way. When one of them was found dead, the other is not trusted either ([`doubt`]). A [`Session`]
//! speaks over one of them, for one purpose. A [`Hub`] opens them; over TLS nothing is said before the hub has proved that
//! it is ours ([`tls`]). Bodies are signed as they are sent; an answer that must be signed is verified before anything
//! typed is made of it.

mod absence;
mod connection;
mod doubt;
mod failure;
mod hub;
mod session;
mod stream;
mod tls;

pub use connection::{Connection, Method};
pub(crate) use failure::for_log;
pub use failure::{Failure, Refusal, Revoked};
pub use hub::Hub;
pub use session::Session;
pub use tls::{AuthoritiesError, Shown, TlsError, check_authorities};

use crate::{identity::Identity, keys::Keys};
use absence::Absence;
use bytes::Bytes;
use doubt::Doubt;
use pingup_protocol::{
    enrol::Credentials,
    signing::{self, Key},
};
use serde::de::DeserializeOwned;
use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// How long an answer may take that the hub does not hold open on purpose.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Who we are, which hub is ours, whether it is there, and how far away.
#[derive(Debug)]
pub struct Link {
    hub: Hub,
    keys: Keys,
    latency: Cell<Option<Duration>>,
    absence: Absence,
    doubt: Doubt,
    /// What is said, by whom ever: one at a time, in the order in which they came.
    saying: Line,
    /// What is asked and held open.
    waiting: Line,
}

/// A connection that several may speak over, one after the other.
type Line = Rc<Mutex<Connection>>;

impl Link {
    /// A link of `identity` to `hub`, which has no other keys and takes none.
    pub fn new(hub: Hub, identity: Identity) -> Rc<Self> {
        Self::with_keys(hub, Keys::only(identity))
    }

    /// A link of whoever has `keys` to `hub`.
    pub fn with_keys(hub: Hub, keys: Keys) -> Rc<Self> {
        let line = || Rc::new(Mutex::new(Connection::new(hub.clone())));
        let (saying, waiting) = (line(), line());
        let (latency, absence, doubt) = (Cell::new(None), Absence::new(), Doubt::new());
        Rc::new(Self { hub, keys, latency, absence, doubt, saying, waiting })
    }

    /// Who we are, by the keys that are used now.
    pub fn identity(&self) -> Rc<Identity> {
        self.keys.current()
    }

    /// What an answer that was verified says of keys: they are taken where nobody on the way can have read them.
    pub fn hear_of_keys(&self, offered: Option<&Credentials>) {
        match offered {
            Some(offered) if self.hub.url().keeps_secrets() => self.keys.take(offered),
            Some(_) => {
                tracing::warn!("keys came over plain HTTP, where they could be read: they are not used");
            }
            None => {}
        }
    }

    /// The round trip of the last request that the hub did not hold open.
    pub fn latency(&self) -> Option<Duration> {
        self.latency.get()
    }

    /// Why who answers at the hub's address is not trusted, if he is not.
    pub fn distrust(&self) -> Option<String> {
        self.absence.distrust()
    }

    /// Waits until that has begun or ended.
    pub async fn distrust_changed(&self) {
        self.absence.news().await;
    }

    /// Speaks for one purpose, which `purpose` names in the log, over the connection that all share who say something.
    pub fn session(self: &Rc<Self>, purpose: &'static str) -> Session {
        self.over(Rc::clone(&self.saying), purpose)
    }

    /// Asks what is held open, over the connection that is kept for that.
    pub fn waiting_session(self: &Rc<Self>, purpose: &'static str) -> Session {
        self.over(Rc::clone(&self.waiting), purpose)
    }

    /// Speaks over a connection of its own, which goes with it: for what cannot wait for others.
    pub fn session_apart(self: &Rc<Self>, purpose: &'static str) -> Session {
        self.over(Rc::new(Mutex::new(Connection::new(self.hub.clone()))), purpose)
    }

    fn over(self: &Rc<Self>, line: Line, purpose: &'static str) -> Session {
        Session::new(Rc::clone(self), line, purpose)
    }

    /// The agent is told to stop: whoever waits for the hub to come back tries now, and nobody waits any more.
    pub fn hurry(&self) {
        self.absence.hurry();
    }

    /// What comes of a question over a connection that is given up, since it may be dead.
    fn doubtful(&self) -> Failure {
        self.hub.unreachable("the connection may have died")
    }

    /// What comes of a question with keys that the hub does not know, where there are others: it is asked again.
    fn with_other_keys(&self) -> Failure {
        self.hub.unreachable("it does not know the keys that it was asked with; it is asked with others")
    }

    /// What an exchange says of whether the hub is there; over a connection that was opened at so many `doubts`.
    fn note(&self, asked: Instant, doubts: u64, result: &Result<(Bytes, Duration), Failure>) {
        match result {
            Err(failure) if failure.is_absence() => {
                self.absence.lost(failure);
                self.doubt.found_dead(doubts);
            }
            Err(Failure::Local(_)) => {}
            Ok(_) | Err(_) => self.absence.answered(asked),
        }
    }
}

/// Reads an answer that must be signed under `key`: its MAC first.
pub fn verified<T: DeserializeOwned>(key: &Key, body: &[u8]) -> Result<T, Failure> {
    let scanned = signing::scan(body).map_err(|error| Failure::Unverified(error.to_string()))?;
    if !scanned.verify(key) {
        return Err(Failure::Unverified("its signature is not the hub's".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| Failure::Unverified(error.to_string()))
}

/// Sixteen random bytes as text: what a signed answer must carry back. The only thing that cannot be done
/// without randomness.
pub fn nonce() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Local(format!("no randomness: {error}")))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests;
