//! The state of the hub of the tests, as stories and routes share it.

use super::{PATIENCE, state::HubState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The state, and the word that it has changed.
#[derive(Clone)]
pub(crate) struct SharedState(Arc<Shared>);

struct Shared {
    state: Mutex<HubState>,
    /// For stories, which wait on a thread of their own.
    changed: Condvar,
    /// For routes, which wait beside others.
    changes: watch::Sender<()>,
}

impl SharedState {
    pub(crate) fn new() -> Self {
        let (state, changes) = (Mutex::new(HubState::new()), watch::Sender::new(()));
        Self(Arc::new(Shared { state, changed: Condvar::new(), changes }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, HubState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes it, and says so.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut HubState) -> T) -> T {
        let changed = change(&mut self.lock());
        self.0.changed.notify_all();
        self.0.changes.send_replace(());
        changed
    }

    /// Hears of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.0.changes.subscribe()
    }

    /// Waits until `found` finds something.
    pub(crate) fn wait<T>(&self, what: &str, mut found: impl FnMut(&mut HubState) -> Option<T>) -> T {
        let mut value = None;
        let waited = self.0.changed.wait_timeout_while(self.lock(), PATIENCE, |state| {
            value = found(state);
            value.is_none()
        });
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let seen = (state.samples.len(), state.beats.len(), state.results.len(), state.complaints.clone());
        drop(state);
        value.unwrap_or_else(|| {
            panic!("waited in vain for {what}; samples, beats, results, complaints: {seen:?}")
        })
    }
}
