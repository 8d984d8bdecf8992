//! What is stored: samples, scans, and the marks that make both exactly once, as one group brings them.

use pingup_protocol::{discovery::Scan, ids::AgentId, metrics::Measurements, time::Timestamp};

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
}

impl Rows<'_> {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.scans.is_empty() && self.marks.is_empty()
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
