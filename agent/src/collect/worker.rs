//! The thread that sources are measured on. One that hangs keeps it; whoever waits gives both up and starts another.
//! It ends when nobody has work for it any more and what it was given has come back.

use super::Source;
use pingup_protocol::metrics::Measurements;
use std::{io, sync::mpsc, thread};
use tokio::sync::oneshot;

/// Bytes of its stack: sources read small files.
const STACK_BYTES: usize = 256 * 1024;

/// The thread.
pub(super) struct Worker {
    jobs: mpsc::Sender<Job>,
}

struct Job {
    source: Box<dyn Source>,
    done: oneshot::Sender<Done>,
}

/// A source that was measured.
pub(super) struct Done {
    pub(super) source: Box<dyn Source>,
    /// What it found.
    pub(super) found: Measurements,
    /// Whether that is all.
    pub(super) result: Result<(), String>,
}

impl Worker {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, given) = mpsc::channel::<Job>();
        let work = move || {
            for Job { mut source, done } in given {
                let mut found = Measurements::default();
                let result = source.measure(&mut found);
                // Nobody is there any more when the agent ends.
                let _ = done.send(Done { source, found, result });
            }
        };
        thread::Builder::new().name("collect".to_owned()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Self { jobs })
    }

    /// Has `source` measured; closed without a word if it panics.
    pub(super) fn measure(&self, source: Box<dyn Source>) -> oneshot::Receiver<Done> {
        let (done, waiting) = oneshot::channel();
        // A thread that is gone closes the channel as well.
        let _ = self.jobs.send(Job { source, done });
        waiting
    }
}
