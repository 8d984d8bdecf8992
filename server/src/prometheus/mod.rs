//! The history as Prometheus would have it: series of labels and samples, and questions about them in PromQL.
//!
//! # The story
//! Nothing is stored twice. A question takes a [`Source`]: one view of the history and the agents of one moment.
//! [`names`] says which measurement is which metric, [`agents`] what a series is called, and the source reads what a
//! query selects straight from head and parts, an agent at a time, each row exactly once. The language itself is the
//! library's, `pingup_promql`.
//!
//! # Promises
//! A question runs on the readers' threads, in a turn that it waits for as every question about the history does, and
//! ends when nobody waits for it any more. What it may cost has bounds ([`limits`]).

pub mod agents;
pub mod handler;
pub mod names;
mod source;

pub use agents::{Agent, AgentsOf};
pub use names::Metadata;
pub use source::{Heads, Source};

use crate::{
    clock::Clock,
    storage::{Outbox, Readers, Sqlite, StorageError, Wanted},
    tsdb::Tsdb,
};
use agents::People;
use pingup_promql::{Cancel, Limits};
use std::{sync::Arc, time::Duration};

/// How long one query may take: less than the turn that it takes, so that it ends by its own words.
pub const QUERY_TIME_MAX: Duration = Duration::from_secs(25);

/// What one query may cost here. Points are kept while it is computed, 8 bytes each.
pub const fn limits() -> Limits {
    Limits { samples: 50_000_000, series: 100_000, points: 4_000_000, steps: 11_000, time: QUERY_TIME_MAX }
}

/// The room.
pub struct Prometheus {
    tsdb: Tsdb,
    readers: Readers,
    sqlite: Sqlite,
    clock: Clock,
    agents: AgentsOf,
}

/// Tells a query that nobody waits for it any more.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Prometheus {
    /// The room over what the ingest stored, and over the agents that `agents` reads from the records.
    pub fn new(tsdb: Tsdb, readers: Readers, sqlite: Sqlite, clock: Clock, agents: AgentsOf) -> Self {
        Self { tsdb, readers, sqlite, clock, agents }
    }

    /// The moment that a query is about which names none, in milliseconds.
    fn now_ms(&self) -> i64 {
        self.clock.now().as_micros().div_euclid(1_000)
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
        let agents = self.agents;
        let people = self.sqlite.read(move |connection| Ok::<_, StorageError>(agents(connection)?)).await?;
        let people = Arc::new(People::new(people));
        let view = self.tsdb.view();
        let cancel = Cancel::default();
        let told = CancelOnDrop(cancel.clone());
        let ask = move |wanted: &Wanted| work(&Source::new(view, people, wanted.clone()), &cancel, wanted);
        let answer = self.readers.run(ask).await;
        drop(told);
        answer
    }
}
