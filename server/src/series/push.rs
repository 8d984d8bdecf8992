//! What one request brings, and what becomes of it.

use super::{Labels, POINTS_PER_PUSH_MAX, SERIES_PER_PUSH_MAX};
use crate::storage::StorageError;
use std::fmt;

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

impl Incoming {
    /// The first and the last moment of its samples, milliseconds.
    pub(super) fn times(&self) -> (i64, i64) {
        let moments = self.points.iter().map(|point| point.at_ms);
        moments.fold((i64::MAX, i64::MIN), |(first, last), at| (first.min(at), last.max(at)))
    }
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
    /// None of the push's new series was stored. Samples of series that were known are committed, as `taken` tells.
    #[error("{reached}")]
    SeriesLimit {
        /// Which limit.
        reached: LimitReached,
        /// What became of the samples of series that were known before.
        taken: Taken,
    },
    /// The records.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A limit of series, and who is beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitReached {
    /// Which limit.
    pub whose: Whose,
    /// The limit.
    pub max: usize,
    /// How many new series the push has.
    pub new: usize,
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whose, max, new } = self;
        match whose {
            Whose::Sender => write!(f, "a sender may write {max} series")?,
            Whose::Everyone => write!(f, "the hub keeps {max} series of all senders")?,
            Whose::Memory => write!(f, "the hub keeps {max} bytes of labels (series_bytes_max)")?,
        }
        write!(f, "; none of the {new} new series of this part of the request was stored")
    }
}
