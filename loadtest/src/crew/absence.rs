//! Whether the hub is there, as both connections of one agent know it: as in the real agent, one that finds it away says
//! so for both, one at a time looks for it, by the protocol's waits, and the other follows once it was found.

use super::chance::Chance;
use pingup_protocol::backoff::{AWAY, Backoff};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// What is known of the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    There,
    /// Nobody looks for it before this.
    Away(Instant),
    /// Somebody looks for it.
    Sought,
}

/// Whether the hub is there.
#[derive(Debug)]
pub(super) struct Absence {
    known: Mutex<Known>,
    changed: Notify,
}

#[derive(Debug)]
struct Known {
    state: State,
    /// Since when, while it is away.
    since: Option<Instant>,
    backoff: Backoff,
    chance: Chance,
}

impl Absence {
    /// It is there, as far as is known.
    pub(super) fn new(seed: u64) -> Self {
        let known = Known {
            state: State::There,
            since: None,
            backoff: Backoff::new(AWAY),
            chance: Chance::new(seed),
        };
        Self { known: Mutex::new(known), changed: Notify::new() }
    }

    /// Waits until the hub is there, or it is the caller's turn to look for it: then [`Absence::found`] or
    /// [`Absence::lost`] must follow.
    pub(super) async fn turn(&self) {
        loop {
            // From before the look: a change after it is heard of.
            let changed = self.changed.notified();
            let state = self.known().state;
            match state {
                State::There => return,
                State::Sought => changed.await,
                State::Away(until) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = sleep_until(until) => {
                        let mut known = self.known();
                        if known.state == state {
                            known.state = State::Sought;
                            return;
                        }
                    }
                },
            }
        }
    }

    /// A connection is open: whoever waits may follow.
    pub(super) fn found(&self) {
        self.known().state = State::There;
        self.changed.notify_waiters();
    }

    /// It did not answer, or closed the connection.
    pub(super) fn lost(&self) {
        let mut known = self.known();
        known.since.get_or_insert_with(Instant::now);
        if !matches!(known.state, State::Away(_)) {
            let random = known.chance.draw();
            known.state = State::Away(Instant::now() + known.backoff.after_failure(None, random));
        }
        drop(known);
        self.changed.notify_waiters();
    }

    /// It answered what was `asked` then, which says nothing of now if it went meanwhile.
    pub(super) fn answered(&self, asked: Instant) {
        let mut known = self.known();
        if known.since.is_none_or(|since| asked > since) {
            known.since = None;
            known.backoff.reset();
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is one assignment.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn one_looks_at_its_time_and_the_other_follows() {
        for seed in 0..100 {
            let absence = Absence::new(seed);
            absence.turn().await;
            let began = Instant::now();
            absence.lost();
            absence.turn().await;
            assert!((2..=10).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
            assert!(
                timeout(Duration::from_secs(600), absence.turn()).await.is_err(),
                "nobody looks beside it"
            );
            let began = Instant::now();
            absence.lost();
            absence.turn().await;
            assert!((4..=20).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
            absence.found();
            absence.turn().await;
        }
    }
}
