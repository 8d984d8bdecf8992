//! The two threads that keep the history in order beside the traffic: one seals, one merges, lets go and
//! tidies up. Sealing has a thread of its own, for writers wait when it falls behind.
//!
//! Both give way to those who answer. What fails is told once, tried again after a pause, in turns with what else is to
//! be done, and told when all of it works again; how they do is told by [`Tsdb::keeping`]. What fails of merging and
//! letting go has a pause of its own that grows ([`super::attempts`]).

use super::{Tsdb, TsdbError, condition::Job};
use crate::storage::{DataFolder, StorageError, give_way};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// The pause after something failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often merging and retention look whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How much the threads give way (`nice`), 0 to 19.
const NICENESS: i32 = 10;

/// The running threads. Dropping it is [`Keeper::stop`].
#[derive(Debug)]
pub struct Keeper {
    tsdb: Tsdb,
    ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Keeper {
    /// Starts both threads.
    pub fn start(tsdb: Tsdb, folder: DataFolder) -> io::Result<Self> {
        let ending = Arc::new(AtomicBool::new(false));
        let mut keeper = Self { tsdb: tsdb.clone(), ending, threads: Vec::new() };
        let sealing = tsdb.clone();
        keeper.spawn("history-seal", Job::Seal, move |ending| {
            let waiting = || sealing.has_to_seal() || ending.load(Ordering::Acquire);
            sealing.0.signal.wait_for(LOOK_EVERY, waiting);
            sealing.leave_aged()?;
            sealing.seal_oldest()
        })?;
        keeper.spawn("history-merge", Job::Merge, move |ending| {
            // What one of them fails at, say a damaged file, must not keep the others from giving room.
            let (merged, let_go) = (apart(|| tsdb.compact_once()), apart(|| tsdb.retain_once()));
            tsdb.collect_garbage(&folder)?;
            let worked = merged? | let_go?;
            if !worked {
                tsdb.0.signal.wait_for(LOOK_EVERY, || ending.load(Ordering::Acquire));
            }
            Ok(worked)
        })?;
        Ok(keeper)
    }

    /// Ends both threads, what they are at included: whatever is not finished is done after the next start.
    pub fn stop(mut self) {
        self.end();
    }

    fn spawn(
        &mut self,
        name: &str,
        job: Job,
        mut step: impl FnMut(&AtomicBool) -> Result<bool, TsdbError> + Send + 'static,
    ) -> io::Result<()> {
        let (ending, tsdb) = (Arc::clone(&self.ending), self.tsdb.clone());
        let run = move || {
            give_way(NICENESS);
            let mut failing = false;
            while !ending.load(Ordering::Acquire) {
                let stepped = catch_unwind(AssertUnwindSafe(|| step(&ending)));
                match stepped.unwrap_or_else(|_panic| Err(StorageError::Panicked.into())) {
                    Ok(_) if job == Job::Merge && !tsdb.is_tidy() => {}
                    Ok(_) => {
                        tsdb.0.condition.well(job, tsdb.0.clock.now());
                        if failing {
                            tracing::info!("the history is put in order again");
                        }
                        failing = false;
                    }
                    Err(error) => {
                        if !failing && !ending.load(Ordering::Acquire) {
                            tracing::error!(%error, "the history could not be put in order; it is tried again");
                        }
                        failing = true;
                        tsdb.0.signal.wait_for(RETRY_AFTER, || ending.load(Ordering::Acquire));
                    }
                }
            }
        };
        self.threads.push(thread::Builder::new().name(name.to_owned()).spawn(run)?);
        Ok(())
    }

    fn end(&mut self) {
        self.ending.store(true, Ordering::Release);
        self.tsdb.0.signal.tell();
        self.tsdb.0.engine.interrupt_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that keeps the history had panicked");
            }
        }
    }
}

/// Takes a step whose panic is its own: what is done beside it goes on.
fn apart(step: impl FnOnce() -> Result<bool, TsdbError>) -> Result<bool, TsdbError> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_panic| Err(StorageError::Panicked.into()))
}

impl Tsdb {
    /// Whether nothing failed that waits to be tried again.
    fn is_tidy(&self) -> bool {
        self.0.merging.is_empty() && self.0.letting_go.is_empty()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests;
