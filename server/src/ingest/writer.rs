//! The one thread that writes the history: takes what waits, commits it as one group, answers everyone in it.
//!
//! No timer: while a group is being committed the next one gathers, so groups grow with the load and a lone
//! sample waits for nobody. Everyone in a group hears the same fate of its commit. When that failed, or a panic
//! was caught, what is remembered is made anew from what is committed before the next group (`refresh`).

use super::{
    IngestError, Work,
    group::{self, Group},
    herald::Herald,
    marks::Marks,
    queue::{Outcome, Queue, Queued},
    store::Store,
    unnumbered::Newest,
};
use crate::{
    figures::Figures,
    latest::Latest,
    storage::{RECORD_BYTES_MAX, StorageError},
    tsdb::{TsdbError, rows::Rows},
};
use pingup_protocol::limits::{BATCH_BODY_BYTES_MAX, BATCH_SAMPLES_MAX};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

/// Rows at which a group takes in no more: by then the sync to disk is a small part of its time.
pub const GROUP_ROWS_MAX: usize = 20_000;
const _: () = assert!(GROUP_ROWS_MAX >= BATCH_SAMPLES_MAX, "a lone full batch is a group, not more than one");
/// Memory ([`Work::bytes`]) at which a group takes in no more, whatever the queue may hold: rows may be large.
pub const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a record for each byte of a body, at most; the densest bodies come to less than two.
pub(super) const RECORD_BYTES_PER_BODY_BYTE: usize = 4;
// A job takes no more in a record than in memory, and the last one of a group may be the largest there is.
const _: () = assert!(
    GROUP_BYTES_MAX + RECORD_BYTES_PER_BODY_BYTE * BATCH_BODY_BYTES_MAX <= RECORD_BYTES_MAX,
    "a group must fit a record"
);

/// Why the writer did not start.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// The marks could not be read.
    #[error("the marks of what was committed cannot be read: {0}")]
    Marks(#[from] TsdbError),
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
        let mut committer = Committer {
            store,
            marks: Marks::default(),
            newest: Newest::default(),
            stale: true,
            failing: false,
            looks_failing: false,
            latest,
            figures,
            herald: Herald::start(),
        };
        committer.refresh()?;
        let taken_from = Arc::clone(&queue);
        let (attaching, attached) = sync_channel::<()>(0);
        let run = move || committer.run(&taken_from, attaching);
        let thread = thread::Builder::new().name("ingest-writer".to_owned()).spawn(run)?;
        // Until it is at the queue the hub is not well, and must not say that it is ready. A thread that ends
        // instead has told why, and ends this wait too.
        let _ = attached.recv();
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
    /// What is remembered may not be what is on disk.
    stale: bool,
    /// The last group was not committed.
    failing: bool,
    /// The last look into files failed.
    looks_failing: bool,
    latest: Arc<Latest>,
    figures: Arc<Figures>,
    herald: Herald,
}

impl<S: Store> Committer<S> {
    fn run(mut self, queue: &Queue, attaching: SyncSender<()>) {
        let Some(taker) = queue.attach() else {
            tracing::error!("a second writer on one queue; it ends, the first goes on");
            return;
        };
        drop(attaching);
        while let Some(taken) = taker.take(GROUP_ROWS_MAX, GROUP_BYTES_MAX) {
            self.serve(taken);
        }
    }

    /// Commits a group and answers everyone in it.
    fn serve(&mut self, taken: Vec<Queued>) {
        // What a panic leaves half done is marked stale below, and read again.
        let committed =
            catch_unwind(AssertUnwindSafe(|| self.commit(taken.iter().map(|queued| &queued.work))));
        let outcomes = match committed {
            Ok(Ok(outcomes)) => {
                self.succeeded();
                outcomes
            }
            Ok(Err(error)) => self.failed(taken.len(), &error),
            Err(_panic) => self.failed(taken.len(), &StorageError::Panicked.into()),
        };
        self.herald.tell(taken, outcomes);
    }

    /// Tells a change from working to failing or back, and nothing else: a full disk fails every group.
    fn failed(&mut self, requests: usize, error: &TsdbError) -> Vec<Outcome> {
        if !self.failing {
            tracing::error!(%error, requests, "a group could not be committed; told again when one is");
        }
        self.failing = true;
        self.stale = true;
        self.figures.failed_batches.add(1);
        vec![Err(IngestError::NotCommitted); requests]
    }

    /// Tells the first look into files that fails, until one does not: who needed it comes back and looks again.
    fn looked(&mut self, group: &Group<'_>) {
        match &group.failed_look {
            Some(error) if !self.looks_failing => {
                tracing::error!(%error, "a late sample without numbers could not be looked for in files");
                self.looks_failing = true;
            }
            None if group.file_looks > 0 => self.looks_failing = false,
            _ => {}
        }
    }

    fn succeeded(&mut self) {
        if self.failing {
            tracing::info!("groups are committed again");
        }
        self.failing = false;
    }

    fn commit<'a>(&mut self, works: impl Iterator<Item = &'a Work>) -> Result<Vec<Outcome>, TsdbError> {
        self.refresh()?;
        let group = group::decide(works, &self.marks, &self.newest, self.store.lookup());
        self.looked(&group);
        if !group.rows.is_empty() {
            let begun = Instant::now();
            self.store.append(&group.rows)?;
            self.figures.commit_seconds.observe(begun.elapsed());
            self.figures.batches.add(1);
        }
        self.marks.adopt(group.marks);
        self.newest.adopt(group.newest);
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
        self.figures.points.add(rows.points.iter().map(|points| points.len() as u64).sum());
        self.figures.gaps.add(gaps);
        for stored in outcomes.iter().flatten() {
            self.figures.duplicates.add(stored.duplicates);
            self.figures.expired.add(stored.expired);
            self.figures.rejected.add(stored.rejected.len() as u64);
        }
    }

    /// Reads from disk again what is remembered, if that may differ.
    fn refresh(&mut self) -> Result<(), TsdbError> {
        if self.stale {
            self.marks = Marks::from_rows(self.store.load_marks()?);
            self.newest = Newest::default();
            self.latest.unsettle();
            self.stale = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
