//! One signed request: what every loop that talks to the hub is made of.
//!
//! A [`Link`] is who we are and where the hub is; a [`Session`] is one connection of it, for one purpose, so
//! that a poll that is held open never stands in the way of a push. Bodies are signed as they are sent; an
//! answer that must be signed is verified before anything typed is made of it.

mod connection;
mod failure;

pub use connection::{Connection, Method};
pub(crate) use failure::for_log;
pub use failure::{Failure, Refusal, Revoked};

use crate::{identity::Identity, settings::HubUrl};
use bytes::Bytes;
use pingup_protocol::signing::{self, Key};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

/// How long an answer may take that the hub does not hold open on purpose.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Who we are, where the hub is, and how far away.
#[derive(Debug)]
pub struct Link {
    url: HubUrl,
    identity: Identity,
    latency: Cell<Option<Duration>>,
    /// When it was found that the hub cannot be reached, while it cannot.
    lost: Cell<Option<Instant>>,
}

impl Link {
    /// A link of `identity` to the hub at `url`.
    pub fn new(url: HubUrl, identity: Identity) -> Rc<Self> {
        Rc::new(Self { url, identity, latency: Cell::new(None), lost: Cell::new(None) })
    }

    /// Who we are.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The round trip of the last request that the hub did not hold open.
    pub fn latency(&self) -> Option<Duration> {
        self.latency.get()
    }

    /// A connection for one purpose, which `purpose` names in the log.
    pub fn session(self: &Rc<Self>, purpose: &'static str) -> Session {
        let connection = Connection::new(self.url.clone());
        Session { link: Rc::clone(self), connection, purpose, refused: None }
    }

    /// Reads a signed answer: its MAC first.
    pub fn verified<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Failure> {
        verified(&self.identity.down, body)
    }

    /// Says in the log that the hub went away or came back; once each.
    fn note_reachable(&self, asked: Instant, result: &Result<Bytes, Failure>) {
        match (result, self.lost.get()) {
            (Err(failure @ Failure::Unreachable { .. }), None) => {
                self.lost.set(Some(Instant::now()));
                tracing::warn!("{failure}; what is measured is spooled until it is back");
            }
            (Err(Failure::Unreachable { .. } | Failure::Local(_)), _) | (_, None) => {}
            // What was asked before the hub went may still be answered, and says nothing of now.
            (_, Some(lost)) if asked > lost => {
                self.lost.set(None);
                tracing::info!("the hub answers again");
            }
            (_, Some(_)) => {}
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

/// One connection to the hub, for one purpose.
#[derive(Debug)]
pub struct Session {
    link: Rc<Link>,
    connection: Connection,
    purpose: &'static str,
    /// The last refusal that was logged, so that the same is not logged at every try.
    refused: Option<String>,
}

impl Session {
    /// The link that this is a connection of.
    pub const fn link(&self) -> &Rc<Link> {
        &self.link
    }

    /// Signs `message` now and posts it to `route`; the body of a 2xx answer, not verified.
    pub async fn post(&mut self, route: &str, message: &impl Serialize) -> Result<Bytes, Failure> {
        let body = signing::sign(&self.link.identity.up, message)?;
        self.call(Method::Post(body.into()), route, ANSWER_WITHIN, true).await
    }

    /// Gets `route`; the body of a 2xx answer, not verified. `held` is how long the hub may hold it open.
    pub async fn get(&mut self, route: &str, held: Duration) -> Result<Bytes, Failure> {
        self.call(Method::Get, route, ANSWER_WITHIN + held, held.is_zero()).await
    }

    async fn call(
        &mut self,
        method: Method,
        route: &str,
        within: Duration,
        measured: bool,
    ) -> Result<Bytes, Failure> {
        let asked = Instant::now();
        let bearer = Some(self.link.identity.token.as_str());
        let called = self.connection.call(method, route, bearer, within).await;
        let result = called.map(|(body, round_trip)| {
            if measured {
                self.link.latency.set(Some(round_trip));
            }
            body
        });
        self.link.note_reachable(asked, &result);
        self.note_refusal(&result);
        result
    }

    fn note_refusal(&mut self, result: &Result<Bytes, Failure>) {
        match result {
            Err(Failure::Refused(refusal)) => {
                let text = refusal.to_string();
                if self.refused.as_ref() != Some(&text) {
                    tracing::warn!(purpose = self.purpose, "{text}");
                    self.refused = Some(text);
                }
            }
            Ok(_) => self.refused = None,
            Err(_) => {}
        }
    }
}

/// Sixteen random bytes as text: what a signed answer must carry back. The only thing that cannot be done
/// without randomness.
pub fn nonce() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Local(format!("no randomness: {error}")))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
