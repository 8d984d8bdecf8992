//! Samples: one, or a spooled batch (`POST /api/v1/metrics`), and what the hub answers.
//!
//! Two ways lead from bytes to a [`MetricsBody`], and they say the same:
//! - `plain` reads, in one pass, the form that canonical bytes from an agent have; it refuses nothing, it only does
//!   not read;
//! - `general` reads any JSON, and says precisely what is wrong with a bad body.

mod general;
mod plain;
#[cfg(test)]
mod tests;

pub use crate::measurements::Measurements;

use crate::{
    ids::AgentId,
    limits::{INTEGER_MAX, STATUS_BYTES_MAX},
    schema::{Checked, SchemaError},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// One sample of a batch, as an agent spools and sends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sample {
    /// Its number within the boot, from 1.
    pub seq: u64,
    /// When it was measured, by the agent's clock.
    pub timestamp: Timestamp,
    /// What was measured.
    pub metrics: Measurements,
    /// The agent's word for how its machine does, e.g. `online`.
    pub status: String,
}

impl Sample {
    fn check(&self) -> Result<(), SchemaError> {
        check_sequence("", self.seq)?;
        self.metrics.check("/metrics")?;
        check_status("", &self.status)
    }
}

/// `POST /api/v1/metrics` with one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SingleBody {
    /// Who measured.
    pub agent_id: AgentId,
    /// The stream; with `seq` or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<u64>,
    /// The number within the stream; with `boot` or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// When it was measured, by the agent's clock.
    pub timestamp: Timestamp,
    /// What was measured.
    pub metrics: Measurements,
    /// The agent's word for how its machine does.
    pub status: String,
}

impl Checked for SingleBody {
    fn check(&self) -> Result<(), SchemaError> {
        check_stream(self.boot, self.seq)?;
        self.metrics.check("/metrics")?;
        check_status("", &self.status)
    }
}

/// `POST /api/v1/metrics` with what piled up, as a sender writes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchBody<'a> {
    /// Who measured.
    pub agent_id: &'a AgentId,
    /// The stream.
    pub boot: u64,
    /// Samples, their numbers rising.
    pub samples: &'a [Sample],
}

/// A body of `POST /api/v1/metrics` as a receiver reads it.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricsBody {
    /// One sample.
    Single(SingleBody),
    /// A batch.
    Batch(ReadBatch),
}

/// A batch as a receiver reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadBatch {
    /// Who measured.
    pub agent_id: AgentId,
    /// The stream.
    pub boot: u64,
    /// Its entries, their numbers rising.
    pub entries: Vec<BatchEntry>,
}

/// One entry of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchEntry {
    /// A sample that may be stored.
    Good(Sample),
    /// One that cannot be; its number is consumed all the same.
    Bad(Rejected),
}

impl BatchEntry {
    /// Its number within the boot.
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Good(sample) => sample.seq,
            Self::Bad(rejected) => rejected.seq,
        }
    }
}

/// A sample of a batch that was not stored, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rejected {
    /// Its number within the boot.
    pub seq: u64,
    /// The name of the problem.
    pub problem: String,
    /// What was wrong.
    pub detail: String,
}

impl MetricsBody {
    /// Reads a verified body; a body with `samples` is a batch.
    pub fn read(json: &[u8]) -> Result<Self, SchemaError> {
        match plain::read(json) {
            Some(body) => Ok(body),
            None => general::read(json),
        }
    }

    /// Who measured.
    pub const fn agent_id(&self) -> &AgentId {
        match self {
            Self::Single(body) => &body.agent_id,
            Self::Batch(body) => &body.agent_id,
        }
    }
}

/// Checks that boot and seq come together, and are numbers that every implementation keeps.
pub(crate) fn check_stream(boot: Option<u64>, seq: Option<u64>) -> Result<(), SchemaError> {
    match (boot, seq) {
        (None, None) => Ok(()),
        (Some(boot), Some(seq)) => {
            check_integer("/boot", boot)?;
            check_sequence("", seq)
        }
        (Some(_), None) => Err(SchemaError::at("/seq", "boot and seq come together")),
        (None, Some(_)) => Err(SchemaError::at("/boot", "boot and seq come together")),
    }
}

fn check_integer(pointer: &str, value: u64) -> Result<(), SchemaError> {
    match value {
        0..=INTEGER_MAX => Ok(()),
        _ => Err(SchemaError::at(pointer, "an integer of at most 2^53-1 expected")),
    }
}

fn check_sequence(at: &str, seq: u64) -> Result<(), SchemaError> {
    match seq {
        1..=INTEGER_MAX => Ok(()),
        _ => Err(SchemaError::at(format!("{at}/seq"), "an integer from 1 to 2^53-1 expected")),
    }
}

fn check_status(at: &str, status: &str) -> Result<(), SchemaError> {
    match status.len() {
        1..=STATUS_BYTES_MAX => Ok(()),
        _ => Err(SchemaError::at(format!("{at}/status"), format!("1 to {STATUS_BYTES_MAX} bytes expected"))),
    }
}

/// For numbers that are left out where they say nothing.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The answer to metrics and discovery. It is given only once everything counted is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PushAnswer {
    /// Stored now.
    pub accepted: u64,
    /// Stored before.
    pub duplicates: u64,
    /// Of the duplicates, those that are older than the hub keeps by now, the oldest: it has none of them, whatever it
    /// answered at first. Left out where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub duplicates_expired: u64,
    /// Older than the hub keeps; not stored, never to be sent again.
    pub expired: u64,
    /// Not stored, with the reason; never to be sent again.
    pub rejected: Vec<Rejected>,
    /// The stream's mark: everything up to it may leave the spool. Null for bodies without a stream.
    pub high_water: Option<u64>,
    /// The hub's clock.
    pub server_time: Timestamp,
}
