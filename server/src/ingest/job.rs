//! What one request brings: an agent's entries and what becomes of each, or points of written series. How much of the
//! queue it takes is told here.

use crate::tsdb::rows::PointRow;
use pingup_protocol::{
    discovery::{Host, Scan},
    ids::AgentId,
    metrics::{Measurements, Rejected},
    network::Network,
    time::Timestamp,
};
use std::mem::size_of;

/// What waits for the writer.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// An agent's.
    Job(Job),
    /// Points of series that others write. Each is stored: what is sent again is told when it is read.
    Points(Vec<PointRow>),
}

/// What an agent's request brings, ready for the writer.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Who sent it.
    pub agent_id: AgentId,
    /// What it holds.
    pub load: Load,
}

/// With numbers, or without.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// Entries of a stream, their numbers rising; samples and scans share an agent's streams.
    Stream {
        /// Which stream.
        boot: u64,
        /// Numbers, and what becomes of each.
        entries: Vec<(u64, Fate)>,
    },
    /// One entry without numbers: told apart by its timestamp.
    Unnumbered(Timestamp, Option<Record>),
}

/// What becomes of an entry if its number is new.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It is stored.
    Store(Timestamp, Record),
    /// It is older than the hub keeps.
    Expired(Timestamp),
    /// It cannot be accepted.
    Rejected(Rejected),
}

/// What is stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Of `POST /api/v1/metrics`.
    Sample {
        /// The agent's word for how its machine does.
        status: String,
        /// What was measured.
        metrics: Measurements,
    },
    /// Of `POST /api/v1/discovery`.
    Scan(Scan),
}

impl From<Job> for Work {
    fn from(job: Job) -> Self {
        Self::Job(job)
    }
}

impl Work {
    /// What it takes in memory while it waits; also no less than it takes in a record of the journal.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Job(job) => job.bytes(),
            Self::Points(points) => size_of::<Self>() + points.capacity() * size_of::<PointRow>(),
        }
    }

    /// How many rows it may become.
    pub fn rows(&self) -> usize {
        match self {
            Self::Job(job) => job.rows(),
            Self::Points(points) => points.len(),
        }
    }
}

impl Job {
    /// What it takes in memory while it waits, estimated from above; also no less than it takes in a record of
    /// the journal.
    pub fn bytes(&self) -> usize {
        let heap = match &self.load {
            Load::Unnumbered(_, record) => record.as_ref().map_or(0, Record::heap_bytes),
            Load::Stream { entries, .. } => {
                let own = entries.capacity() * size_of::<(u64, Fate)>();
                own + entries.iter().map(|(_, fate)| fate.heap_bytes()).sum::<usize>()
            }
        };
        size_of::<Self>() + heap
    }

    /// How many rows it may become.
    pub fn rows(&self) -> usize {
        match &self.load {
            Load::Unnumbered(_, record) => record.as_ref().map_or(0, Record::rows),
            Load::Stream { entries, .. } => entries.iter().map(|(_, fate)| fate.rows()).sum(),
        }
    }
}

impl Fate {
    /// When it was measured; unknown, or not to be relied on, for what was rejected.
    pub const fn timestamp(&self) -> Option<Timestamp> {
        match self {
            Self::Store(timestamp, _) | Self::Expired(timestamp) => Some(*timestamp),
            Self::Rejected(_) => None,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Store(_, record) => record.heap_bytes(),
            Self::Expired(_) => 0,
            Self::Rejected(rejected) => rejected.problem.capacity() + rejected.detail.capacity(),
        }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Store(_, record) => record.rows(),
            Self::Expired(_) | Self::Rejected(_) => 0,
        }
    }
}

impl Record {
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Sample { status, metrics } => {
                let own = metrics.further.capacity() * size_of::<(String, f64)>();
                own + status.capacity()
                    + metrics.further.iter().map(|(name, _)| name.capacity()).sum::<usize>()
            }
            Self::Scan(scan) => {
                let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
                let networks = scan.networks.capacity() * size_of::<Network>();
                let own = scan.hosts.capacity() * size_of::<Host>() + networks;
                let hosts = scan.hosts.iter();
                own + hosts.map(|h| h.ports.capacity() * 2 + text(&h.hostname) + text(&h.mac)).sum::<usize>()
            }
        }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Sample { .. } => 1,
            Self::Scan(scan) => 1 + scan.hosts.len(),
        }
    }
}

#[cfg(test)]
mod tests;
