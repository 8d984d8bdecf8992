//! The one thread that writes the history: takes what waits, commits it as one group, answers everyone in it.
//!
//! No timer: while a group is being committed the next one gathers, so groups grow with the load and a lone
//! sample waits for nobody. Everyone in a group hears the same fate of its commit. When that failed, or a panic
//! was caught, what is remembered is read from disk again before the next group (`refresh`): only
//! the disk knows whether a commit that was reported as failed took place.

use super::{
    IngestError, Job,
    group::{self, Rows},
    marks::Marks,
    queue::{Outcome, Queue, Queued},
    store::Store,
    unnumbered::Newest,
};
use crate::{figures::Figures, latest::Latest, storage::StorageError};
use pingup_protocol::limits::BATCH_SAMPLES_MAX;
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Instant,
};

/// Rows at which a group takes in no more: by then the sync to disk is a small part of its time.
pub const GROUP_ROWS_MAX: usize = 20_000;
/// Rows of the log of marks at which it is compacted: some 20 MB, read in a fraction of a second at start.
pub const MARK_LOG_ROWS_MAX: u64 = 500_000;
/// A log is not compacted before it is so many times what would be left of it.
const MARK_LOG_GAIN_MIN: u64 = 4;

const _: () = assert!(GROUP_ROWS_MAX >= BATCH_SAMPLES_MAX, "a lone full batch is a group, not more than one");

/// Why the writer did not start.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// The marks could not be read.
    #[error("the marks of what was committed cannot be read: {0}")]
    Marks(#[from] StorageError),
    /// There is no thread to be had.
    #[error("the ingest's thread cannot be started: {0}")]
    Thread(#[from] io::Error),
}

/// The running writer. Dropping it is [`Writer::stop`].
#[derive(Debug)]
pub struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Reads the marks (blocking) and starts the thread that commits what comes through `queue`.
    pub fn start(
        queue: Arc<Queue>,
        store: impl Store,
        latest: Arc<Latest>,
        figures: Arc<Figures>,
    ) -> Result<Self, WriterError> {
        Self::start_bounded(queue, store, latest, figures, MARK_LOG_ROWS_MAX)
    }

    fn start_bounded(
        queue: Arc<Queue>,
        store: impl Store,
        latest: Arc<Latest>,
        figures: Arc<Figures>,
        log_rows_max: u64,
    ) -> Result<Self, WriterError> {
        let mut committer = Committer {
            store,
            marks: Marks::default(),
            newest: Newest::default(),
            log_rows: 0,
            log_rows_max,
            stale: true,
            failing: false,
            latest,
            figures,
        };
        committer.refresh()?;
        let taken_from = Arc::clone(&queue);
        let run = move || committer.run(&taken_from);
        let thread = thread::Builder::new().name("ingest-writer".to_owned()).spawn(run)?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Takes no more in, commits and answers what is there, and waits (blocking) until that is done.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the ingest's thread had panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the thread works with.
struct Committer<S> {
    store: S,
    marks: Marks,
    newest: Newest,
    log_rows: u64,
    log_rows_max: u64,
    /// What is remembered may not be what is on disk.
    stale: bool,
    /// The last group was not committed.
    failing: bool,
    latest: Arc<Latest>,
    figures: Arc<Figures>,
}

impl<S: Store> Committer<S> {
    fn run(mut self, queue: &Queue) {
        let Some(taker) = queue.attach() else {
            tracing::error!("a second writer on one queue; it ends, the first goes on");
            return;
        };
        while let Some(taken) = taker.take(GROUP_ROWS_MAX) {
            self.serve(taken);
            self.compact_if_long();
        }
    }

    /// Commits a group and answers everyone in it.
    fn serve(&mut self, taken: Vec<Queued>) {
        // What a panic leaves half done is marked stale below, and read again.
        let committed =
            catch_unwind(AssertUnwindSafe(|| self.commit(taken.iter().map(|queued| &queued.job))));
        let outcomes = match committed {
            Ok(Ok(outcomes)) => {
                self.succeeded();
                outcomes
            }
            Ok(Err(error)) => self.failed(taken.len(), &error),
            Err(_panic) => self.failed(taken.len(), &StorageError::Panicked),
        };
        taken.into_iter().zip(outcomes).for_each(|(queued, outcome)| queued.answer(outcome));
    }

    /// Tells a change from working to failing or back, and nothing else: a full disk fails every group.
    fn failed(&mut self, requests: usize, error: &StorageError) -> Vec<Outcome> {
        if !self.failing {
            tracing::error!(%error, requests, "a group could not be committed; told again when one is");
        }
        self.failing = true;
        self.stale = true;
        self.figures.failed_batches.add(1);
        vec![Err(IngestError::NotCommitted); requests]
    }

    fn succeeded(&mut self) {
        if self.failing {
            tracing::info!("groups are committed again");
        }
        self.failing = false;
    }

    fn commit<'a>(&mut self, jobs: impl Iterator<Item = &'a Job>) -> Result<Vec<Outcome>, StorageError> {
        self.refresh()?;
        let group = group::decide(jobs, &self.marks, &self.newest, &mut self.store)?;
        if !group.rows.is_empty() {
            let begun = Instant::now();
            self.store.append(&group.rows)?;
            self.figures.commit_seconds.observe(begun.elapsed());
            self.figures.batches.add(1);
        }
        self.marks.adopt(group.marks);
        self.newest.adopt(group.newest);
        self.log_rows += group.rows.marks.len() as u64;
        self.tell(&group.rows);
        self.count(&group.rows, &group.outcomes, group.gaps);
        Ok(group.outcomes)
    }

    fn tell(&self, rows: &Rows<'_>) {
        // A batch's samples stand side by side: its newest is enough.
        for run in rows.samples.chunk_by(|a, b| a.origin.agent_id == b.origin.agent_id) {
            if let Some(row) = run.iter().max_by_key(|row| row.origin.timestamp) {
                self.latest.offer(row.origin.agent_id, row.origin.timestamp, row.status, row.metrics);
            }
        }
    }

    fn count(&self, rows: &Rows<'_>, outcomes: &[Outcome], gaps: u64) {
        self.figures.samples.add(rows.samples.len() as u64);
        self.figures.scans.add(rows.scans.len() as u64);
        self.figures.gaps.add(gaps);
        for stored in outcomes.iter().flatten() {
            self.figures.duplicates.add(stored.duplicates);
            self.figures.expired.add(stored.expired);
            self.figures.rejected.add(stored.rejected.len() as u64);
        }
    }

    /// Reads from disk again what is remembered, if that may differ.
    fn refresh(&mut self) -> Result<(), StorageError> {
        if self.stale {
            let log = self.store.load_marks()?;
            self.marks = Marks::from_log(log.marks);
            self.newest = Newest::default();
            self.latest.unsettle();
            self.log_rows = log.rows;
            self.stale = false;
        }
        Ok(())
    }

    /// Between groups, when nobody waits for it: keeps the log of marks from growing for ever.
    fn compact_if_long(&mut self) {
        let least = self.log_rows_max.max(MARK_LOG_GAIN_MIN * self.marks.streams() as u64);
        if self.stale || self.log_rows < least {
            return;
        }
        let marks: Vec<_> = self.marks.rows().collect();
        match self.store.compact_marks(&marks) {
            Ok(()) => self.log_rows = marks.len() as u64,
            Err(error) => {
                tracing::warn!(%error, "the log of marks could not be compacted; it is tried again");
                self.stale = true;
            }
        }
    }
}

#[cfg(test)]
mod tests;
