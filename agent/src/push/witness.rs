//! What pushing shows of this state: that it is this machine's own, or a copy of another's. Commands are asked for only
//! when that is known, for a copy is handed those of the original.
//!
//! A hub that commits knows. One that answers otherwise for long, and an agent that has nothing to push, must not keep
//! commands waiting without end.

use super::verdict::Verdict;
use crate::{
    clock::machine_time,
    copied,
    stop::{self, Stop, Stopper},
};
use std::{path::PathBuf, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How long commands wait for a push that was committed, once the hub answers or there is nothing to push.
pub(super) const WITHIN: Duration = Duration::from_secs(20);

/// Sees what becomes of pushes.
#[derive(Debug)]
pub struct Witness {
    /// The state folder, in which a copy is marked.
    folder: PathBuf,
    copied: Stopper,
    own: Stopper,
    /// Since when nothing speaks against this state, nor for it.
    since: Option<Instant>,
}

/// What the witness says.
#[derive(Clone, Debug)]
pub struct Word {
    /// That this state is a copy.
    pub copied: Stop,
    /// That it is this machine's own, as far as anyone can tell.
    pub own: Stop,
}

impl Witness {
    /// One for the state in `folder`.
    pub fn new(folder: PathBuf) -> (Self, Word) {
        let ((copied, copied_heard), (own, own_heard)) = (stop::channel(), stop::channel());
        (Self { folder, copied, own, since: None }, Word { copied: copied_heard, own: own_heard })
    }

    /// Whether this state is a copy.
    pub(super) fn is_copy(&self) -> bool {
        self.copied.is_set()
    }

    /// Hears what became of a push.
    pub(super) fn hear(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Committed { .. } => self.own.stop(),
            Verdict::Conflict { why } => self.condemn(why),
            Verdict::Revoked { .. } => {}
            // Nobody was asked.
            Verdict::Away => self.since = None,
            _ => self.hear_nothing(),
        }
    }

    /// Hears of a push that told nothing, or could not be made.
    pub(super) fn hear_nothing(&mut self) {
        if self.patience().is_some_and(|end| end <= Instant::now()) {
            self.own.stop();
        }
    }

    /// Waits for `news` while nothing is there to push.
    pub(super) async fn wait_for(&mut self, news: impl Future<Output = ()>) {
        let Some(end) = self.patience() else { return news.await };
        if timeout_at(end, news).await.is_err() {
            self.own.stop();
        }
    }

    /// Until when commands wait for more; nothing when all is said.
    fn patience(&mut self) -> Option<Instant> {
        let is_open = !self.own.is_set() && !self.is_copy();
        is_open.then(|| *self.since.get_or_insert_with(Instant::now) + WITHIN)
    }

    /// First on disk: whatever comes now, no later start takes this state for its own.
    fn condemn(&self, why: &str) {
        if let Err(error) = copied::mark(&self.folder, why, machine_time()) {
            tracing::error!("that this state is a copy is forgotten when the agent stops: {error}");
        }
        self.copied.stop();
    }
}
