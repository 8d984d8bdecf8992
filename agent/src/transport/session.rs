//! One of the connections to the hub, used for one purpose: signed as it is sent, and asked again by whoever asked.

use super::{ANSWER_WITHIN, Connection, Failure, Line, Link, Method, verified};
use crate::identity::Identity;
use bytes::Bytes;
use pingup_protocol::signing;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    rc::Rc,
    time::{Duration, Instant},
};

/// One of the connections to the hub, for one purpose.
#[derive(Debug)]
pub struct Session {
    link: Rc<Link>,
    line: Line,
    purpose: &'static str,
    /// By which keys the last question was asked: its answer is signed by the same.
    asked_as: Rc<Identity>,
    /// The last refusal that was logged, so that the same is not logged at every try.
    refused: Option<String>,
}

impl Session {
    /// Speaks over `line` for what `purpose` names in the log.
    pub(super) fn new(link: Rc<Link>, line: Line, purpose: &'static str) -> Self {
        Self { asked_as: link.identity(), link, line, purpose, refused: None }
    }

    /// The link that this is a connection of.
    pub const fn link(&self) -> &Rc<Link> {
        &self.link
    }

    /// By which keys the last question was asked.
    pub fn asked_as(&self) -> Rc<Identity> {
        Rc::clone(&self.asked_as)
    }

    /// Reads the signed answer to the last question: its MAC first.
    pub fn verified<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Failure> {
        verified(&self.asked_as.down, body)
    }

    /// Signs `message` now and posts it to `route`; the body of a 2xx answer, not verified.
    pub async fn post(&mut self, route: &str, message: &impl Serialize) -> Result<Bytes, Failure> {
        let line = Rc::clone(&self.line);
        let mut connection = line.lock().await;
        self.reach(&mut connection).await?;
        // Signed once it can go out: it may have waited for its turn.
        self.asked_as = self.link.identity();
        let body = signing::sign(&self.asked_as.up, message)?;
        self.ask(&mut connection, Method::Post(body.into()), route, Duration::ZERO).await
    }

    /// Gets `route`; the body of a 2xx answer, not verified. `held` is how long the hub may hold it open.
    pub async fn get(&mut self, route: &str, held: Duration) -> Result<Bytes, Failure> {
        let line = Rc::clone(&self.line);
        let mut connection = line.lock().await;
        self.reach(&mut connection).await?;
        self.asked_as = self.link.identity();
        self.ask(&mut connection, Method::Get, route, held).await
    }

    /// Has the connection open, as soon as it is known that the hub is there, or it is our turn to look.
    async fn reach(&self, connection: &mut Connection) -> Result<(), Failure> {
        let absence = &self.link.absence;
        let search = absence.turn().await;
        connection.doubted(self.link.doubt.count());
        let opened = connection.open().await;
        match &opened {
            Ok(()) => absence.found(),
            Err(failure) => absence.lost(failure),
        }
        drop(search);
        opened
    }

    async fn ask(
        &mut self,
        connection: &mut Connection,
        method: Method,
        route: &str,
        held: Duration,
    ) -> Result<Bytes, Failure> {
        let (asked, doubts) = (Instant::now(), connection.doubts());
        let bearer = Some(self.asked_as.credentials.token.as_str());
        let exchange = connection.exchange(method, route, bearer, ANSWER_WITHIN + held);
        let exchanged = tokio::select! {
            biased;
            exchanged = exchange => exchanged,
            // Says nothing of the hub: it is asked again as soon as that makes sense.
            () = self.link.doubt.since(doubts), if !held.is_zero() => return Err(self.link.doubtful()),
        };
        self.link.note(asked, doubts, &exchanged);
        if exchanged.is_ok() && !held.is_zero() && connection.is_closing() {
            // A hub that stops answers all who wait, and closes: it is gone for all of them at the same moment.
            let closes = self.link.hub.unreachable("it closes its connections, as one that stops");
            self.link.absence.lost(&closes);
        }
        let result = exchanged.map(|(body, round_trip)| {
            if held.is_zero() {
                self.link.latency.set(Some(round_trip));
            }
            body
        });
        if let Err(failure) = &result
            && failure.is_of_keys()
            && self.link.keys.refused(&self.asked_as)
        {
            return Err(self.link.with_other_keys());
        }
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
