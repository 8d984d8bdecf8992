//! The open database, and how it is opened again when DuckDB has given it up.
//!
//! After a fatal error (a checkpoint that found no space, say) every connection of the instance answers only
//! that it is invalid. What was committed is in the file and its log; so the instance is closed, all of it,
//! and opened anew. That needs every connection gone: queries hold the lock shared, opening again takes it
//! alone and stops the queries that are in its way. If it cannot be opened either (still no space), the next
//! caller tries again.

use super::{
    DuckSettings,
    interrupts::{INTERRUPT_AGAIN, Interrupts, Query},
};
use crate::storage::StorageError;
use duckdb::{Config, Connection};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// When the log reaches this, a commit folds it into the file, and that commit takes longer by the fold.
const CHECKPOINT_THRESHOLD: &str = "16MB";

/// What is needed to open the database, again and again.
pub(super) struct Opener {
    path: PathBuf,
    memory: String,
    threads_max: u8,
}

/// Both ends of an open database: the writer's connection, and one that queries' connections are made from.
struct Open {
    writer: Mutex<Connection>,
    source: Mutex<Connection>,
}

/// The database: open, or waiting to be opened again.
pub(super) struct Instance {
    opener: Opener,
    open: RwLock<Option<Open>>,
    interrupts: Arc<Interrupts>,
    reopened: AtomicU64,
}

impl Open {
    fn is_usable(&self) -> bool {
        is_usable(&self.writer.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Opener {
    pub(super) fn new(path: &Path, settings: &DuckSettings) -> Self {
        Self { path: path.to_owned(), memory: settings.memory.clone(), threads_max: settings.threads_max }
    }

    fn open(&self) -> Result<Open, StorageError> {
        let writer = Connection::open_with_flags(&self.path, self.config()?)?;
        let source = writer.try_clone()?;
        Ok(Open { writer: Mutex::new(writer), source: Mutex::new(source) })
    }

    fn config(&self) -> Result<Config, duckdb::Error> {
        let spill = self.path.with_extension("tmp");
        Config::default()
            .max_memory(&self.memory)?
            .threads(i64::from(self.threads_max))?
            .enable_autoload_extension(false)?
            .with("checkpoint_threshold", CHECKPOINT_THRESHOLD)?
            .with("temp_directory", spill.to_string_lossy())?
            // Last: from here on no folder can be named any more.
            .enable_external_access(false)
    }
}

impl Instance {
    pub(super) fn open(opener: Opener) -> Result<Self, StorageError> {
        let open = opener.open()?;
        Ok(Self {
            opener,
            open: RwLock::new(Some(open)),
            interrupts: Arc::default(),
            reopened: AtomicU64::new(0),
        })
    }

    pub(super) fn interrupts(&self) -> &Arc<Interrupts> {
        &self.interrupts
    }

    pub(super) fn reopened(&self) -> u64 {
        self.reopened.load(Ordering::Acquire)
    }

    /// Runs `work` as `query` on a new connection.
    pub(super) fn read<T, E>(
        &self,
        query: &Query,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<Result<T, E>, StorageError> {
        self.ensure_open()?;
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = open.as_ref() else { return Err(StorageError::Closed) };
        let connection = open.source.lock().unwrap_or_else(PoisonError::into_inner).try_clone()?;
        // Declared after the connection, so it ends before the connection does: nobody interrupts a closed
        // one.
        let _running = query.begin(&connection)?;
        Ok(work(&connection))
    }

    /// Runs `work` on the writer's connection; what it leaves open is rolled back, what it broke is mended.
    pub(super) fn write<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<Result<T, E>, StorageError> {
        self.ensure_open()?;
        let written = {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            let Some(open) = open.as_ref() else { return Err(StorageError::Closed) };
            let connection = open.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let written = work(&connection);
            if written.is_ok() || is_usable(&connection) {
                return Ok(written);
            }
            written
        };
        tracing::warn!("DuckDB has given up its instance; opening the history again");
        self.reopen_unusable();
        Ok(written)
    }

    /// Closes the instance, unless somebody else has replaced it already, and opens it again if that is
    /// possible.
    fn reopen_unusable(&self) {
        let mut open = self.take_from_queries();
        if open.as_ref().is_some_and(Open::is_usable) {
            return;
        }
        // The file is locked by the old instance until its last connection is gone.
        *open = None;
        if let Err(error) = self.fill(&mut open) {
            tracing::warn!(%error, "the history cannot be opened yet; the next call tries again");
        }
    }

    /// The lock for this caller alone. Queries that hold it are stopped: a broken instance gives them
    /// nothing.
    fn take_from_queries(&self) -> RwLockWriteGuard<'_, Option<Open>> {
        loop {
            self.interrupts.interrupt_running();
            match self.open.try_write() {
                Ok(open) => return open,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => thread::sleep(INTERRUPT_AGAIN),
            }
        }
    }

    fn ensure_open(&self) -> Result<(), StorageError> {
        if self.open.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.is_some() { Ok(()) } else { self.fill(&mut open) }
    }

    fn fill(&self, empty: &mut Option<Open>) -> Result<(), StorageError> {
        *empty = Some(self.opener.open()?);
        self.reopened.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

/// Whether the instance still works, with whatever transaction was left open on `connection` rolled back.
///
/// Asked of the engine itself: its errors are told apart by their words only, and words change.
fn is_usable(connection: &Connection) -> bool {
    // Fails where there is nothing to roll back, and that is well.
    let _ = connection.execute_batch("ROLLBACK");
    connection.execute_batch("SELECT 1").is_ok()
}
