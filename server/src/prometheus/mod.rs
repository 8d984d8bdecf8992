//! The history as Prometheus would have it: series of labels and samples, and questions about them in PromQL.
//!
//! # The story
//! Nothing is stored twice. A question takes a [`Source`]: one view of the history and the agents of one moment.
//! [`names`] says which measurement is which metric, [`agents`] what a series is called, and the source reads what a
//! query selects straight from head and parts, an agent at a time, each row exactly once. What does not change from
//! question to question is remembered ([`index`]). Series that others write ([`written`]) are answered beside the agents'.
//! The language itself is the library's, `pingup_promql`.
//!
//! # Promises
//! A question runs on the readers' threads, in a turn that it waits for as every question about the history does, and
//! ends when nobody waits for it any more. What it may cost has bounds ([`limits`]), whatever is remembered too.

pub mod agents;
pub mod handler;
mod index;
pub mod names;
mod source;
mod written;

pub use agents::Agent;
pub use index::INDEX_BYTES_MAX;
pub use names::Metadata;
pub use source::{Found, Heads, InOrder, Source};
pub use written::{Counted, Written};

use crate::{
    clock::Clock,
    storage::{Outbox, Readers, Sqlite, StorageError, Wanted},
    tsdb::Tsdb,
};
use agents::{People, millis};
use index::Index;
use pingup_promql::{Cancel, Claim, Limits, Spare};
use rusqlite::Connection;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long one query may take: less than the turn that it takes, so that it ends by its own words.
pub const QUERY_TIME_MAX: Duration = Duration::from_secs(25);

/// What one query may keep at once, in points of 8 bytes: 24 MiB. A thousand agents' two days by the minute are 2.9 million.
pub const QUERY_POINTS_MAX: u64 = 3 * 1024 * 1024;
/// What each keeps of these without asking: 8 MiB, a thousand agents at a thousand steps. Beyond it goes
/// one at a time, so that two, which is how many have a turn, keep 60 MiB together, whatever they read.
pub const QUERY_OWN_POINTS: u64 = QUERY_POINTS_MAX / 3;

/// The same together with what is read and not handed over yet, one agent's or series' numbers and pages of files: 52 MiB. A
/// month by the second of one measurement is 5.2 million.
pub const QUERY_HELD_MAX: u64 = 13 * 512 * 1024;

/// What one query may cost here.
pub const fn limits() -> Limits {
    Limits {
        samples: 50_000_000,
        series: 100_000,
        points: QUERY_POINTS_MAX,
        held: QUERY_HELD_MAX,
        steps: 11_000,
        time: QUERY_TIME_MAX,
    }
}

/// What this room needs of others.
#[derive(Clone, Copy, Debug)]
pub struct Neighbours {
    /// A number that changes with whatever `agents` tells.
    pub version: fn(&Connection) -> rusqlite::Result<i64>,
    /// Every agent that the records know, removed ones too; at most [`agents::AGENTS_MAX`].
    pub agents: fn(&Connection) -> rusqlite::Result<Vec<Agent>>,
}

/// The room.
pub struct Prometheus {
    tsdb: Tsdb,
    readers: Readers,
    sqlite: Sqlite,
    clock: Clock,
    neighbours: Neighbours,
    index: Arc<Index>,
    written: Arc<dyn Written>,
    /// Points beyond what each query keeps by itself.
    spare: Spare,
    /// The agents as they were at a version of the records.
    people: Mutex<Option<(i64, Arc<People>)>>,
}

/// Tells a query that nobody waits for it any more.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Prometheus {
    /// The room over what the ingest stored, over the agents in the records, and over series that others write.
    pub fn new(
        tsdb: Tsdb,
        readers: Readers,
        sqlite: Sqlite,
        clock: Clock,
        neighbours: Neighbours,
        written: Arc<dyn Written>,
    ) -> Self {
        let index = Arc::default();
        let spare = Spare::new(QUERY_OWN_POINTS);
        Self { tsdb, readers, sqlite, clock, neighbours, index, written, spare, people: Mutex::default() }
    }

    /// The moment that a query is about which names none, in milliseconds.
    fn now_ms(&self) -> i64 {
        millis(self.clock.now().as_micros())
    }

    /// A query's claim to points that it shares with others.
    fn claim(&self) -> Claim {
        self.spare.claim()
    }

    /// Where long answers take room.
    const fn outbox(&self) -> &Outbox {
        self.readers.outbox()
    }

    /// Answers by `work` on a thread where it may block, in its turn. Once the future is dropped (the client hung up)
    /// the [`Cancel`], which a query's options take, says so.
    ///
    /// # Errors
    /// [`StorageError::Busy`] where no turn came, [`StorageError::Timeout`] where it took longer than a turn may; and
    /// whatever `work` says.
    pub async fn ask<T, E>(
        &self,
        work: impl FnOnce(&Source, &Cancel, &Wanted) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let people = self.people().await?;
        let (index, now_ms) = (Arc::clone(&self.index), self.now_ms());
        let written = Arc::clone(&self.written);
        let view = self.tsdb.view();
        let cancel = Cancel::default();
        let _told = CancelOnDrop(cancel.clone());
        let asked = move |wanted: &Wanted| {
            let source = Source::new(view, people, index, written, wanted.clone(), now_ms);
            work(&source, &cancel, wanted)
        };
        self.readers.run(asked).await
    }

    /// Everybody, read anew where the records changed since.
    async fn people(&self) -> Result<Arc<People>, StorageError> {
        let known = self.people.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Neighbours { version, agents } = self.neighbours;
        let read = move |connection: &Connection| {
            // The version first: who comes between the two is read again next time.
            let version = version(connection)?;
            Ok::<_, StorageError>(match known {
                Some(known) if known.0 == version => known,
                _ => (version, Arc::new(People::new(agents(connection)?))),
            })
        };
        let (version, people) = self.sqlite.read(read).await?;
        *self.people.lock().unwrap_or_else(PoisonError::into_inner) = Some((version, Arc::clone(&people)));
        Ok(people)
    }
}

#[cfg(test)]
mod tests;
