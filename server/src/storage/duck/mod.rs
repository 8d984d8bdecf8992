//! The history's database, `analytics.duckdb`: one writer's connection, a connection of its own for each
//! query.
//!
//! Promises: queries run beside the writer, a bounded number at once, each with a deadline; one that runs out
//! of time, or that nobody waits for any more, is stopped ([`interrupts`]). A fatal error (DuckDB gives up
//! its instance when a checkpoint meets a full disk) is mended here: the instance is closed and opened again,
//! from what was committed, and the next call works ([`instance`]).
//!
//! Refuses: writes below the disk's reserve; queries beyond the bound, after a named wait.

mod instance;
mod interrupts;

use self::instance::{Instance, Opener};
use super::{DiskSpace, StorageError, migrate};
use duckdb::Connection;
use pingup_protocol::time::Timestamp;
use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

/// How the history's engine is set up.
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
            queries_max: 4,
            turn_wait: Duration::from_secs(5),
            query_time_max: Duration::from_secs(30),
        }
    }
}

/// A handle to the history; clones share everything. The last one that goes closes the database.
#[derive(Clone)]
pub struct Duck(Arc<Inner>);

struct Inner {
    instance: Instance,
    migrated: Vec<&'static str>,
    turns: Arc<Semaphore>,
    settings: DuckSettings,
    disk: DiskSpace,
    /// The disk's free bytes do not tell of quotas, limits and broken disks; the last write does.
    last_write_failed: AtomicBool,
}

impl Duck {
    /// Opens or makes the database at `path` and migrates it; `now` is when, for the record.
    pub fn open(
        path: &Path,
        settings: DuckSettings,
        disk: DiskSpace,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        let opener = Opener::new(path, &settings);
        let instance = Instance::open(opener)?;
        let migrated =
            instance.write(|connection| migrate::apply(connection, migrate::DUCKDB, now.as_micros()))??;
        Ok(Self(Arc::new(Inner {
            instance,
            migrated,
            turns: Arc::new(Semaphore::new(settings.queries_max)),
            settings,
            disk,
            last_write_failed: AtomicBool::new(false),
        })))
    }

    /// The migrations that opening applied.
    pub fn migrated(&self) -> &[&'static str] {
        &self.0.migrated
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
        let settings = &self.0.settings;
        let turn = match timeout(settings.turn_wait, Arc::clone(&self.0.turns).acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_closed)) => return Err(StorageError::Closed.into()),
            Err(_elapsed) => return Err(StorageError::Busy.into()),
        };
        let query = self.0.instance.interrupts().announce();
        let _stop = query.stop_on_drop();
        let duck = self.clone();
        let task = spawn_blocking(move || {
            let answer = duck.0.instance.read(&query, work);
            drop((query, turn));
            answer
        });
        match timeout(settings.query_time_max, task).await {
            Ok(Ok(answer)) => answer.unwrap_or_else(|error| Err(error.into())),
            Ok(Err(error)) if error.is_panic() => Err(StorageError::Panicked.into()),
            Ok(Err(_)) => Err(StorageError::Closed.into()),
            // `_stop` goes now, as it does when this future is dropped: that stops the query.
            Err(_elapsed) => Err(StorageError::Timeout.into()),
        }
    }

    /// Runs `work` on the writer's connection, blocking; for the one ingest writer's thread and for start-up.
    ///
    /// The work begins and commits its own transaction; one left open by a failure is rolled back. When the
    /// work fails fatally, the database is opened again before this returns, from what was committed. `Err`
    /// from a `COMMIT` in the work then leaves open whether it was kept (the log may have been synced before
    /// the checkpoint failed), but never half of it: whoever counts must look again, and [`Duck::reopened`]
    /// tells that there is reason to. `Ok` from `COMMIT` means synced to disk, always.
    pub fn write_blocking<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, duckdb::Error>,
    ) -> Result<T, StorageError> {
        self.0.disk.check()?;
        self.reclaim_blocking(work)
    }

    /// As [`Duck::write_blocking`], but also below the disk's reserve: for work that frees space.
    pub fn reclaim_blocking<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, duckdb::Error>,
    ) -> Result<T, StorageError> {
        let written = self.0.instance.write(work).and_then(|own| own.map_err(StorageError::from));
        // Only a probe clears it: what runs here may have read, which a full disk does not hinder.
        if written.as_ref().is_err_and(StorageError::is_transient) {
            self.0.last_write_failed.store(true, Ordering::Relaxed);
        }
        written
    }

    /// How many times the database was opened again after a fatal error.
    pub fn reopened(&self) -> u64 {
        self.0.instance.reopened()
    }

    /// Whether the database answers; after a write failed, whether it can write again. Blocks.
    pub fn probe(&self) -> Result<(), StorageError> {
        self.0.disk.check()?;
        if self.0.last_write_failed.load(Ordering::Relaxed) {
            // Changes nothing that stays, yet goes all the way to the disk; an update to the same value would not.
            let sql = "CREATE OR REPLACE TABLE disk_probe (tried BOOLEAN); DROP TABLE disk_probe";
            self.write_blocking(|connection| connection.execute_batch(sql))?;
            self.0.last_write_failed.store(false, Ordering::Relaxed);
            return Ok(());
        }
        let query = self.0.instance.interrupts().announce();
        self.0
            .instance
            .read(&query, |connection| connection.execute_batch("SELECT 1"))?
            .map_err(StorageError::from)
    }
}

impl fmt::Debug for Duck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Duck(analytics.duckdb)")
    }
}

#[cfg(test)]
mod full_disk_tests;
#[cfg(test)]
mod tests;
