//! Series that others write: samples under labels of the sender's own, stored and kept beside the agents'.
//!
//! # Promises
//! `Ok` of a push means that all it counts is committed to disk. What is sent again is taken again and seen once. A
//! value comes back to the bit.

pub mod handler;
pub mod labels;

pub use handler::Doors;
pub use labels::{LabelError, Labels};

use crate::storage::StorageError;

/// Samples of one push at most; whoever has more sends several.
pub const POINTS_PER_PUSH_MAX: usize = 100_000;
/// Series of one push at most.
pub const SERIES_PER_PUSH_MAX: usize = 20_000;
/// How far a sample may be ahead of the hub's clock, milliseconds.
pub const AHEAD_MS_MAX: i64 = 10 * 60 * 1_000;

/// A sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When it was measured: milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// Its value, kept to the bit: a NaN stays the NaN it is.
    pub value: f64,
}

/// Samples of one series, in any order.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// Whose they are.
    pub labels: Labels,
    /// The samples.
    pub points: Vec<Point>,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows, but for starting anew.
    Counter,
    /// It comes and goes.
    Gauge,
    /// Buckets, their sum and count.
    Histogram,
    /// Quantiles, their sum and count.
    Summary,
    /// The sender did not tell.
    Unknown,
}

impl MetricKind {
    /// In Prometheus's words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Unknown => "unknown",
        }
    }
}

/// What a sender tells of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub metric: String,
    /// What it is.
    pub kind: MetricKind,
    /// What it tells, in a sentence; may be empty.
    pub help: String,
    /// Its unit; may be empty.
    pub unit: String,
}

/// What one request brings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Push {
    /// Who sends: the token's name. Limits are counted by it.
    pub sender: String,
    /// Series with their samples; one series may come several times.
    pub series: Vec<Incoming>,
    /// What is told of metrics.
    pub described: Vec<Described>,
}

/// What became of a push's samples; those stored are on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Stored, now or before.
    pub stored: usize,
    /// Older than the hub keeps samples; not stored.
    pub too_old: usize,
    /// More than [`AHEAD_MS_MAX`] ahead of the hub's clock; not stored.
    pub ahead: usize,
}

/// Which limit of series was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Series of one sender.
    Sender,
    /// Series of all senders.
    Everyone,
    /// Bytes of all series' labels in memory.
    Memory,
}

/// Why a push was not stored, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// Too much waits already; come back.
    #[error("too much waits to be committed; send it again")]
    Busy,
    /// The hub is going down; come back.
    #[error("the hub is stopping; send it again when it is back")]
    Stopping,
    /// The disk did not take it; come back.
    #[error("this could not be committed to disk; send it again")]
    NotCommitted,
    /// More than [`POINTS_PER_PUSH_MAX`] or [`SERIES_PER_PUSH_MAX`]; nothing was stored.
    #[error(
        "{points} samples of {series} series at once; send at most {POINTS_PER_PUSH_MAX} of {SERIES_PER_PUSH_MAX}"
    )]
    TooLarge {
        /// Series that came.
        series: usize,
        /// Samples that came.
        points: usize,
    },
    /// None of the request's new series was stored. Samples of series that were known are committed, as `taken` tells.
    #[error("{}", limit_text(*whose, *max, *new))]
    SeriesLimit {
        /// Which limit.
        whose: Whose,
        /// The limit.
        max: usize,
        /// How many new series the request has.
        new: usize,
        /// What became of the samples of series that were known before.
        taken: Taken,
    },
    /// The records.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

fn limit_text(whose: Whose, max: usize, new: usize) -> String {
    let full = match whose {
        Whose::Sender => format!("a sender may write {max} series"),
        Whose::Everyone => format!("the hub keeps {max} series of all senders"),
        Whose::Memory => format!("the hub keeps {max} bytes of series' labels"),
    };
    format!("{full}; none of the {new} new series of this request was stored")
}

/// The room.
#[derive(Debug)]
pub struct Series {}

impl Series {
    /// Stores a push; answers once all that counts as stored is committed.
    ///
    /// # Errors
    /// See [`PushError`]: what is not stored, and whether to come back.
    pub async fn push(&self, push: Push) -> Result<Taken, PushError> {
        let points = push.series.iter().map(|series| series.points.len()).sum();
        if points > POINTS_PER_PUSH_MAX || push.series.len() > SERIES_PER_PUSH_MAX {
            return Err(PushError::TooLarge { series: push.series.len(), points });
        }
        Err(PushError::Busy)
    }
}
