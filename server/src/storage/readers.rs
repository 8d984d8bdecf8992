//! Threads that answer questions: few at once, each gives way to those that commit and answer agents, and ends
//! with its question.
//!
//! A question first reads what is in memory, then says that it gives way ([`Wanted::give_way`]). The other way round,
//! it would hold a lock that the writer waits for while it waits for a processor behind whatever else the machine does.
//!
//! Promises: a bounded number of questions at once, others wait a named time for their turn; one that takes too
//! long, or whose asker is gone, hears so at its next [`Wanted::check`].

use super::{OUTBOX_BYTES_MAX, OUTBOX_WAIT, Outbox, StorageError};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::timeout,
};

/// How much readers give way (`nice`, 0 to 19): against a thread that does not, they get a tenth.
const NICENESS: i32 = 10;

/// The turns that questions take; clones share them.
#[derive(Clone, Debug)]
pub struct Readers {
    turns: Arc<Semaphore>,
    turn_wait: Duration,
    time_max: Duration,
    outbox: Outbox,
}

/// A question's turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// A question's word with its thread: whether anyone still waits for an answer, and when to give way.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    gone: Arc<AtomicBool>,
    /// By how much; nothing for one that was asked on somebody else's thread.
    niceness: i32,
}

impl Wanted {
    /// [`StorageError::Timeout`] once nobody waits any more.
    pub fn check(&self) -> Result<(), StorageError> {
        if self.gone.load(Ordering::Relaxed) { Err(StorageError::Timeout) } else { Ok(()) }
    }

    /// From here on the thread gives way: to be said once nothing is left to read that a writer may wait for.
    pub fn give_way(&self) {
        if self.niceness > 0 {
            give_way(self.niceness);
        }
    }
}

impl Wanted {
    /// For tests: by nobody.
    #[cfg(test)]
    pub(crate) fn nobody() -> Self {
        Self { gone: Arc::new(AtomicBool::new(true)), ..Self::default() }
    }
}

struct GoneOnDrop(Wanted);

impl Drop for GoneOnDrop {
    fn drop(&mut self) {
        self.0.gone.store(true, Ordering::Relaxed);
    }
}

impl Readers {
    /// `at_once` questions at once. One waits `turn_wait` for its turn, then [`StorageError::Busy`]; it may take
    /// `time_max`, then [`StorageError::Timeout`].
    pub fn new(at_once: usize, turn_wait: Duration, time_max: Duration) -> Self {
        let outbox = Outbox::new(OUTBOX_BYTES_MAX, OUTBOX_WAIT);
        Self { turns: Arc::new(Semaphore::new(at_once)), turn_wait, time_max, outbox }
    }

    /// Where their long answers take room.
    pub const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Waits for a turn.
    pub async fn turn(&self) -> Result<Turn, StorageError> {
        match timeout(self.turn_wait, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Turn { _permit: permit }),
            Ok(Err(_closed)) => Err(StorageError::Closed),
            Err(_elapsed) => Err(StorageError::Busy),
        }
    }

    /// Works on a thread of its own, where it may block, once it is its turn. When the future is dropped (the
    /// client hung up), the work is no longer wanted.
    pub async fn run<T, E>(&self, work: impl FnOnce(&Wanted) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let turn = self.turn().await?;
        self.run_in(turn, work).await
    }

    /// The same in a turn that was waited for, which ends with the work, not with the wait for it.
    pub async fn run_in<T, E>(
        &self,
        turn: Turn,
        work: impl FnOnce(&Wanted) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let gone = GoneOnDrop(Wanted { niceness: NICENESS, ..Wanted::default() });
        let wanted = gone.0.clone();
        let (reply, answer) = oneshot::channel();
        let read = move || {
            let done = catch_unwind(AssertUnwindSafe(|| work(&wanted)));
            drop(turn);
            // Who has hung up does not hear it.
            let _ = reply.send(done.unwrap_or_else(|_panic| Err(StorageError::Panicked.into())));
        };
        let begun = thread::Builder::new().name("history-read".to_owned()).spawn(read);
        begun.map_err(StorageError::file("start a thread to read in", "the history"))?;
        match timeout(self.time_max, answer).await {
            Ok(answer) => answer.unwrap_or_else(|_dropped| Err(StorageError::Panicked.into())),
            Err(_elapsed) => Err(StorageError::Timeout.into()),
        }
    }
}

/// Lowers the calling thread's priority to `niceness`, for good, and that of every thread it starts. On Linux a
/// thread has a priority of its own; elsewhere nothing is changed.
pub fn give_way(niceness: i32) {
    #[cfg(target_os = "linux")]
    // Not being allowed to give way leaves things as they are.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), niceness);
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn one_beyond_the_bound_waits_for_its_turn_and_is_refused() {
        let readers = Readers::new(1, SHORT, LONG);
        let turn = readers.turn().await.unwrap();
        let refused = readers.run(|_| Ok::<_, StorageError>(())).await.unwrap_err();
        assert!(matches!(refused, StorageError::Busy), "{refused}");
        drop(turn);
        assert_eq!(readers.run(|_| Ok::<_, StorageError>(7)).await.unwrap(), 7);
    }

    /// Hears, through `heard`, when the work is no longer wanted.
    fn work(heard: mpsc::Sender<()>) -> impl FnOnce(&Wanted) -> Result<(), StorageError> + Send + 'static {
        move |wanted| {
            while wanted.check().is_ok() {
                thread::yield_now();
            }
            heard.send(()).map_err(|_| StorageError::Closed)
        }
    }

    #[tokio::test]
    async fn who_takes_too_long_or_hangs_up_is_no_longer_wanted() {
        let readers = Readers::new(1, LONG, SHORT);
        let (told, heard) = mpsc::channel();
        let late = readers.run(work(told.clone())).await.unwrap_err();
        assert!(matches!(late, StorageError::Timeout), "{late}");
        heard.recv().unwrap();

        let patient = Readers::new(1, LONG, LONG);
        let hung_up = timeout(SHORT, patient.run(work(told)));
        assert!(hung_up.await.is_err());
        heard.recv().unwrap();
        // Its turn ended with it.
        patient.turn().await.unwrap();
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_question_gives_way_when_it_says_so_and_its_asker_never() {
        let niceness = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
        let before = niceness();
        let look = move |wanted: &Wanted| {
            let at_first = niceness();
            wanted.give_way();
            Ok::<_, StorageError>((at_first, niceness()))
        };
        let readers = Readers::new(1, LONG, LONG);
        let (at_first, then) = readers.run(look).await.unwrap();
        assert_eq!(at_first, before);
        assert!(then >= NICENESS, "{then}");
        Wanted::default().give_way();
        assert_eq!(niceness(), before);
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let readers = Readers::new(1, LONG, LONG);
        let panicked = readers.run(|_| -> Result<(), StorageError> { panic!("on purpose") }).await;
        assert!(matches!(panicked, Err(StorageError::Panicked)));
        readers.turn().await.unwrap();
    }
}
