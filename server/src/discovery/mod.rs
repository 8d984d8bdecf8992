//! Scans out: what an agent found in its network, newest first, page by page; and the newest alone.
//!
//! The ingest stores them. A scan is one row of `scans` and a row of `discovery` for each host; agent,
//! timestamp, boot and seq together tell which hosts belong to which scan, so two scans of one moment never
//! mix. A page is bounded by scans and by what their hosts take ([`PAGE_BYTES_MAX`]); it has at least one scan.

pub mod handler;
mod store;

use crate::{
    standing::Standing,
    storage::{Duck, Sqlite},
};
use pingup_protocol::{discovery::Host, time::Timestamp};
use serde::{Deserialize, Serialize};

/// Scans on a page, unless the asker says otherwise.
pub const PAGE_SCANS_DEFAULT: u64 = 10;
/// Scans on a page at most.
pub const PAGE_SCANS_MAX: u64 = 100;
/// What the hosts on a page may take, bytes; a page ends with the scan that reaches it. One scan is at most as
/// large as a body, so a page is at most this and a body.
pub const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A scan as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct FoundScan {
    /// When it began, by the agent's clock.
    pub timestamp: Timestamp,
    /// How long it took, milliseconds.
    pub duration: f64,
    /// The hosts that answered, in the order the agent gave them.
    pub hosts: Vec<Host>,
}

/// A place in an agent's scans: timestamp in microseconds, boot and seq (−1 where it has none). Travels as a
/// cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Every scan, from the newest on; DuckDB's infinities lie outside of all timestamps.
    pub const ALL: Self = Self {
        from: Timestamp::from_micros(-i64::MAX),
        to: Timestamp::from_micros(i64::MAX),
        before: Place(i64::MAX, i64::MAX, i64::MAX),
        limit: 1,
    };
}

/// A page of scans, and where the next one begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// What is on it.
    pub items: Vec<FoundScan>,
    /// The last place on it, if there is more.
    pub next: Option<Place>,
}

/// Where an agent id stands, as the registry knows.
pub type StandingOf = fn(&rusqlite::Connection, &str) -> rusqlite::Result<Standing>;

/// The room.
pub struct Discovery {
    duck: Duck,
    sqlite: Sqlite,
    standing: StandingOf,
}

impl Discovery {
    /// The room over what the ingest stored.
    pub const fn new(duck: Duck, sqlite: Sqlite, standing: StandingOf) -> Self {
        Self { duck, sqlite, standing }
    }
}

#[cfg(test)]
mod tests;
