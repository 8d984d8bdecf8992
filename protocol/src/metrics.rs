//! Samples: one, or a spooled batch (`POST /api/v1/metrics`), and what the hub answers.

pub use crate::measurements::Measurements;

use crate::{
    ids::AgentId,
    limits::{BATCH_SAMPLES_MAX, INTEGER_MAX, STATUS_BYTES_MAX},
    problem::ProblemType,
    schema::{self, Checked, SchemaError},
    time::Timestamp,
};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

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
        if let Ok(single) = serde_json::from_slice::<SingleBody>(json)
            && !has_samples(json)
        {
            single.check()?;
            return Ok(Self::Single(single));
        }
        if has_samples(json) {
            read_batch(json).map(Self::Batch)
        } else {
            schema::read(json).map(Self::Single)
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

fn has_samples(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Peek {
        samples: Option<IgnoredAny>,
    }
    serde_json::from_slice::<Peek>(json).is_ok_and(|peek| peek.samples.is_some())
}

fn read_batch(json: &[u8]) -> Result<ReadBatch, SchemaError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct RawBatch<'a> {
        agent_id: AgentId,
        boot: u64,
        #[serde(borrow)]
        samples: Vec<&'a RawValue>,
    }
    let raw: RawBatch<'_> =
        serde_json::from_slice(json).map_err(|e| SchemaError::at("", schema::plain(&e)))?;
    check_integer("/boot", raw.boot)?;
    if raw.samples.is_empty() || raw.samples.len() > BATCH_SAMPLES_MAX {
        return Err(SchemaError::at("/samples", format!("1 to {BATCH_SAMPLES_MAX} samples expected")));
    }
    let mut entries = Vec::with_capacity(raw.samples.len());
    let mut last = 0;
    for (index, text) in raw.samples.iter().enumerate() {
        let entry = read_entry(text.get(), index)?;
        if entry.seq() <= last {
            return Err(SchemaError::at(format!("/samples/{index}/seq"), "numbers must rise within a batch"));
        }
        last = entry.seq();
        entries.push(entry);
    }
    Ok(ReadBatch { agent_id: raw.agent_id, boot: raw.boot, entries })
}

/// Reads one entry. Without a number of its own it cannot even be rejected: then the batch is refused.
fn read_entry(json: &str, index: usize) -> Result<BatchEntry, SchemaError> {
    #[derive(Deserialize)]
    struct Numbered {
        seq: u64,
    }
    if let Ok(sample) = serde_json::from_str::<Sample>(json)
        && sample.check().is_ok()
    {
        return Ok(BatchEntry::Good(sample));
    }
    let pointer = format!("/samples/{index}/seq");
    let seq = serde_json::from_str::<Numbered>(json)
        .map_err(|_| SchemaError::at(pointer.clone(), "an integer from 1 expected"))?
        .seq;
    check_sequence("", seq).map_err(|_| SchemaError::at(pointer, "an integer from 1 to 2^53-1 expected"))?;
    let why = match schema::read::<Explained>(json.as_bytes()) {
        Err(error) => error.to_string(),
        Ok(_) => "not a sample".to_owned(),
    };
    Ok(BatchEntry::Bad(Rejected { seq, problem: ProblemType::SchemaInvalid.name().to_owned(), detail: why }))
}

/// A sample read once more, to say what is wrong with it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Explained(Sample);

impl Checked for Explained {
    fn check(&self) -> Result<(), SchemaError> {
        self.0.check()
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

/// The answer to metrics and discovery. It is given only once everything counted is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PushAnswer {
    /// Stored now.
    pub accepted: u64,
    /// Stored before.
    pub duplicates: u64,
    /// Older than the hub keeps; not stored, never to be sent again.
    pub expired: u64,
    /// Not stored, with the reason; never to be sent again.
    pub rejected: Vec<Rejected>,
    /// The stream's mark: everything up to it may leave the spool. Null for bodies without a stream.
    pub high_water: Option<u64>,
    /// The hub's clock.
    pub server_time: Timestamp,
}
