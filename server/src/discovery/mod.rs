//! Scans out: what an agent found in its network, newest first, page by page; the newest alone; and what changed from
//! one to the next ([`changes`]).
//!
//! A page is read from one view of the store: what is in memory, then the files ([`files`]) from the newest day back,
//! until nothing older can be on it. Of each day first which scans there are ([`keys`]), all but their hosts; then the
//! hosts of those on the page ([`hosts`]), as the JSON text they were stored as, which goes out as it lies ([`told`]);
//! who asks only how many there were is spared that. Agent, timestamp, boot and seq together tell scans apart. A page
//! is bounded by scans and by what their hosts take ([`PAGE_BYTES_MAX`]); it has at least one scan.

pub mod changes;
mod files;
pub mod handler;
mod hosts;
mod keys;
mod page;
mod told;

pub use changes::ScanChanges;

use crate::{
    standing::Standing,
    storage::{Readers, Sqlite, StorageError, Wanted},
    tsdb::{Tsdb, TsdbError},
};
use pingup_protocol::{discovery::Host, ids::AgentId, time::Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Scans on a page, unless the asker says otherwise.
pub const PAGE_SCANS_DEFAULT: u64 = 10;
/// Scans on a page at most: a month of them, one every five minutes, and some.
pub const PAGE_SCANS_MAX: u64 = 10_000;
/// What the hosts on a page may take, bytes; a page ends with the scan that reaches it. One scan is at most as
/// large as a body, so a page is at most this and a body.
pub const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A scan as it is told.
#[derive(Clone, Debug, utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct FoundScan {
    /// When it began, by the agent's clock.
    pub timestamp: Timestamp,
    /// How long it took, milliseconds.
    pub duration: f64,
    /// How many hosts answered.
    pub host_count: u64,
    /// The networks that it looked at; left out where the agent does not say, and where only the number of hosts was asked
    /// for.
    #[schema(value_type = Option<Vec<String>>)]
    pub networks: Option<Box<str>>,
    /// They, in the order the agent gave them; left out where only their number was asked for.
    // As JSON text, like it was stored.
    #[schema(value_type = Option<Vec<Host>>)]
    pub hosts: Option<Box<str>>,
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
    /// With their hosts, or only how many they were.
    pub with_hosts: bool,
}

impl Range {
    /// Every scan, from the newest on.
    pub const ALL: Self = Self {
        from: Timestamp::from_micros(-i64::MAX),
        to: Timestamp::from_micros(i64::MAX),
        before: Place(i64::MAX, i64::MAX, i64::MAX),
        limit: 1,
        with_hosts: true,
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
    /// A file could not be read.
    #[error("a file of the history could not be read: {0}")]
    File(#[source] TsdbError),
    /// Hosts in a file that are no JSON array.
    #[error("the hosts of a scan in a file are not as they were written")]
    Unlike,
    /// Hosts could not be read or written as JSON.
    #[error("the hosts of a scan: {0}")]
    Hosts(#[from] serde_json::Error),
}

impl From<TsdbError> for DiscoveryError {
    fn from(error: TsdbError) -> Self {
        match error {
            TsdbError::Storage(error) => Self::Storage(error),
            other => Self::File(other),
        }
    }
}

/// The room.
pub struct Discovery {
    tsdb: Tsdb,
    readers: Readers,
    sqlite: Sqlite,
    standing: StandingOf,
}

impl Discovery {
    /// The room over what the ingest stored.
    pub const fn new(tsdb: Tsdb, readers: Readers, sqlite: Sqlite, standing: StandingOf) -> Self {
        Self { tsdb, readers, sqlite, standing }
    }

    /// A page of an agent's scans, newest first.
    pub async fn page(&self, agent: AgentId, range: Range) -> Result<Listing, DiscoveryError> {
        self.tell(agent, range, |page, _| Ok(page)).await
    }

    /// The same as JSON, written as it is read; `take` ends it in its turn, and is told where the next one begins.
    async fn tell_page<T, E>(
        &self,
        agent: AgentId,
        range: Range,
        take: impl FnOnce(told::Page, Option<Place>, &Wanted) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DiscoveryError> + From<StorageError> + Send + 'static,
    {
        let query = page::Query::new(self.tsdb.view(), agent, range);
        let write = move |wanted: &Wanted| {
            let mut page = told::Page::begin(range.limit);
            let next = query.run_each(PAGE_BYTES_MAX, wanted, |scan| page.push(scan))?;
            take(page, next, wanted)
        };
        self.readers.run(write).await
    }

    /// The same, told by `tell` in its turn.
    pub async fn tell<T, E>(
        &self,
        agent: AgentId,
        range: Range,
        tell: impl FnOnce(Listing, &Wanted) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DiscoveryError> + From<StorageError> + Send + 'static,
    {
        let query = page::Query::new(self.tsdb.view(), agent, range);
        self.readers.run(move |wanted| tell(query.run(PAGE_BYTES_MAX, wanted)?, wanted)).await
    }

    /// The same, with the scan before the page's last, whenever that was: of one view, and in one turn.
    pub async fn tell_beside<T, E>(
        &self,
        agent: AgentId,
        range: Range,
        tell: impl FnOnce(Listing, Option<FoundScan>, &Wanted) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DiscoveryError> + From<StorageError> + Send + 'static,
    {
        let view = self.tsdb.view();
        let beside = move |wanted: &Wanted| {
            let query = page::Query::new(Arc::clone(&view), agent.clone(), range);
            let page = query.run(PAGE_BYTES_MAX, wanted)?;
            let before =
                page.next.map(|before| page::Query::new(view, agent, Range { before, ..Range::ALL }));
            let before = before.map(|query| query.run(PAGE_BYTES_MAX, wanted)).transpose()?;
            tell(page, before.and_then(|mut listing| listing.items.pop()), wanted)
        };
        self.readers.run(beside).await
    }
}

#[cfg(test)]
mod tests;
