//! Whether the hub is there, as all loops of one agent know it.
//!
//! One that finds the hub away says so for all, and from then on nothing is sent: one connection at a time looks for the
//! hub, at moments that the protocol's rules spread ([`AWAY`]), and the others follow once it was found. So an agent
//! costs a hub that comes back one attempt a time, and the connections that it needs. An agent that is told to stop has
//! no time to wait, and nobody waits for it: it tries at once.

use super::Failure;
use crate::backoff::{AWAY, Backoff, random};
use std::{
    cell::{Cell, RefCell},
    time::Instant,
};
use tokio::{sync::Notify, time::sleep_until};

/// What is known of the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It was found, or nobody has looked yet.
    There,
    /// Nobody looks for it before this.
    Away(tokio::time::Instant),
    /// Somebody looks for it.
    Sought,
}

/// Whether the hub is there.
#[derive(Debug)]
pub(super) struct Absence {
    state: Cell<State>,
    changed: Notify,
    backoff: RefCell<Backoff>,
    /// Since when it is away, as the log has it.
    since: Cell<Option<Instant>>,
    /// Why who was reached last is not trusted, if he is not.
    distrust: RefCell<Option<String>>,
    /// The word that this has begun or ended.
    news: Notify,
    is_hurried: Cell<bool>,
}

/// Who looks for the hub; when this is dropped before it was found, somebody else may.
pub(super) struct Search<'a>(&'a Absence);

impl Drop for Search<'_> {
    fn drop(&mut self) {
        if self.0.state.get() == State::Sought {
            self.0.set(State::Away(tokio::time::Instant::now()));
        }
    }
}

impl Absence {
    pub(super) const fn new() -> Self {
        Self {
            state: Cell::new(State::There),
            changed: Notify::const_new(),
            backoff: RefCell::new(Backoff::new(AWAY)),
            since: Cell::new(None),
            distrust: RefCell::new(None),
            news: Notify::const_new(),
            is_hurried: Cell::new(false),
        }
    }

    /// Waits until the hub is there, or it is the caller's turn to look for it.
    pub(super) async fn turn(&self) -> Option<Search<'_>> {
        loop {
            // From before the look: a change after it is heard of.
            let changed = self.changed.notified();
            match self.state.get() {
                State::There => return None,
                _ if self.is_hurried.get() => return None,
                State::Sought => changed.await,
                away @ State::Away(until) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = sleep_until(until) => if self.state.get() == away {
                        self.state.set(State::Sought);
                        return Some(Search(self));
                    }
                },
            }
        }
    }

    /// A connection is open: whoever waits may follow.
    pub(super) fn found(&self) {
        if self.state.get() != State::There {
            self.set(State::There);
        }
    }

    /// It did not answer, or closed the connection: for all, unless that is known already. Said in the log once, and again
    /// when somebody else answers in its place, or no more.
    pub(super) fn lost(&self, failure: &Failure) {
        let distrust = matches!(failure, Failure::Untrusted { .. }).then(|| failure.to_string());
        let is_news = self.learn(distrust);
        if self.since.get().is_none() {
            self.since.set(Some(Instant::now()));
            tracing::warn!("{failure}; what is measured is spooled until it is back");
        } else if is_news {
            tracing::warn!("{failure}");
        }
        if !matches!(self.state.get(), State::Away(_)) {
            let wait = self.backoff.borrow_mut().after_failure(None, random());
            self.set(State::Away(tokio::time::Instant::now() + wait));
        }
    }

    /// It answered what was `asked` then. What was asked before it went may still be answered, and says nothing of now.
    pub(super) fn answered(&self, asked: Instant) {
        match self.since.get() {
            Some(since) if asked > since => {
                self.since.set(None);
                self.learn(None);
                tracing::info!("the hub answers again");
            }
            Some(_) => return,
            None => {}
        }
        self.backoff.borrow_mut().reset();
        self.found();
    }

    /// Why who was reached last is not trusted, if he is not.
    pub(super) fn distrust(&self) -> Option<String> {
        self.distrust.borrow().clone()
    }

    /// Waits until that has begun or ended, since the last time this was waited for.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// Whether it has begun or ended by this.
    fn learn(&self, distrust: Option<String>) -> bool {
        let is_distrusted = distrust.is_some();
        let is_news = self.distrust.replace(distrust).is_some() != is_distrusted;
        if is_news {
            self.news.notify_one();
        }
        is_news
    }

    /// Whether nobody sends.
    #[cfg(test)]
    pub(super) fn is_away(&self) -> bool {
        self.state.get() != State::There
    }

    /// Nobody waits any more.
    pub(super) fn hurry(&self) {
        self.is_hurried.set(true);
        self.changed.notify_waiters();
    }

    fn set(&self, state: State) {
        self.state.set(state);
        self.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
