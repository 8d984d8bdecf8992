//! The general way: any JSON in, a body out, or precisely what is wrong with it.
//!
//! A sample of a batch that cannot be stored is an entry like the others, with its reason, as long as it has a number.

use super::{
    BatchEntry, MetricsBody, ReadBatch, Rejected, Sample, SingleBody, check_integer, check_sequence,
};
use crate::{
    ids::AgentId,
    limits::BATCH_SAMPLES_MAX,
    problem::ProblemType,
    schema::{self, Checked, SchemaError},
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

/// Reads a body in whatever form; a body with `samples` is a batch.
pub(super) fn read(json: &[u8]) -> Result<MetricsBody, SchemaError> {
    match has_samples(json) {
        true => read_batch(json).map(MetricsBody::Batch),
        false => read_single(json).map(MetricsBody::Single),
    }
}

/// The path to a mistake is kept only if there is one: keeping it costs more than reading.
fn read_single(json: &[u8]) -> Result<SingleBody, SchemaError> {
    match serde_json::from_slice::<SingleBody>(json) {
        Ok(single) => single.check().map(|()| single),
        Err(_) => schema::read(json),
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
pub(super) fn read_entry(json: &str, index: usize) -> Result<BatchEntry, SchemaError> {
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
