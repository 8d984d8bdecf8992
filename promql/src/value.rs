//! What a query answers.

use crate::labels::Labels;

/// The answer to a query, and what is said beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The answer itself.
    pub value: Value,
    /// The answer may not be what was meant. Each starts with `PromQL warning: `.
    pub warnings: Vec<String>,
    /// Hints. Each starts with `PromQL info: `.
    pub infos: Vec<String>,
    /// How many samples the source handed over.
    pub samples: u64,
}

/// One of Prometheus's four types of results.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number at a moment.
    Scalar {
        /// When, in milliseconds.
        timestamp_ms: i64,
        /// The number.
        value: f64,
    },
    /// A text at a moment.
    Text {
        /// When, in milliseconds.
        timestamp_ms: i64,
        /// The text.
        text: String,
    },
    /// Series with one sample each, all of the same moment. In order of their labels, but for `sort`, `topk` and
    /// their like.
    Vector(Vec<Sample>),
    /// Series with samples at several moments, in order of their labels.
    Matrix(Vec<Series>),
}

/// One series' value at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What the series is called.
    pub labels: Labels,
    /// When, in milliseconds.
    pub timestamp_ms: i64,
    /// The value.
    pub value: f64,
}

/// One series' samples, as two columns of the same length, oldest first; never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the series is called.
    pub labels: Labels,
    /// When, in milliseconds.
    pub timestamps: Vec<i64>,
    /// The values.
    pub values: Vec<f64>,
}
