//! The one thread that writes records, and its group commit.
//!
//! It takes all that waits, up to a bound, runs each job inside a savepoint of its own within one
//! transaction, commits once, and only then answers everyone. So the price of a sync to disk is shared by
//! those who waited for the one before. No timer: who comes alone is committed alone.

use crate::storage::StorageError;
use rusqlite::Connection;
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};
use tokio::sync::oneshot;

/// Writes that may wait; beyond it they are refused at once. Some ten commits' worth.
pub(super) const WAITING_JOBS_MAX: usize = 1_024;
/// Writes that share a commit: a failing one takes at most these with it, and none waits longer than these
/// take.
const GROUP_JOBS_MAX: usize = 128;

const _: () = assert!(GROUP_JOBS_MAX <= WAITING_JOBS_MAX);

/// What the commit of a group came to.
type Committed = Result<(), Arc<rusqlite::Error>>;
/// The queue's end of a job: its answer comes here. The outer error is storage's, the inner the work's own.
type Answer<T, E> = oneshot::Receiver<Result<Result<T, E>, StorageError>>;

/// A write that waits: run once, answered once.
trait Job: Send {
    /// Does the work; whether its changes are to be kept.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Tells whoever waits how it ended.
    fn answer(self: Box<Self>, committed: Committed);
}

struct Work<F, T, E, A> {
    work: Option<F>,
    /// What hears of it first.
    then: A,
    outcome: Option<thread::Result<Result<T, E>>>,
    waiter: oneshot::Sender<Result<Result<T, E>, StorageError>>,
}

impl<F, T, E, A> Job for Work<F, T, E, A>
where
    F: FnOnce(&Connection) -> Result<T, E> + Send,
    T: Send,
    E: Send,
    A: FnOnce(&T) + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        // Whatever the work leaves half done on the connection, its savepoint is rolled back.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(connection)));
        let keep = matches!(outcome, Ok(Ok(_)));
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, committed: Committed) {
        let answer = match (self.outcome, committed) {
            (Some(Err(_panic)), _) => Err(StorageError::Panicked),
            // Also who was refused: by a neighbour's row, perhaps, that is now not there.
            (_, Err(error)) => Err(error.into()),
            (Some(Ok(Err(own))), Ok(())) => Ok(Err(own)),
            (Some(Ok(Ok(value))), Ok(())) => {
                let then = self.then;
                // What is on disk stays there, and is answered so, whatever comes of telling it.
                if catch_unwind(AssertUnwindSafe(|| then(&value))).is_err() {
                    tracing::error!("a write is on disk, but not everyone was told");
                }
                Ok(Ok(value))
            }
            (None, Ok(())) => Err(StorageError::Closed),
        };
        // Nobody waits any more: the work is done all the same.
        let _ = self.waiter.send(answer);
    }
}

/// The thread and the queue that leads to it.
pub(super) struct Writer {
    queue: Mutex<Option<SyncSender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Gives `connection` to a thread of its own.
    pub(super) fn start(connection: Connection) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING_JOBS_MAX);
        let thread = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || run(&connection, &receiver))?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Puts work into the queue, or says at once that it cannot. `then` hears of the commit before anyone else.
    pub(super) fn submit<F, T, E>(
        &self,
        work: F,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<Answer<T, E>, StorageError>
    where
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let (waiter, answer) = oneshot::channel();
        let job = Box::new(Work { work: Some(work), then, outcome: None, waiter });
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match queue.as_ref().map(|queue| queue.try_send(job)) {
            Some(Ok(())) => Ok(answer),
            Some(Err(TrySendError::Full(_))) => Err(StorageError::Busy),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(StorageError::Closed),
        }
    }

    /// Lets nothing more in, and waits until everything that is in has been answered.
    pub(super) async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the writer of the records did not stop cleanly");
            }
        }
    }
}

impl Drop for Writer {
    /// Whoever drops the last handle finds the file closed; what is still in the queue is done first.
    fn drop(&mut self) {
        drop(self.queue.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // The last handle may have been in a job's own hands.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
    }
}

/// The thread: until the queue is closed and empty.
fn run(connection: &Connection, queue: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        group.extend(queue.try_iter().take(GROUP_JOBS_MAX - 1));
        let committed = commit(connection, &mut group);
        if let Err(error) = &committed {
            tracing::warn!(jobs = group.len(), %error, "the records could not be committed");
        }
        for job in group {
            job.answer(committed.clone());
        }
    }
}

/// Runs the group in one transaction and commits it; on any failure of the transaction nothing is kept.
fn commit(connection: &Connection, group: &mut [Box<dyn Job>]) -> Committed {
    let committed = connection
        .execute_batch("BEGIN IMMEDIATE")
        .and_then(|()| group.iter_mut().try_for_each(|job| run_apart(connection, job.as_mut())))
        .and_then(|()| connection.execute_batch("COMMIT"));
    if committed.is_err() && !connection.is_autocommit() {
        // Should even this fail, the next BEGIN says so to everyone in the next group.
        let _ = connection.execute_batch("ROLLBACK");
    }
    committed.map_err(Arc::new)
}

/// Runs one job so that only its own changes go when it fails.
///
/// On a full disk or an I/O error SQLite ends the whole transaction by itself; then this fails, and with it
/// the group: what its earlier jobs wrote is gone as well.
fn run_apart(connection: &Connection, job: &mut dyn Job) -> rusqlite::Result<()> {
    // Kept prepared: reading three such words anew took longer than many a job.
    connection.prepare_cached("SAVEPOINT job")?.execute(())?;
    let keep = job.run(connection);
    if connection.is_autocommit() {
        let aborted = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK);
        return Err(rusqlite::Error::SqliteFailure(
            aborted,
            Some("a failing write ended the transaction".to_owned()),
        ));
    }
    if !keep {
        connection.execute_batch("ROLLBACK TO job")?;
    }
    connection.prepare_cached("RELEASE job")?.execute(()).map(drop)
}

#[cfg(test)]
mod tests;
