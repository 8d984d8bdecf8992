//! Connections that only read: a bounded pool, opened at start, used on threads that may block.

use super::connect;
use crate::storage::StorageError;
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

/// Reads at once. Each holds a page cache and a thread; two cores do not answer more any faster.
pub(super) const READERS_MAX: usize = 4;
/// What each keeps of the file, KiB. What it does not have the system has, a microsecond away; SQLite's own measure is
/// 2 000 for each, filled as soon as there are a thousand agents.
const CACHE_KIB: u32 = 512;

/// The pool. A permit of `free` stands for one connection in `idle`.
pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
    wait: Duration,
}

/// A connection on loan; goes back when dropped, also out of a panic.
struct Loan<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Readers {
    /// Opens all of them; a read waits `wait` for one to be free.
    pub(super) fn open(path: &Path, wait: Duration) -> Result<Self, StorageError> {
        let idle = (0..READERS_MAX).map(|_| reader(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { idle: Mutex::new(idle), free: Arc::new(Semaphore::new(READERS_MAX)), wait })
    }

    /// Runs `work` on one of them.
    pub(super) async fn run<T, E>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let permit = match timeout(self.wait, Arc::clone(&self.free).acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_closed)) => return Err(StorageError::Closed.into()),
            Err(_elapsed) => return Err(StorageError::Busy.into()),
        };
        let readers = Arc::clone(self);
        let task = spawn_blocking(move || {
            let answer = readers.lend(work);
            drop(permit);
            answer
        });
        match task.await {
            Ok(answer) => answer,
            Err(error) if error.is_panic() => Err(StorageError::Panicked.into()),
            Err(_) => Err(StorageError::Closed.into()),
        }
    }

    fn lend<T, E: From<StorageError>>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let loan = Loan { readers: self, connection };
        loan.connection.as_ref().map_or_else(|| Err(StorageError::Closed.into()), work)
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            if !connection.is_autocommit() {
                // A transaction that the work left open would show the next one an old state.
                let _ = connection.execute_batch("ROLLBACK");
            }
            self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

pub(super) fn reader(path: &Path) -> Result<Connection, StorageError> {
    let connection = connect(path)?;
    connection.execute_batch(&format!("PRAGMA query_only = ON; PRAGMA cache_size = -{CACHE_KIB}"))?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::scratch::Scratch;

    #[tokio::test]
    async fn a_panic_or_an_open_transaction_does_not_cost_a_reader() {
        let scratch = Scratch::new();
        let sqlite = scratch.sqlite();
        for _ in 0..READERS_MAX * 2 {
            let panicked: Result<(), StorageError> = sqlite.read(|_| panic!("on purpose")).await;
            assert!(matches!(panicked, Err(StorageError::Panicked)));
            sqlite
                .read(|connection| connection.execute_batch("BEGIN").map_err(StorageError::from))
                .await
                .unwrap();
        }
    }

    #[tokio::test]
    async fn a_read_waits_only_so_long_for_a_free_reader() {
        let scratch = Scratch::new();
        drop(scratch.sqlite());
        let readers =
            Arc::new(Readers::open(&scratch.folder.sqlite_path(), Duration::from_millis(10)).unwrap());
        let held = Arc::clone(&readers.free).acquire_many_owned(READERS_MAX as u32).await.unwrap();
        assert!(matches!(readers.run(|_| Ok(())).await, Err(StorageError::Busy)));
        drop(held);
        readers.run(|_| Ok::<_, StorageError>(())).await.unwrap();
    }
}
