//! What a query answers.

use crate::{
    eval::{Grid, Track, present},
    labels::Labels,
};

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
    Matrix(Matrix),
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

/// Series that are made one at a time, by iterating: as columns with gaps they take half the memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix(Form);

#[derive(Clone, Debug, PartialEq)]
enum Form {
    Listed(Vec<Series>),
    /// Each track has some value.
    Steps(Vec<Track>, Grid),
}

impl Matrix {
    /// Tracks as series, in order of their labels.
    pub(crate) fn of_steps(mut tracks: Vec<Track>, grid: Grid) -> Self {
        tracks.retain(Track::has_values);
        tracks.sort_by(|a, b| a.labels.cmp(&b.labels));
        Self(Form::Steps(tracks, grid))
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Listed(series) => series.len(),
            Form::Steps(tracks, _) => tracks.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps the first `most` series.
    pub fn truncate(&mut self, most: usize) {
        match &mut self.0 {
            Form::Listed(series) => series.truncate(most),
            Form::Steps(tracks, _) => tracks.truncate(most),
        }
    }

    /// How many numbers it keeps.
    pub(crate) fn points(&self) -> usize {
        match &self.0 {
            Form::Listed(series) => series.iter().map(|series| 2 * series.values.len()).sum(),
            Form::Steps(tracks, _) => tracks.iter().map(|track| track.values.len()).sum(),
        }
    }
}

impl From<Vec<Series>> for Matrix {
    fn from(series: Vec<Series>) -> Self {
        Self(Form::Listed(series))
    }
}

impl IntoIterator for Matrix {
    type Item = Series;
    type IntoIter = Box<dyn Iterator<Item = Series>>;

    /// The series, each let go of once it is handed over.
    fn into_iter(self) -> Self::IntoIter {
        match self.0 {
            Form::Listed(series) => Box::new(series.into_iter()),
            Form::Steps(tracks, grid) => Box::new(tracks.into_iter().map(move |track| compact(track, &grid))),
        }
    }
}

/// A track's values and their moments.
fn compact(track: Track, grid: &Grid) -> Series {
    let Track { labels, mut values } = track;
    let mut timestamps = Vec::with_capacity(values.len());
    let there = values.iter().enumerate().filter(|(_, value)| present(**value));
    timestamps.extend(there.map(|(at, _)| grid.moment(at)));
    values.retain(|&value| present(value));
    Series { labels, timestamps, values }
}
