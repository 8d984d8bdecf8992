//! One reader's stream: from its place in the ring on, at its own pace, until one of the two ends it.
//!
//! Nobody waits for a reader. What it is to read next is taken from the ring when its line has room for more; if the
//! ring has let go of that by then, the stream ends and says so.

use super::{Behind, Events, HEARTBEAT, Opening, Page, filter::Filter, text};
use crate::auth::{Stay, token::TokenError};
use std::{fmt, sync::Arc};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    task::yield_now,
    time::{Instant, sleep_until},
};

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// More happened than the ring holds before the reader took it.
    Behind,
    /// The token that it was asked for with has expired.
    TokenExpired,
    /// That token was revoked.
    TokenRevoked,
    /// The hub stops.
    Stopping,
}

impl Why {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Behind => "behind",
            Self::TokenExpired => "token-expired",
            Self::TokenRevoked => "token-revoked",
            Self::Stopping => "stopping",
        }
    }
}

/// A stream. Dropping it gives its place back.
pub struct EventStream {
    events: Arc<Events>,
    wanted: Filter,
    /// What is said first.
    opening: Option<Opening>,
    /// The last number that was looked at.
    place: u64,
    until: Stay,
    bell: watch::Receiver<()>,
    heartbeat_due: Instant,
    has_ended: bool,
    _place: OwnedSemaphorePermit,
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventStream(at {})", self.place)
    }
}

impl EventStream {
    pub(super) fn new(
        events: Arc<Events>,
        place: OwnedSemaphorePermit,
        wanted: Filter,
        last_id: Option<&str>,
        until: Stay,
    ) -> Self {
        // Before the look at where it begins: what is told after that rings.
        let bell = events.ring.bell();
        let opening = events.ring.open(last_id);
        let (Opening::Ready(from) | Opening::Reset(from)) = opening;
        events.figures.event_streams.add(1);
        Self {
            events,
            wanted,
            opening: Some(opening),
            place: from,
            until,
            bell,
            heartbeat_due: Instant::now() + HEARTBEAT,
            has_ended: false,
            _place: place,
        }
    }

    /// What is to be written next, as soon as there is something; none when the stream has ended.
    pub async fn next(&mut self) -> Option<String> {
        if self.has_ended {
            return None;
        }
        if let Some(opening) = self.opening.take() {
            let (id, now) = (self.id(), self.events.clock.now());
            return Some(match opening {
                Opening::Ready(_) => text::ready(&id, now),
                Opening::Reset(_) => text::reset(&id, now),
            });
        }
        loop {
            // Before the look: what is told after it rings again.
            self.bell.borrow_and_update();
            match self.look() {
                Err(why) => return Some(self.end(why)),
                Ok(page) if !page.events.is_empty() => {
                    self.heartbeat_due = Instant::now() + HEARTBEAT;
                    return Some(text::events(&self.events.ring, &page.events));
                }
                Ok(Page { more: true, .. }) => yield_now().await,
                Ok(_) if Instant::now() >= self.heartbeat_due => {
                    self.heartbeat_due = Instant::now() + HEARTBEAT;
                    return Some(text::heartbeat(&self.id()));
                }
                Ok(_) => self.wait().await,
            }
        }
    }

    /// What lies behind its place, unless the stream is over.
    fn look(&mut self) -> Result<Page, Why> {
        // An error: whoever would say so is gone, so the hub is.
        if *self.events.stopping.borrow() || self.events.stopping.has_changed().is_err() {
            return Err(Why::Stopping);
        }
        self.until.check(self.events.clock.now()).map_err(|error| match error {
            TokenError::Revoked => Why::TokenRevoked,
            TokenError::Expired | TokenError::Invalid => Why::TokenExpired,
        })?;
        let page = self.events.ring.read(self.place, &self.wanted).map_err(|Behind| Why::Behind)?;
        self.place = page.place;
        Ok(page)
    }

    /// Until something was told, or there is something to say without.
    async fn wait(&mut self) {
        let left = self.until.left(self.events.clock.now());
        let due = self.heartbeat_due.min(Instant::now() + left.min(HEARTBEAT));
        let mut stopping = self.events.stopping.clone();
        // Whichever it is, the next look tells.
        tokio::select! {
            _ = self.bell.changed() => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
            () = self.until.revoked() => {}
            () = sleep_until(due) => {}
        }
    }

    fn end(&mut self, why: Why) -> String {
        self.has_ended = true;
        if why == Why::Behind {
            self.events.figures.event_streams_behind.add(1);
        }
        text::end(why, self.events.clock.now())
    }

    fn id(&self) -> String {
        self.events.ring.id(self.place)
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.events.figures.event_streams.sub(1);
    }
}
