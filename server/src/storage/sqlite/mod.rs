//! The records' database, `pingup.db`: one writer thread, a few readers beside it.
//!
//! Promises: a write is answered after its commit was synced to disk, and what waits together shares that one
//! sync ([`writer`]). Reads never wait for writes (write-ahead log) and cannot change anything ([`readers`]).
//! What is deleted is overwritten with zeros, in the file as soon as the log was folded into it. Nothing here runs on the
//! async runtime's own threads.

mod readers;
mod watch;
mod writer;

pub use self::watch::Watch;

use self::{readers::Readers, writer::Writer};
use super::{DiskSpace, StorageError, migrate};
use pingup_protocol::time::Timestamp;
use rusqlite::{Connection, ErrorCode, config::DbConfig};
use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a statement waits for another process, such as `join-token create`, to finish its write.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// The pause between two tries of what SQLite does not wait for.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// How long a read waits for a reader to be free.
const FREE_READER_WAIT: Duration = Duration::from_secs(5);
/// Statements a connection keeps prepared; the rooms together have fewer.
const PREPARED_STATEMENTS_MAX: usize = 128;

/// A handle to the records; clones share everything.
#[derive(Clone)]
pub struct Sqlite(Arc<Inner>);

struct Inner {
    writer: Writer,
    readers: Arc<Readers>,
    disk: DiskSpace,
    migrated: Vec<&'static str>,
    /// The disk's free bytes do not tell of quotas, limits and broken disks; the last commit does.
    last_commit_failed: AtomicBool,
}

impl Sqlite {
    /// Opens or makes the database at `path` and migrates it; `now` is when, for the record.
    pub fn open(path: &Path, disk: DiskSpace, now: Timestamp) -> Result<Self, StorageError> {
        let connection = connect(path)?;
        let migrated = migrate::apply(&connection, migrate::SQLITE, now.as_micros())?;
        let writer = Writer::start(connection).map_err(StorageError::file("start the writer of", path))?;
        let readers = Arc::new(Readers::open(path, FREE_READER_WAIT)?);
        Ok(Self(Arc::new(Inner {
            writer,
            readers,
            disk,
            migrated,
            last_commit_failed: AtomicBool::new(false),
        })))
    }

    /// The migrations that opening applied.
    pub fn migrated(&self) -> &[&'static str] {
        &self.0.migrated
    }

    /// Runs `work` on the one writer thread, inside a transaction that it shares with whatever else waits.
    ///
    /// Answered only after the commit was synced to disk. An `Err` or a panic of `work` undoes its own
    /// changes and nobody else's. When the commit fails, all who share it get that error and nothing is kept.
    /// Work that has been accepted is done even if nobody waits for the answer any more.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        self.write_then(work, |_| ()).await
    }

    /// As [`Sqlite::write`]; `then` hears what the work came to once that is on disk, before anyone is answered and
    /// before anything later is committed: what it tells is told in the order of the commits. It runs on the writer
    /// thread, where every other write waits for it, and not at all when the work or its commit failed.
    pub async fn write_then<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        self.0.disk.check()?;
        let answer = self.0.writer.submit(work, then)?.await.unwrap_or(Err(StorageError::Closed));
        // Only a probe clears it: a group that changed nothing commits on a full disk too.
        if matches!(answer, Err(StorageError::Full | StorageError::Commit(_))) {
            self.0.last_commit_failed.store(true, Ordering::Relaxed);
        }
        answer?
    }

    /// As [`Sqlite::write`], but blocking and also below the disk's reserve: for start-up, and for threads whose
    /// work frees space.
    pub fn reclaim_blocking<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        self.0.writer.submit(work, |_| ())?.blocking_recv().unwrap_or(Err(StorageError::Closed))?
    }

    /// Runs `work` on a reader's connection, which cannot write, on a thread where it may block.
    ///
    /// Waits a named while for a connection to be free, then [`StorageError::Busy`].
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        self.0.readers.run(work).await
    }

    /// Whether the database answers; after a commit failed, whether it can write again.
    pub async fn probe(&self) -> Result<(), StorageError> {
        self.0.disk.check()?;
        if self.0.last_commit_failed.load(Ordering::Relaxed) {
            self.write(|connection| touch(connection).map_err(StorageError::from)).await?;
            self.0.last_commit_failed.store(false, Ordering::Relaxed);
            return Ok(());
        }
        self.read(|connection| connection.execute_batch("SELECT 1").map_err(StorageError::from)).await
    }

    /// Finishes and answers what was accepted, refuses what comes later. Reads go on; the log is folded into
    /// the file when the last handle goes.
    pub async fn close(&self) {
        self.0.writer.close().await;
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sqlite(pingup.db)")
    }
}

/// A connection set up the way every connection to the records is. What is deleted is overwritten: a key that is gone must not
/// lie in a free page.
fn connect(path: &Path) -> Result<Connection, StorageError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS_MAX);
    // Else SQLite reads a prepared statement with an ORDER BY anew at each use, since its parameters were set anew, and
    // plans it anew: that took longer than all that such a statement finds.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let set_up = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                  PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON;";
    // Switching to the log is the one step for which SQLite does not wait by itself: two programs may meet there.
    let begun = Instant::now();
    while let Err(error) = connection.execute_batch(set_up) {
        let busy =
            matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
        if !busy || begun.elapsed() > BUSY_WAIT {
            return Err(error.into());
        }
        std::thread::sleep(BUSY_PAUSE);
    }
    Ok(connection)
}

/// Changes what means nothing, so that the commit goes all the way to the disk: SQLite writes no page that is as it
/// was, and a transaction that changed none tells nothing of the disk, nor of the commits before it.
pub fn touch(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    connection.pragma_update(None, "user_version", version.wrapping_add(1))
}

#[cfg(test)]
mod tests;
