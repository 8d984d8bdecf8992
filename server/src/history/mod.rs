//! Metrics out: an agent's raw rows, or buckets of them, page by page; its newest sample; the fleet's buckets, and
//! the agents that stand out.
//!
//! A question is planned ([`plan`]) before anything is read, so that what one request can cost has bounds: rows
//! and buckets a page, buckets a range, measurements a page. Each answer is read from one [view](crate::tsdb::View) of the store:
//! files batch by batch, memory in place ([`sources`]), every sample once. [`table`] writes CSV, [`frame`] Arrow and Parquet. What an agent left behind stays readable after
//! its removal; only an id that never was is not found.

mod buckets;
mod frame;
pub mod handler;
mod newest;
pub mod plan;
mod rows;
mod sources;
mod table;
mod top;

pub use newest::note;
pub use top::TopAgent;

use crate::{
    clock::Clock,
    latest::Latest,
    standing::Standing,
    storage::{Readers, Sqlite, StorageError, Wanted},
    tsdb::{Tier, Tsdb, TsdbError, rollup},
};
use arrow::error::ArrowError;
use pingup_protocol::{ids::AgentId, limits::MEASUREMENTS_MAX, metrics::Measurements, time::Timestamp};
use plan::{BucketsPlan, Place, PlanError, RowsPlan, TopPlan};
use serde::{Serialize, Serializer, ser::SerializeMap};
use sources::fleet::FleetRollups;
use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

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
    /// What was measured; what was not is left out. In tables (CSV, Arrow, Parquet) a column each, by its name; one called
    /// `status` or `timestamp` has the column `metrics.status` or `metrics.timestamp`.
    pub metrics: Measurements,
}

/// What was measured from `start` on, for as long as the step is.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Bucket {
    /// Its beginning, a multiple of the step since 1970.
    pub start: Timestamp,
    /// Samples in it.
    pub count: u64,
    /// Each measurement by name. In tables five columns each: `_min`, `_max`, `_avg`, `_last` and `_count` behind its name.
    #[schema(value_type = BTreeMap<String, Aggregate>)]
    pub metrics: Aggregates,
}

/// Measurements by name: cpu, ram, disk and latency first, the others sorted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregates(pub Vec<(Cow<'static, str>, Aggregate)>);

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
    /// Samples that had it.
    pub count: u64,
}

impl From<&rollup::Aggregate> for Aggregate {
    fn from(sum: &rollup::Aggregate) -> Self {
        Self { min: sum.min, max: sum.max, avg: sum.avg(), last: sum.last, count: sum.count }
    }
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

/// The tiers that an answer was read from, sorted by name; memory counts as raw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tiers(BTreeSet<&'static str>);

impl Tiers {
    /// Samples alone.
    fn raw() -> Self {
        Self([Tier::Raw.as_str()].into())
    }

    fn note(&mut self, tier: Tier) {
        self.0.insert(tier.as_str());
    }

    /// Their names, separated by commas.
    pub fn joined(&self) -> String {
        self.0.iter().copied().collect::<Vec<_>>().join(",")
    }
}

/// A page of an answer, where the next one begins, and where it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The last place on it, if there is more.
    pub next: Option<Place>,
    /// Where it comes from.
    pub tiers: Tiers,
}

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The question has to be asked otherwise.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file could not be read.
    #[error("a file of the history could not be read: {0}")]
    File(#[source] TsdbError),
}

impl From<TsdbError> for HistoryError {
    fn from(error: TsdbError) -> Self {
        match error {
            TsdbError::Storage(error) => Self::Storage(error),
            other => Self::File(other),
        }
    }
}

impl From<ArrowError> for HistoryError {
    fn from(error: ArrowError) -> Self {
        Self::File(error.into())
    }
}

/// Where an agent id stands, as the registry knows.
pub type StandingOf = fn(&rusqlite::Connection, &str) -> rusqlite::Result<Standing>;

/// The room.
pub struct History {
    tsdb: Tsdb,
    readers: Readers,
    sqlite: Sqlite,
    clock: Clock,
    latest: Arc<Latest>,
    standing: StandingOf,
    fleet: Arc<FleetRollups>,
}

impl History {
    /// The room over what the ingest stored.
    pub fn new(
        tsdb: Tsdb,
        readers: Readers,
        sqlite: Sqlite,
        clock: Clock,
        latest: Arc<Latest>,
        standing: StandingOf,
    ) -> Self {
        Self { tsdb, readers, sqlite, clock, latest, standing, fleet: Arc::default() }
    }

    /// A page of an agent's raw rows, oldest first, told by `tell` in its turn.
    pub async fn rows<T, E>(
        &self,
        agent: AgentId,
        plan: RowsPlan,
        tell: impl FnOnce(Listing<Row>, &Wanted) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<HistoryError> + From<StorageError> + Send + 'static,
    {
        let query = rows::Query::new(self.tsdb.view(), agent, plan);
        self.readers.run(move |wanted| tell(query.run(wanted)?, wanted)).await
    }

    /// A page of buckets, oldest first, of an agent or of all, told by `tell` in its turn.
    pub async fn buckets<T, E>(
        &self,
        agent: Option<AgentId>,
        plan: BucketsPlan,
        tell: impl FnOnce(Listing<Bucket>, &Wanted) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<HistoryError> + From<StorageError> + Send + 'static,
    {
        let view = self.tsdb.view();
        let now = self.clock.now();
        let id = agent.as_ref().map(AgentId::as_str);
        let reaches = plan::reaches(&plan, |range| {
            // Of a day that is over nobody can say that: its samples may have been let go, by a retention that was
            // shorter once.
            let end_of_day = Tier::Raw.end(rollup::day(range.start.as_micros()));
            end_of_day > now.as_micros() && view.parts_for(Tier::Raw, id, range).is_empty()
        });
        let query = buckets::Query::new(view, agent, plan, &reaches, Arc::clone(&self.fleet));
        self.readers.run(move |wanted| tell(query.run(wanted)?, wanted)).await
    }

    /// The agents that stand out, in the plan's order, and the tiers that were read.
    pub async fn top(&self, plan: TopPlan) -> Result<(Vec<TopAgent>, Tiers), HistoryError> {
        let query = top::Query::new(self.tsdb.view(), plan);
        self.readers.run(move |wanted| query.run(wanted)).await
    }
}

#[cfg(test)]
mod tests;
