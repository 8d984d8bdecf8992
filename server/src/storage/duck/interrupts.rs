//! Stopping queries: those out of time, those nobody waits for, and all of them when the hub stops.
//!
//! Two things make this more than one call. DuckDB forgets an interrupt that comes between two statements, so
//! a query is interrupted again until it has ended. And a handle must not be used once its connection is
//! gone; so each is registered while its query runs, and used only under the register's lock.

use crate::storage::StorageError;
use duckdb::{Connection, InterruptHandle};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::Handle;

/// How long an interrupted query is left to notice before it is interrupted again.
const INTERRUPT_AGAIN: Duration = Duration::from_millis(20);
/// How long stopping everything may take: an interrupt is noticed within milliseconds, a write to a slow
/// disk within seconds.
const STOP_ALL_MAX: Duration = Duration::from_secs(5);

/// Every query from its announcement to its end: no more than there are turns, and one for each thread that
/// works or probes.
#[derive(Default)]
pub(super) struct Interrupts {
    register: Mutex<Register>,
}

#[derive(Default)]
struct Register {
    queries: HashMap<u64, State>,
    last_number: u64,
}

enum State {
    /// No connection yet.
    Announced,
    /// Running on a connection.
    Running(Arc<InterruptHandle>),
    /// To be stopped before it begins.
    Stopped,
}

/// A query that is announced; forgotten when dropped.
pub(super) struct Query {
    interrupts: Arc<Interrupts>,
    number: u64,
}

/// A query that runs. Must be dropped before its connection is.
pub(super) struct Running<'a>(&'a Query);

/// Stops its query when dropped; one that has ended is left alone.
pub(super) struct StopOnDrop {
    interrupts: Arc<Interrupts>,
    number: u64,
}

impl Interrupts {
    /// Announces a query, so that it can be stopped from now on.
    pub(super) fn announce(self: &Arc<Self>) -> Query {
        let mut register = self.lock();
        register.last_number += 1;
        let number = register.last_number;
        register.queries.insert(number, State::Announced);
        Query { interrupts: Arc::clone(self), number }
    }

    /// Stops whatever is announced or runs now, and waits until it has ended, [`STOP_ALL_MAX`] at most;
    /// whether it has. What is announced meanwhile is left alone. Blocks.
    pub(super) fn stop_all(&self) -> bool {
        let began = Instant::now();
        let mut numbers: Vec<u64> = self.lock().queries.keys().copied().collect();
        loop {
            numbers.retain(|number| self.stop(*number));
            if numbers.is_empty() {
                return true;
            }
            if began.elapsed() > STOP_ALL_MAX {
                return false;
            }
            thread::sleep(INTERRUPT_AGAIN);
        }
    }

    /// Interrupts one query, or keeps it from beginning; whether it still runs.
    fn stop(&self, number: u64) -> bool {
        match self.lock().queries.get_mut(&number) {
            Some(State::Running(handle)) => {
                handle.interrupt();
                true
            }
            Some(state) => {
                *state = State::Stopped;
                false
            }
            None => false,
        }
    }

    fn forget(&self, number: u64) {
        self.lock().queries.remove(&number);
    }

    fn lock(&self) -> MutexGuard<'_, Register> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Query {
    /// The query begins on `connection`, unless it was stopped before.
    pub(super) fn begin(&self, connection: &Connection) -> Result<Running<'_>, StorageError> {
        match self.interrupts.lock().queries.get_mut(&self.number) {
            Some(state @ State::Announced) => {
                *state = State::Running(connection.interrupt_handle());
                Ok(Running(self))
            }
            _ => Err(StorageError::Timeout),
        }
    }

    /// What stops this query when it goes.
    pub(super) fn stop_on_drop(&self) -> StopOnDrop {
        StopOnDrop { interrupts: Arc::clone(&self.interrupts), number: self.number }
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        self.interrupts.forget(self.number);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.interrupts.forget(self.0.number);
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if !self.interrupts.stop(self.number) {
            return;
        }
        let (interrupts, number) = (Arc::clone(&self.interrupts), self.number);
        // Without a runtime nobody awaits either, and one interrupt is what there is.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                while interrupts.stop(number) {
                    tokio::time::sleep(INTERRUPT_AGAIN).await;
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_that_is_stopped_before_it_begins_never_begins() {
        let interrupts = Arc::<Interrupts>::default();
        let query = interrupts.announce();
        drop(query.stop_on_drop());
        let connection = Connection::open_in_memory().unwrap();
        assert!(matches!(query.begin(&connection), Err(StorageError::Timeout)));
    }

    #[test]
    fn what_has_ended_is_forgotten_and_left_alone() {
        let interrupts = Arc::<Interrupts>::default();
        let query = interrupts.announce();
        let stop = query.stop_on_drop();
        let connection = Connection::open_in_memory().unwrap();
        drop(query.begin(&connection).unwrap());
        drop(connection);
        drop(stop);
        assert!(interrupts.stop_all());
        drop(query);
        assert!(interrupts.lock().queries.is_empty());
    }
}
