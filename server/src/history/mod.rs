//! Metrics out: an agent's raw rows, or buckets of them, page by page; and its newest sample.
//!
//! A question is planned ([`plan`]) before anything is asked of DuckDB, so that what one request can cost has
//! bounds: rows and buckets a page, buckets a range, measurements a page. `store` asks, `table` writes
//! CSV. What an agent left behind stays readable after its removal; only an id that never was is not found.

pub mod handler;
pub mod plan;
mod store;
mod table;

pub use store::note;

use crate::{
    clock::Clock,
    latest::Latest,
    standing::Standing,
    storage::{Duck, Sqlite},
};
use pingup_protocol::{limits::MEASUREMENTS_MAX, metrics::Measurements, time::Timestamp};
use plan::Place;
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::sync::Arc;

/// Measurements on one page, whatever the rows: an agent may send 68 with each. The page ends early then.
pub const PAGE_MEASUREMENTS_MAX: usize = 200_000;

const _: () =
    assert!(PAGE_MEASUREMENTS_MAX > MEASUREMENTS_MAX + plan::OWN_COLUMNS.len(), "a page holds a row");

/// A sample as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Row {
    /// When it was measured, by the agent's clock.
    pub timestamp: Timestamp,
    /// The agent's word for how its machine does.
    pub status: String,
    /// What was measured; what was not is left out.
    pub metrics: Measurements,
}

/// What was measured from `start` on, for as long as the step is.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Bucket {
    /// Its beginning, a multiple of the step since 1970.
    pub start: Timestamp,
    /// Samples in it.
    pub count: u64,
    /// Each measurement by name.
    #[schema(value_type = BTreeMap<String, Aggregate>)]
    pub metrics: Aggregates,
}

/// Measurements by name: cpu, ram, disk and latency first, the others sorted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregates(pub Vec<(String, Aggregate)>);

/// What became of one measurement in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Aggregate {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The mean.
    pub avg: f64,
    /// The newest.
    pub last: f64,
}

impl Serialize for Aggregates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, aggregate) in &self.0 {
            map.serialize_entry(name, aggregate)?;
        }
        map.end()
    }
}

/// A page of an answer, and where the next one begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The last place on it, if there is more.
    pub next: Option<Place>,
}

/// Where an agent id stands, as the registry knows.
pub type StandingOf = fn(&rusqlite::Connection, &str) -> rusqlite::Result<Standing>;

/// The room.
pub struct History {
    duck: Duck,
    sqlite: Sqlite,
    clock: Clock,
    latest: Arc<Latest>,
    standing: StandingOf,
}

impl History {
    /// The room over what the ingest stored.
    pub const fn new(
        duck: Duck,
        sqlite: Sqlite,
        clock: Clock,
        latest: Arc<Latest>,
        standing: StandingOf,
    ) -> Self {
        Self { duck, sqlite, clock, latest, standing }
    }
}

#[cfg(test)]
mod tests;
