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
    /// Whether the log has last said that somebody else is there.
    is_other: Cell<bool>,
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
            is_other: Cell::new(false),
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
        let is_other = matches!(failure, Failure::Untrusted { .. });
        let is_news = self.is_other.replace(is_other) != is_other;
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
                tracing::info!("the hub answers again");
            }
            Some(_) => return,
            None => {}
        }
        self.backoff.borrow_mut().reset();
        self.found();
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
mod tests {
    use super::*;
    use std::{rc::Rc, time::Duration};
    use tokio::time::Instant as Moment;

    fn gone() -> Failure {
        Failure::Unreachable { hub: "http://127.0.0.1:1".into(), reason: "refused".into() }
    }

    /// How long after it was lost the caller's turn came, with the clock of the test.
    async fn turn_after(absence: &Absence) -> Duration {
        let (lost, turn) = (Moment::now(), absence.turn().await);
        assert!(turn.is_some());
        std::mem::forget(turn);
        lost.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_hub_that_is_there_keeps_nobody_waiting_and_one_that_is_away_does() {
        let absence = Absence::new();
        assert!(absence.turn().await.is_none());
        absence.lost(&gone());
        let first = turn_after(&absence).await;
        assert!((2..=10).contains(&first.as_secs()), "{first:?}");
        for _ in 0..20 {
            absence.lost(&gone());
            let later = turn_after(&absence).await;
            assert!((4..=20).contains(&later.as_secs()), "{later:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_looks_and_the_others_follow_once_it_was_found() {
        let absence = Rc::new(Absence::new());
        absence.lost(&gone());
        let search = absence.turn().await.expect("the first that waits looks");
        let follows = absence.turn();
        tokio::pin!(follows);
        let early = tokio::time::timeout(Duration::from_secs(600), &mut follows).await;
        assert!(early.is_err(), "nobody looks beside it");
        absence.found();
        drop(search);
        assert!(follows.await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_that_is_given_up_is_taken_over_at_once() {
        let absence = Absence::new();
        absence.lost(&gone());
        drop(absence.turn().await);
        let began = Moment::now();
        assert!(absence.turn().await.is_some());
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_in_a_hurry_does_not_wait() {
        let absence = Absence::new();
        absence.lost(&gone());
        let hurry = async { absence.hurry() };
        let (turn, ()) = tokio::join!(absence.turn(), hurry);
        assert!(turn.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_answer_begins_the_waits_anew() {
        let absence = Absence::new();
        let asked_before = Instant::now();
        for _ in 0..2 {
            absence.lost(&gone());
            turn_after(&absence).await;
            absence.found();
        }
        absence.answered(asked_before);
        absence.lost(&gone());
        assert!(turn_after(&absence).await >= Duration::from_secs(4), "it was asked before the hub went");
        absence.found();
        absence.answered(Instant::now());
        absence.lost(&gone());
        assert!(turn_after(&absence).await <= Duration::from_secs(11));
    }
}
