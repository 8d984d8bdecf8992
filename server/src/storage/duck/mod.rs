//! The query engine, DuckDB in memory: it reads Parquet files and rows handed over as [`Tray`]s, sorts,
//! aggregates, and writes Parquet. It keeps nothing.
//!
//! Promises: a bounded number of queries at once, each on a connection of its own with a deadline; one that
//! runs out of time, or that nobody waits for any more, is stopped ([`interrupts`]). Background work has a
//! connection of its own too, and no deadline. An instance that DuckDB has given up is replaced, and the next
//! call works ([`instance`]).
//!
//! Refuses: SQL that reaches for files outside the named folders, or for settings; queries beyond the bound,
//! after a named wait.

mod instance;
mod interrupts;
mod tray;

use self::instance::{Instance, Opener};
pub use self::tray::Tray;
use super::{
    StorageError,
    readers::{Readers, Wanted},
};
use duckdb::Connection;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How the engine is set up.
#[derive(Clone, Debug)]
pub struct DuckSettings {
    /// What the engine may keep in memory, in its own words: `64MB`.
    pub memory: String,
    /// Threads of the engine, those that ask included.
    pub threads_max: u8,
    /// Queries at once; others wait. Each shares the memory above.
    pub queries_max: usize,
    /// How long a query waits for its turn, then [`StorageError::Busy`].
    pub turn_wait: Duration,
    /// How long a query may take, then [`StorageError::Timeout`].
    pub query_time_max: Duration,
}

impl Default for DuckSettings {
    fn default() -> Self {
        Self {
            memory: "64MB".to_owned(),
            threads_max: 2,
            queries_max: 2,
            turn_wait: Duration::from_secs(5),
            query_time_max: Duration::from_secs(30),
        }
    }
}

/// A handle to the engine; clones share everything. The last one that goes closes it.
#[derive(Clone)]
pub struct Duck(Arc<Inner>);

struct Inner {
    instance: Instance,
    readers: Readers,
}

impl Duck {
    /// An engine, opened when it is first asked, that spills to `scratch` (made when it is needed) and whose SQL may read and write
    /// in `readable`, folders that must be there, and nowhere else.
    pub fn open(settings: DuckSettings, scratch: &Path, readable: &[PathBuf]) -> Result<Self, StorageError> {
        let instance = Instance::new(Opener::new(&settings, scratch, readable)?);
        let readers = Readers::new(settings.queries_max, settings.turn_wait, settings.query_time_max);
        Ok(Self(Arc::new(Inner { instance, readers })))
    }

    /// Runs a query on a connection of its own, on a thread where it may block, within the deadline.
    ///
    /// When the future is dropped (the client hung up), the query is stopped.
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let readers = &self.0.readers;
        let turn = readers.turn().await?;
        let query = self.0.instance.interrupts().announce();
        // It goes with this future, or when the deadline is past: that stops the query.
        let _stop = query.stop_on_drop();
        let duck = self.clone();
        let ask = move |wanted: &Wanted| {
            // And with it every thread that the engine starts.
            wanted.give_way();
            duck.0.instance.run(&query, work).unwrap_or_else(|error| Err(error.into()))
        };
        readers.run_in(turn, ask).await
    }

    /// Those who read files without the engine share its turns.
    pub fn readers(&self) -> &Readers {
        &self.0.readers
    }

    /// Runs background work on a connection of its own, blocking, with neither turn nor deadline;
    /// [`Duck::interrupt_all`] stops it.
    pub fn run_blocking<T, E>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E>
    where
        E: From<StorageError>,
    {
        let query = self.0.instance.interrupts().announce();
        self.0.instance.run(&query, work).unwrap_or_else(|error| Err(error.into()))
    }

    /// Stops every query and all background work that runs now and waits until they have ended, for a few
    /// seconds at most; whether they have. What begins meanwhile is left alone. Blocks.
    pub fn interrupt_all(&self) -> bool {
        self.0.instance.interrupts().stop_all()
    }

    /// How many times DuckDB gave up its instance and another took its place.
    pub fn reopened(&self) -> u64 {
        self.0.instance.reopened()
    }

    /// Whether the engine answers, once anybody has asked it something. Blocks.
    pub fn probe(&self) -> Result<(), StorageError> {
        if !self.0.instance.is_open() {
            return Ok(());
        }
        self.run_blocking(|connection| connection.execute_batch("SELECT 1").map_err(StorageError::from))
    }
}

impl fmt::Debug for Duck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Duck")
    }
}

#[cfg(test)]
mod fence_tests;
#[cfg(test)]
mod full_disk_tests;
#[cfg(test)]
mod tests;
