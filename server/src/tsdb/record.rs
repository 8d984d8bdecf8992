//! A group as one record of the journal, and back.
//!
//! Little endian, numbers as LEB128 where they are small as a rule. A row names its stream only where it
//! differs from the row before: a batch says whose it is once. The journal's checksum guards the bytes, so a
//! record that cannot be read was written by another version of this program, and is refused as a whole.
//!
//! There are two forms, told apart by the first byte: in the second a scan begins with the networks it looked at. It is
//! written only for a group that has such a scan, so that a hub from before it reads all other groups.

mod read;
mod write;

pub use read::read;
pub use write::write;

use super::rows::{MarkRow, Origin, PointRow, Rows, SampleRow, ScanRow};
use pingup_protocol::{discovery::Scan, ids::AgentId, metrics::Measurements, time::Timestamp};

/// The form of a group of samples, scans without networks, and marks; earlier versions of this program know no other. What
/// else there is adds to it.
const PLAIN: u8 = 1;
/// With the networks of scans.
const NETWORKS: u8 = 1;
/// With points behind the rest.
const POINTS: u8 = 2;
/// The form with all of it: the newest.
const FULL: u8 = PLAIN + NETWORKS + POINTS;

/// What stands in front of a row.
const SAME_STREAM: u8 = 0;
const NEW_STREAM: u8 = 1;
const NO_STREAM: u8 = 2;

/// A record that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Another version's.
    #[error("a record of version {0}; this program reads up to {FULL}")]
    Version(u8),
    /// Not what this program writes.
    #[error("a record that ends early or names what cannot be")]
    Malformed,
}

/// A sample, read back.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedSample {
    /// The agent.
    pub agent_id: AgentId,
    /// Boot and seq, if it has them.
    pub stream: Option<(u64, u64)>,
    /// When it was measured.
    pub timestamp: Timestamp,
    /// The agent's word.
    pub status: String,
    /// What was measured.
    pub metrics: Measurements,
}

/// A scan, read back.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedScan {
    /// The agent.
    pub agent_id: AgentId,
    /// Boot and seq, if it has them.
    pub stream: Option<(u64, u64)>,
    /// When it began.
    pub timestamp: Timestamp,
    /// What was found.
    pub scan: Scan,
}

/// A group, read back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnedRows {
    /// Samples, in the order they came.
    pub samples: Vec<OwnedSample>,
    /// Scans, in the order they came.
    pub scans: Vec<OwnedScan>,
    /// Marks of numbers without a row.
    pub marks: Vec<MarkRow>,
    /// Points, in the order they came.
    pub points: Vec<PointRow>,
}

impl OwnedRows {
    /// The same, borrowed as the ingest hands it over.
    pub fn borrow(&self) -> Rows<'_> {
        let origin = |agent_id, stream, timestamp| Origin { agent_id, stream, timestamp };
        Rows {
            samples: self
                .samples
                .iter()
                .map(|row| SampleRow {
                    origin: origin(&row.agent_id, row.stream, row.timestamp),
                    status: &row.status,
                    metrics: &row.metrics,
                })
                .collect(),
            scans: self
                .scans
                .iter()
                .map(|row| ScanRow {
                    origin: origin(&row.agent_id, row.stream, row.timestamp),
                    scan: &row.scan,
                })
                .collect(),
            marks: self.marks.clone(),
            points: Some(&self.points[..]).filter(|points| !points.is_empty()).into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
