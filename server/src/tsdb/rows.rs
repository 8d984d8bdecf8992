//! What is stored: samples, scans, the marks that make both exactly once, and points, as one group brings them.

use pingup_protocol::{discovery::Scan, ids::AgentId, metrics::Measurements, time::Timestamp};
use std::cmp::Ordering;

/// Whose a row is, and what tells it from others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Origin<'a> {
    /// The agent.
    pub agent_id: &'a AgentId,
    /// Boot and seq, if it has them.
    pub stream: Option<(u64, u64)>,
    /// When it was measured.
    pub timestamp: Timestamp,
}

/// A sample to be stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRow<'a> {
    /// Whose it is.
    pub origin: Origin<'a>,
    /// The agent's word for how its machine does.
    pub status: &'a str,
    /// What was measured.
    pub metrics: &'a Measurements,
}

/// A scan to be stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScanRow<'a> {
    /// Whose it is.
    pub origin: Origin<'a>,
    /// What was found.
    pub scan: &'a Scan,
}

/// A series that others write, by the number that the records gave it; no number is given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(u32);

impl SeriesId {
    /// The series of that number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// What it is called in files: ten digits, so that texts are in the order of numbers.
    pub fn key(self) -> String {
        format!("{:010}", self.0)
    }

    /// The series that is called so in files.
    pub fn from_key(key: &str) -> Option<Self> {
        key.parse().ok().map(Self)
    }
}

/// A sample of a series that others write.
#[derive(Clone, Copy, Debug)]
pub struct PointRow {
    /// Whose it is.
    pub series: SeriesId,
    /// When it was measured: milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// Its value, to the bit.
    pub value: f64,
}

/// To the bit: a NaN is the NaN that it is.
impl PartialEq for PointRow {
    fn eq(&self, other: &Self) -> bool {
        (self.series, self.at_ms, self.value.to_bits()) == (other.series, other.at_ms, other.value.to_bits())
    }
}

impl PointRow {
    /// The order of the disk: by series and moment; of several at one moment the one that counts comes first,
    /// whatever order they came in. A number counts before a NaN, and the greater before the less.
    pub fn order(&self, other: &Self) -> Ordering {
        let value = |point: &Self| (point.value.is_nan(), point.value);
        let ((a_is_nan, a), (b_is_nan, b)) = (value(self), value(other));
        let places = (self.series, self.at_ms).cmp(&(other.series, other.at_ms));
        places.then(a_is_nan.cmp(&b_is_nan)).then_with(|| b.total_cmp(&a))
    }

    /// Whether both say what a series was at one moment: only one of them counts.
    pub fn is_of_same_moment(&self, other: &Self) -> bool {
        (self.series, self.at_ms) == (other.series, other.at_ms)
    }
}

/// Streams known of one agent: an agent begins one when its state is new, so two or three in its life.
pub const BOOTS_PER_AGENT_MAX: usize = 16;

/// How far a stream is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The greatest committed number.
    pub seq: u64,
    /// The timestamp of the sample with that number; unknown if it was rejected.
    pub timestamp: Option<Timestamp>,
}

/// A mark and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkRow {
    /// The agent.
    pub agent_id: AgentId,
    /// Its stream.
    pub boot: u64,
    /// How far that is committed.
    pub mark: Mark,
}

/// The rows of one group: on disk all of them, or none.
#[derive(Debug, Default)]
pub struct Rows<'a> {
    /// Samples, in the order they came.
    pub samples: Vec<SampleRow<'a>>,
    /// Scans, in the order they came.
    pub scans: Vec<ScanRow<'a>>,
    /// Marks that the rows do not tell by themselves: of numbers that were consumed without a row.
    pub marks: Vec<MarkRow>,
    /// Points, as each request brought them; none of these is empty.
    pub points: Vec<&'a [PointRow]>,
}

impl Rows<'_> {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.scans.is_empty() && self.marks.is_empty() && self.points.is_empty()
    }
}

/// What is told apart beside agent and timestamp among rows without numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Samples.
    Metrics,
    /// Scans.
    Discovery,
}

/// Which row without numbers is looked for: the newest committed one of an agent, not before `from` and not after `to`.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// What it is.
    pub kind: Kind,
    /// Whose it is.
    pub agent_id: &'a AgentId,
    /// The first moment.
    pub from: Timestamp,
    /// The last moment.
    pub to: Timestamp,
}

/// What a look for an agent's newest row without numbers found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// When it was measured; `None` if there is no such row.
    pub newest: Option<Timestamp>,
    /// Whether files had to be read, which takes milliseconds.
    pub reads_files: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_numbers_and_lead_back() {
        let numbers = [0, 1, 9, 10, 4_294_967_295];
        let keys = numbers.map(|number| SeriesId::new(number).key());
        assert!(keys.is_sorted() && keys.iter().all(|key| key.len() == 10));
        assert_eq!(keys.map(|key| SeriesId::from_key(&key).unwrap().number()), numbers);
        assert_eq!(SeriesId::from_key("~"), None);
    }

    #[test]
    fn of_one_moment_a_number_counts_before_a_nan_and_the_greater_before_the_less() {
        let stale = f64::from_bits(0x7ff0_0000_0000_0002);
        let expected = [f64::INFINITY, 2.0, 0.0, -0.0, -7.5, f64::NEG_INFINITY, f64::NAN, stale, -f64::NAN];
        let point = |value| PointRow { series: SeriesId::new(1), at_ms: 5, value };
        for first in 0..expected.len() {
            let mut turned = expected;
            turned.rotate_left(first);
            let mut points = turned.map(point);
            points.sort_by(PointRow::order);
            assert_eq!(points, expected.map(point), "{first}");
        }
    }
}
