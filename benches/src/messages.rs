//! The messages that the benches measure with: what an agent sends, in the sizes that agents send it.
//!
//! Every message is made from its number alone, so that two runs measure the same bytes.

use pingup_protocol::{
    ids::{AgentId, AgentIdError},
    keys::Secret,
    metrics::{BatchBody, Measurements, Sample, SingleBody},
    signing::{self, Key, SignError},
    time::Timestamp,
};

/// Samples in a batch.
pub const BATCH_SAMPLES: u64 = 500;
/// The moment of sample 0: 2026-11-21T05:20:00.123457Z.
const START_MICROS: i64 = 1_795_238_400_123_457;
/// The measurements of a single sample beside the four: with them its body takes 400 bytes.
const FURTHER: [&str; 10] = [
    "load1",
    "load5",
    "load15",
    "processes",
    "net_rx_bytes",
    "net_tx_bytes",
    "swap",
    "uptime",
    "temp_cpu",
    "disk_free_gb",
];

/// Why there is no message to measure with.
#[derive(Debug)]
pub enum MessageError {
    /// The agent has no name.
    Name(AgentIdError),
    /// It cannot be signed.
    Sign(SignError),
    /// It cannot be written in another form.
    Json(serde_json::Error),
}

/// A signed message to receive.
#[derive(Debug)]
pub struct Message {
    /// What it holds, and its form.
    pub name: &'static str,
    /// Its bytes.
    pub body: Vec<u8>,
    /// Samples in it.
    pub samples: u64,
}

/// What a hub receives: `canonical` is what agents of this repository send; `spaced` is the same in a form that must
/// be rewritten.
pub fn messages() -> Result<[Message; 4], MessageError> {
    let (single, batch) = (single_signed()?, batch_signed()?);
    Ok([
        Message { name: "single spaced", body: spaced(&single)?, samples: 1 },
        Message { name: "batch spaced", body: spaced(&batch)?, samples: BATCH_SAMPLES },
        Message { name: "single canonical", body: single, samples: 1 },
        Message { name: "batch canonical", body: batch, samples: BATCH_SAMPLES },
    ])
}

/// The key of the one agent that there is.
pub fn key() -> Key {
    Key::new(&Secret::new([7; 32]))
}

/// A single sample as an agent measures it: four measurements, and ten of its own.
pub fn single() -> Result<SingleBody, MessageError> {
    let Sample { seq, timestamp, mut metrics, status } = sample(1_234);
    metrics.further = FURTHER
        .iter()
        .zip(1..)
        .map(|(name, at)| ((*name).to_owned(), f64::from(at * at * 137) / 100.0))
        .collect();
    Ok(SingleBody {
        agent_id: agent_id()?,
        boot: Some(1_795_238_000),
        seq: Some(seq),
        timestamp,
        metrics,
        status,
    })
}

/// A single sample, signed and canonical, about 400 bytes.
fn single_signed() -> Result<Vec<u8>, MessageError> {
    signing::sign(&key(), &single()?).map_err(MessageError::Sign)
}

/// The samples of a batch: four measurements each, about 130 bytes.
pub fn samples() -> Vec<Sample> {
    (1..=BATCH_SAMPLES).map(sample).collect()
}

/// A batch, signed and canonical.
fn batch_signed() -> Result<Vec<u8>, MessageError> {
    let (agent_id, samples) = (agent_id()?, samples());
    let body = BatchBody { agent_id: &agent_id, boot: 1_795_238_000, samples: &samples };
    signing::sign(&key(), &body).map_err(MessageError::Sign)
}

/// The same message with the spaces that most writers of JSON put behind colons and commas.
fn spaced(canonical: &[u8]) -> Result<Vec<u8>, MessageError> {
    let body: serde_json::Value = serde_json::from_slice(canonical).map_err(MessageError::Json)?;
    let pretty = serde_json::to_string_pretty(&body).map_err(MessageError::Json)?;
    Ok(pretty.lines().flat_map(|line| [line.trim_start(), " "]).collect::<String>().into_bytes())
}

/// Every sample has another moment and other figures.
fn sample(seq: u64) -> Sample {
    let wave = |step: u64, steps: u64| ((seq * step) % steps) as f64 / 10.0;
    Sample {
        seq,
        timestamp: Timestamp::from_micros(START_MICROS + seq.cast_signed() * 10_000_037),
        metrics: Measurements {
            cpu: Some(wave(7, 1_000)),
            ram: Some(40.0 + wave(3, 200)),
            disk: Some(70.0 + wave(1, 20)),
            latency: Some(1.0 + wave(11, 300)),
            further: Vec::new(),
        },
        status: "online".to_owned(),
    }
}

fn agent_id() -> Result<AgentId, MessageError> {
    AgentId::parse("AGENT-000123").map_err(MessageError::Name)
}
