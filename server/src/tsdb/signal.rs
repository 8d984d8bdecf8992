//! What threads of the history wait for.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Wakes whoever waits for something to change: a full segment, a sealed one, the end.
#[derive(Debug, Default)]
pub(super) struct Signal {
    changes: Mutex<u64>,
    changed: Condvar,
}

impl Signal {
    pub(super) fn tell(&self) {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits until `is_so` or for `wait`; whether it is so.
    pub(super) fn wait_for(&self, wait: Duration, is_so: impl Fn() -> bool) -> bool {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(changes, wait, |_| !is_so());
        drop(waited);
        is_so()
    }
}
