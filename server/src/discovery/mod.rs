//! Scans out: what an agent found in its network, newest first, page by page; and the newest alone.
//!
//! A page is read in two steps from one view of the store. First, which scans: their moments and numbers alone,
//! from the newest days back until there are enough. Then the hosts of those, as the JSON text they were stored
//! as. Agent, timestamp, boot and seq together tell scans apart. A page is bounded by scans and by what their
//! hosts take ([`PAGE_BYTES_MAX`]); it has at least one scan.

pub mod changes;
pub mod handler;
mod hosts;
mod keys;
mod page;

pub use changes::ScanChanges;

use crate::{
    standing::Standing,
    storage::{Duck, Sqlite, StorageError},
    tsdb::Tsdb,
};
use pingup_protocol::{discovery::Host, ids::AgentId, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Scans on a page, unless the asker says otherwise.
pub const PAGE_SCANS_DEFAULT: u64 = 10;
/// Scans on a page at most.
pub const PAGE_SCANS_MAX: u64 = 100;
/// What the hosts on a page may take, bytes; a page ends with the scan that reaches it. One scan is at most as
/// large as a body, so a page is at most this and a body.
pub const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A scan as it is told.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct FoundScan {
    /// When it began, by the agent's clock.
    pub timestamp: Timestamp,
    /// How long it took, milliseconds.
    pub duration: f64,
    /// The hosts that answered, in the order the agent gave them.
    #[schema(value_type = Vec<Host>)]
    pub hosts: Box<RawValue>,
}

/// A place in an agent's scans: timestamp in microseconds, boot and seq (−1 where it has none). Travels as a
/// cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place(i64, i64, i64);

/// Which scans are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Not before this.
    pub from: Timestamp,
    /// Before this.
    pub to: Timestamp,
    /// Before this place.
    pub before: Place,
    /// How many.
    pub limit: usize,
}

impl Range {
    /// Every scan, from the newest on.
    pub const ALL: Self = Self {
        from: Timestamp::from_micros(-i64::MAX),
        to: Timestamp::from_micros(i64::MAX),
        before: Place(i64::MAX, i64::MAX, i64::MAX),
        limit: 1,
    };
}

/// A page of scans, and where the next one begins.
#[derive(Clone, Debug)]
pub struct Listing {
    /// What is on it.
    pub items: Vec<FoundScan>,
    /// The last place on it, if there is more.
    pub next: Option<Place>,
}

/// Where an agent id stands, as the registry knows.
pub type StandingOf = fn(&rusqlite::Connection, &str) -> rusqlite::Result<Standing>;

/// Why scans could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// An answer's columns are not those that were asked for.
    #[error("the engine answered other columns than were asked for")]
    Columns,
    /// Hosts could not be read or written as JSON.
    #[error("the hosts of a scan: {0}")]
    Hosts(#[from] serde_json::Error),
}

impl From<duckdb::Error> for DiscoveryError {
    fn from(error: duckdb::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// The room.
pub struct Discovery {
    tsdb: Tsdb,
    engine: Duck,
    sqlite: Sqlite,
    standing: StandingOf,
}

impl Discovery {
    /// The room over what the ingest stored.
    pub const fn new(tsdb: Tsdb, engine: Duck, sqlite: Sqlite, standing: StandingOf) -> Self {
        Self { tsdb, engine, sqlite, standing }
    }

    /// A page of an agent's scans, newest first; where no file can hold any, DuckDB is not asked.
    pub async fn page(&self, agent: AgentId, range: Range) -> Result<Listing, DiscoveryError> {
        let query = page::Query::new(self.tsdb.view(), agent, range);
        if query.reads_files() {
            return self.engine.read(move |connection| query.run(Some(connection), PAGE_BYTES_MAX)).await;
        }
        self.engine.readers().run(move |_| query.run(None, PAGE_BYTES_MAX)).await
    }
}

#[cfg(test)]
mod tests;
