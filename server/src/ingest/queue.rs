//! The queue between the handlers and the one writer thread: where the thread changes.
//!
//! Bounded by count and by bytes. Full is an answer at once, never a wait: [`IngestError::QueueFull`]. The
//! permit that holds a job's place rides with the job and is given back when the job is dropped, so what the
//! writer holds in hand counts too, by count and by bytes.
//!
//! Everyone who got in is answered: by the writer; or, when the writer is gone, by the reply being dropped,
//! which the waiter sees. A job that is pushed while the writer goes is dropped by whoever sees it last, the
//! writer on its way out or the pusher.

use super::{IngestError, Stored, Work};
use crate::figures::Figures;
use crossbeam_queue::ArrayQueue;
use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering, fence},
    },
    thread::{self, Thread},
};
use tokio::sync::oneshot;

/// What a waiter is told.
pub type Outcome = Result<Stored, IngestError>;

/// The queue.
pub struct Queue {
    ring: ArrayQueue<Queued>,
    account: Arc<Account>,
    /// No more is taken in; what is there is still committed.
    closed: AtomicBool,
    /// The writer will not look again.
    gone: AtomicBool,
    writer: OnceLock<Thread>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Queue({} waiting)", self.ring.len())
    }
}

/// A job that waits, and who waits for it.
#[derive(Debug)]
pub struct Queued {
    /// What is to be committed.
    pub work: Work,
    reply: oneshot::Sender<Outcome>,
    permit: Permit,
}

impl Queued {
    /// Gives the place back and tells the waiter; one that has hung up does not hear it.
    pub fn answer(self, outcome: Outcome) {
        let Self { work, reply, permit } = self;
        drop((work, permit));
        let _ = reply.send(outcome);
    }
}

impl Queue {
    /// An empty queue for `requests_max` requests, which take at most `bytes_max` in memory together; one alone
    /// is always taken, whatever its size.
    pub fn new(requests_max: usize, bytes_max: usize, figures: Arc<Figures>) -> Self {
        Self {
            ring: ArrayQueue::new(requests_max),
            account: Arc::new(Account::new(requests_max, bytes_max, figures)),
            closed: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            writer: OnceLock::new(),
        }
    }

    /// Takes `work` in, or refuses it at once. The receiver hears of the commit.
    pub fn push(&self, work: impl Into<Work>) -> Result<oneshot::Receiver<Outcome>, IngestError> {
        let work = work.into();
        if self.closed.load(Ordering::SeqCst) {
            return Err(IngestError::Stopping);
        }
        let permit = Permit::acquire(&self.account, work.bytes()).ok_or(IngestError::QueueFull)?;
        let (reply, receiver) = oneshot::channel();
        // Never full: a permit is for one of its places.
        self.ring.push(Queued { work, reply, permit }).map_err(|_| IngestError::QueueFull)?;
        // Orders the push before the look at `gone`, as `Taker::drop` orders its look after setting it: one of
        // the two sees the job.
        fence(Ordering::SeqCst);
        if self.gone.load(Ordering::SeqCst) {
            self.drop_all();
        }
        self.wake();
        Ok(receiver)
    }

    /// Takes no more in. The writer commits what is there and ends.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Whether jobs are taken in and a writer is there to commit them.
    pub fn is_taking(&self) -> bool {
        self.writer.get().is_some() && !self.closed.load(Ordering::SeqCst)
    }

    /// Whether the last job was refused for want of room, and none was answered since: under load that passes
    /// with the next group; where it lasts, nothing is committed.
    pub fn is_full(&self) -> bool {
        self.account.full.load(Ordering::Relaxed)
    }

    /// Makes the calling thread the one writer; `None` if there is, or was, another.
    pub(super) fn attach(&self) -> Option<Taker<'_>> {
        self.writer.set(thread::current()).ok()?;
        // A job pushed before the writer could be woken is seen by its first look.
        fence(Ordering::SeqCst);
        Some(Taker(self))
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    fn drop_all(&self) {
        while self.ring.pop().is_some() {}
    }
}

/// The writer's end. Dropping it, also by a panic, closes the queue and answers whoever is left.
#[derive(Debug)]
pub(super) struct Taker<'a>(&'a Queue);

impl Taker<'_> {
    /// Waits until something is there and takes what is, ending once it makes `rows_max` rows or takes
    /// `bytes_max` in memory, or more; `None` once the queue is closed and empty.
    pub(super) fn take(&self, rows_max: usize, bytes_max: usize) -> Option<Vec<Queued>> {
        loop {
            let mut taken = Vec::new();
            let (mut rows, mut bytes) = (0, 0);
            // Looked at before the queue: what was pushed before the closing is seen.
            let closed = self.0.closed.load(Ordering::SeqCst);
            while rows < rows_max
                && bytes < bytes_max
                && let Some(queued) = self.0.ring.pop()
            {
                // An expired or rejected entry makes no row but costs its look.
                rows += queued.work.rows().max(1);
                bytes += queued.permit.bytes;
                taken.push(queued);
            }
            if !taken.is_empty() {
                return Some(taken);
            }
            if closed {
                return None;
            }
            // Every push and the closing unpark; one that came since the look makes this return at once.
            thread::park();
        }
    }
}

impl Drop for Taker<'_> {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0.gone.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.0.drop_all();
    }
}

#[derive(Debug)]
struct Account {
    requests: AtomicUsize,
    requests_max: usize,
    bytes: AtomicUsize,
    bytes_max: usize,
    /// See [`Queue::is_full`].
    full: AtomicBool,
    figures: Arc<Figures>,
}

impl Account {
    fn new(requests_max: usize, bytes_max: usize, figures: Arc<Figures>) -> Self {
        let (requests, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { requests, requests_max, bytes, bytes_max, full: AtomicBool::new(false), figures }
    }

    /// Takes a place for `bytes`, if there is one.
    fn take(&self, bytes: usize) -> bool {
        let one_more = |held: usize| (held < self.requests_max).then_some(held + 1);
        if self.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            return false;
        }
        let fits = |held: usize| {
            let sum = held.saturating_add(bytes);
            (held == 0 || sum <= self.bytes_max).then_some(sum)
        };
        let taken = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if !taken {
            self.requests.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }
}

/// A place in the queue.
#[derive(Debug)]
struct Permit {
    account: Arc<Account>,
    bytes: usize,
}

impl Permit {
    fn acquire(account: &Arc<Account>, bytes: usize) -> Option<Self> {
        if !account.take(bytes) {
            account.full.store(true, Ordering::Relaxed);
            return None;
        }
        account.figures.queued_requests.add(1);
        account.figures.queued_bytes.add(bytes as u64);
        Some(Self { account: Arc::clone(account), bytes })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.account.figures.queued_requests.sub(1);
        self.account.figures.queued_bytes.sub(self.bytes as u64);
        self.account.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.account.requests.fetch_sub(1, Ordering::Relaxed);
        self.account.full.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
