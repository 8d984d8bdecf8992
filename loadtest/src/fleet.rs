//! The agents of a run: registered with the hub over the wire, each with its own key, token and stream.
//!
//! They stay in the hub's list afterwards, named `loadtest-<run>-<number>`, for whoever wants to look at
//! their history; removing them takes an admin.

use crate::{
    client::{Client, ClientError},
    settings::Hub,
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use indicatif::ProgressBar;
use pingup_protocol::{
    enrol::{Credentials, RegisterBody},
    ids::AgentId,
    keys::Secret,
    metrics::{BatchBody, Measurements, Sample, SingleBody},
    signing::{self, Key, SignError},
    time::Timestamp,
};
use serde::Deserialize;
use std::{sync::Arc, time::SystemTime};
use tokio::{task::JoinSet, time::sleep};

/// Registrations under way at once: quick, and still not what is being measured.
const REGISTRATIONS_IN_FLIGHT: usize = 4;
/// Times that one registration is tried when the hub asks to wait.
const REGISTRATION_TRIES_MAX: u32 = 10;
/// The status that every sample carries.
const STATUS: &str = "online";

/// Why there is no fleet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FleetError {
    /// No answer.
    #[error("registering agents: {0}")]
    Client(#[from] ClientError),
    /// An answer that says no.
    #[error("registering agents: the hub answered {status}: {detail}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// What it said.
        detail: String,
    },
    /// An answer that is not the protocol's.
    #[error("registering agents: the hub answered 201 without credentials that can be used: {0}")]
    Credentials(String),
    /// A task of ours died.
    #[error("registering agents: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// One signed request, and how many samples are in it.
pub(crate) struct Push {
    /// Canonical JSON, signed.
    pub(crate) body: Bytes,
    /// Samples in it.
    pub(crate) rows: usize,
}

/// An agent that exists only in this program and in the hub.
pub(crate) struct FleetAgent {
    /// `Bearer <token>`.
    pub(crate) bearer: HeaderValue,
    id: AgentId,
    key: Key,
    boot: u64,
    last_seq: u64,
    last_taken: Timestamp,
}

impl FleetAgent {
    /// Takes an agent's credentials and starts its stream `boot`.
    pub(crate) fn new(credentials: Credentials, boot: u64) -> Result<Self, FleetError> {
        let key = Secret::from_base64(&credentials.keys.up)
            .ok_or_else(|| FleetError::Credentials("keys.up is not base64 of 32 bytes".to_owned()))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", credentials.token))
            .map_err(|_| FleetError::Credentials("the token does not fit a header".to_owned()))?;
        bearer.set_sensitive(true);
        let (id, key) = (credentials.agent_id, Key::new(&key));
        Ok(Self { bearer, id, key, boot, last_seq: 0, last_taken: Timestamp::default() })
    }

    /// Takes the next `rows` samples of the stream at `now` and signs them: alone if it is one, else as a batch.
    pub(crate) fn push(&mut self, rows: usize, now: Timestamp) -> Result<Push, SignError> {
        let samples: Vec<Sample> = (0..rows).map(|_| self.sample(now)).collect();
        let body = match <[Sample; 1]>::try_from(samples) {
            Ok([sample]) => signing::sign(&self.key, &self.single(sample))?,
            Err(samples) => {
                let batch = BatchBody { agent_id: &self.id, boot: self.boot, samples: &samples };
                signing::sign(&self.key, &batch)?
            }
        };
        Ok(Push { body: body.into(), rows })
    }

    fn single(&self, sample: Sample) -> SingleBody {
        SingleBody {
            agent_id: self.id.clone(),
            boot: Some(self.boot),
            seq: Some(sample.seq),
            timestamp: sample.timestamp,
            metrics: sample.metrics,
            status: sample.status,
        }
    }

    /// The next sample. No two of an agent share a moment, not even in one batch.
    fn sample(&mut self, now: Timestamp) -> Sample {
        self.last_seq += 1;
        self.last_taken = now.max(Timestamp::from_micros(self.last_taken.as_micros() + 1));
        let metrics = measurements(self.last_seq);
        Sample { seq: self.last_seq, timestamp: self.last_taken, metrics, status: STATUS.to_owned() }
    }
}

/// Figures that look like a machine's: in range, with a fraction, and different from one sample to the next.
fn measurements(seq: u64) -> Measurements {
    let wave = |step: u64, steps: u64| (seq.wrapping_mul(step) % steps) as f64 / 10.0;
    Measurements {
        cpu: Some(wave(7, 1_000)),
        ram: Some(40.0 + wave(3, 200)),
        disk: Some(70.0 + wave(1, 20)),
        latency: Some(1.0 + wave(11, 300)),
        further: Vec::new(),
    }
}

/// The moment, by this machine's clock.
pub(crate) fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}

/// Registers `agents` with `hub`, a few at once; `bearer` is an operator's.
pub(crate) async fn register(
    hub: &Arc<Hub>,
    bearer: &HeaderValue,
    agents: usize,
    bar: &ProgressBar,
) -> Result<Vec<FleetAgent>, FleetError> {
    let run = u64::try_from(now().as_micros() / 1_000).unwrap_or_default();
    let mut clerks = JoinSet::new();
    for clerk in 0..REGISTRATIONS_IN_FLIGHT.min(agents) {
        let numbers = (clerk..agents).step_by(REGISTRATIONS_IN_FLIGHT);
        let (hub, bearer, bar) = (Arc::clone(hub), bearer.clone(), bar.clone());
        clerks.spawn(async move {
            let mut client = Client::connect(hub).await?;
            let mut registered = Vec::with_capacity(numbers.len());
            for number in numbers {
                registered.push(register_one(&mut client, &bearer, run, number).await?);
                bar.inc(1);
            }
            Ok::<_, FleetError>(registered)
        });
    }
    let mut fleet = Vec::with_capacity(agents);
    while let Some(registered) = clerks.join_next().await {
        fleet.extend(registered??);
    }
    Ok(fleet)
}

/// What of a registration's answer is needed here.
#[derive(Deserialize)]
struct Registered {
    credentials: Credentials,
}

async fn register_one(
    client: &mut Client,
    bearer: &HeaderValue,
    run: u64,
    number: usize,
) -> Result<FleetAgent, FleetError> {
    let name = Some(format!("loadtest-{run}-{number}"));
    let wanted = RegisterBody { id: None, name, metadata: None };
    let body: Bytes = serde_json::to_vec(&wanted).map_err(|e| FleetError::Credentials(e.to_string()))?.into();
    let mut tries = 0;
    loop {
        tries += 1;
        let answer = client.post("/api/v1/agents", bearer, body.clone()).await?;
        if answer.status == StatusCode::CREATED {
            let registered: Registered = serde_json::from_slice(&answer.body)
                .map_err(|error| FleetError::Credentials(error.to_string()))?;
            return FleetAgent::new(registered.credentials, run);
        }
        let problem = answer.problem();
        match answer.retry_after(problem.as_ref().and_then(|problem| problem.problem_type())) {
            Some(wait) if tries < REGISTRATION_TRIES_MAX => sleep(wait).await,
            _ => {
                let detail = problem.map_or_else(|| "no more is known".to_owned(), |problem| problem.detail);
                return Err(FleetError::Refused { status: answer.status, detail });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::{enrol::KeyPair, metrics::MetricsBody};

    fn agent(secret: &Secret) -> FleetAgent {
        let keys = KeyPair { up: secret.to_base64(), down: String::new() };
        let agent_id = AgentId::parse("A").unwrap();
        FleetAgent::new(Credentials { agent_id, generation: 1, keys, token: "t".to_owned() }, 7).unwrap()
    }

    #[test]
    fn pushes_verify_and_continue_one_stream() {
        let secret = Secret::new([5; 32]);
        let (mut agent, key, now) = (agent(&secret), Key::new(&secret), Timestamp::from_micros(1_000_000));
        let mut seen = Vec::new();
        for rows in [1, 3, 1] {
            let push = agent.push(rows, now).unwrap();
            assert!(signing::scan(&push.body).unwrap().verify(&key));
            match MetricsBody::read(&push.body).unwrap() {
                MetricsBody::Single(body) => seen.push((body.boot, body.seq.unwrap())),
                MetricsBody::Batch(body) => {
                    seen.extend(body.entries.iter().map(|entry| (Some(body.boot), entry.seq())));
                }
            }
        }
        assert_eq!(seen, (1..=5).map(|seq| (Some(7), seq)).collect::<Vec<_>>());
        assert_eq!(agent.last_taken, Timestamp::from_micros(1_000_004), "each moment is its own");
    }

    #[test]
    fn figures_stay_in_range() {
        for seq in (0..5_000).chain([u64::MAX]) {
            assert_eq!(measurements(seq).check(""), Ok(()));
        }
    }
}
