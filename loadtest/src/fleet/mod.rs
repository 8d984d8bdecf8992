//! The agents of a run: registered with the hub over the wire, each with its own key, token and stream.
//!
//! They stay in the hub's list afterwards, named `<label>-<run>-<number>`, for whoever wants to look at
//! their history; removing them takes an admin.

mod register;

pub(crate) use register::{register, register_one, run_name};

use crate::{
    body::{self, Author},
    error::LoadError,
    measured::mix,
    request,
    settings::{Bearer, Hub},
};
use pingup_protocol::{
    enrol::Credentials,
    ids::AgentId,
    keys::Secret,
    signing::{self, Key, SignError},
    time::Timestamp,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{ops::RangeInclusive, time::SystemTime};

/// Where samples go.
pub(crate) const METRICS: &str = "/api/v1/metrics";
/// Where scans go.
pub(crate) const DISCOVERY: &str = "/api/v1/discovery";
/// Characters of a made-up token: as many as a hub's own.
const TOKEN_CHARS: usize = 241;

/// When samples were taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moments {
    /// When they are sent; no two of an agent at the same moment, not even in one batch.
    Now,
    /// At equal steps from a first moment on, one for each number of the stream.
    Spaced {
        /// The moment of number 1.
        first: Timestamp,
        /// From one to the next.
        step_micros: i64,
    },
}

/// An agent that exists only in this program and in the hub.
pub(crate) struct FleetAgent {
    author: Author,
    bearer: Bearer,
    key: Key,
    /// The hub's.
    down: Key,
    last_seq: u64,
    last_taken: Timestamp,
}

impl FleetAgent {
    /// Takes an agent's credentials and starts its stream `boot`.
    pub(crate) fn new(credentials: &Credentials, boot: u64, seed: u64) -> Result<Self, LoadError> {
        let unusable = |what: &str| LoadError::Credentials(what.to_owned());
        let secret = |text: &str, what| Secret::from_base64(text).ok_or_else(|| unusable(what));
        let key = secret(&credentials.keys.up, "keys.up is not base64 of 32 bytes")?;
        let down = secret(&credentials.keys.down, "keys.down is not base64 of 32 bytes")?;
        let bearer =
            Bearer::new(&credentials.token).ok_or_else(|| unusable("the token does not fit a header"))?;
        let author = Author { id: credentials.agent_id.as_str().to_owned(), boot, seed };
        let (key, down) = (Key::new(&key), Key::new(&down));
        Ok(Self { author, bearer, key, down, last_seq: 0, last_taken: Timestamp::default() })
    }

    /// An agent that no hub knows, for a handler that does not ask.
    pub(crate) fn made_up(number: usize, boot: u64) -> Self {
        let author = Author { id: format!("agt-{number:012}"), boot, seed: mix(number as u64) };
        let bearer = Bearer::new(&"t".repeat(TOKEN_CHARS));
        let bearer = bearer.unwrap_or_else(|| unreachable!("letters fit a header"));
        let key = Key::new(&Secret::new([7; 32]));
        let down = key.clone();
        Self { author, bearer, key, down, last_seq: 0, last_taken: Timestamp::default() }
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.author.id
    }

    /// The seed of its figures.
    pub(crate) const fn seed(&self) -> u64 {
        self.author.seed
    }

    /// The last number that it gave out.
    pub(crate) const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The same, as messages carry it.
    pub(crate) fn agent_id(&self) -> Result<AgentId, LoadError> {
        AgentId::parse(self.id()).map_err(|error| LoadError::Credentials(error.to_string()))
    }

    /// A question for `path`, whole.
    pub(crate) fn get(&self, hub: &Hub, path: &str) -> Vec<u8> {
        request::get(hub, path, &self.bearer, "application/json")
    }

    /// A request that brings `message`, signed, to `path`, whole.
    pub(crate) fn post(&self, hub: &Hub, path: &str, message: &impl Serialize) -> Result<Vec<u8>, SignError> {
        let body = signing::sign(&self.key, message)?;
        Ok(request::post_with(hub, path, Some(&self.bearer), &body))
    }

    /// What a signed answer, or a signed part of one, says; `None` if it is not the hub's word to this agent.
    pub(crate) fn verified<T: DeserializeOwned>(&self, body: &[u8]) -> Option<T> {
        let scanned = signing::scan(body).ok()?;
        scanned.verify(&self.down).then(|| serde_json::from_slice(body).ok())?
    }

    /// The head of its requests to `path`.
    pub(crate) fn head(&self, hub: &Hub, path: &str) -> Vec<u8> {
        request::post(hub, path, Some(&self.bearer))
    }

    /// Takes the next `rows` samples of the stream and writes the request that brings them into `out`: alone if
    /// it is one, else as a batch.
    pub(crate) fn push(&mut self, out: &mut Vec<u8>, head: &[u8], rows: usize, moments: Moments) {
        let first = self.last_seq + 1;
        self.last_seq += rows as u64;
        match moments {
            Moments::Now => {
                let taken = now().max(Timestamp::from_micros(self.last_taken.as_micros() + 1));
                self.last_taken = Timestamp::from_micros(taken.as_micros() + rows as i64 - 1);
                self.write(
                    out,
                    head,
                    first..=self.last_seq,
                    Moments::Spaced { first: taken, step_micros: 1 },
                    first,
                );
            }
            Moments::Spaced { .. } => self.write(out, head, first..=self.last_seq, moments, 1),
        }
    }

    /// Writes the request that brings the samples numbered `range` again, byte for byte.
    pub(crate) fn write_again(
        &self,
        out: &mut Vec<u8>,
        head: &[u8],
        range: RangeInclusive<u64>,
        moments: Moments,
    ) {
        self.write(out, head, range, moments, 1);
    }

    /// Writes the request that brings the next number as a scan.
    pub(crate) fn scan(&mut self, out: &mut Vec<u8>, head: &[u8], at: Timestamp) {
        self.last_seq += 1;
        out.clear();
        out.extend_from_slice(head);
        body::write_scan(out, &self.author, &self.key, self.last_seq, at);
        request::close(out, head.len());
    }

    fn write(&self, out: &mut Vec<u8>, head: &[u8], range: RangeInclusive<u64>, moments: Moments, base: u64) {
        out.clear();
        out.extend_from_slice(head);
        match range.start() == range.end() {
            true => {
                let seq = *range.start();
                body::write_single(out, &self.author, &self.key, seq, moment(moments, seq - base));
            }
            false => {
                let samples = range.map(|seq| (seq, moment(moments, seq - base)));
                body::write_batch(out, &self.author, &self.key, samples);
            }
        }
        request::close(out, head.len());
    }
}

/// The moment of the sample that comes `after` others.
fn moment(moments: Moments, after: u64) -> Timestamp {
    match moments {
        Moments::Now => now(),
        Moments::Spaced { first, step_micros } => {
            let after = i64::try_from(after).unwrap_or(i64::MAX).saturating_mul(step_micros);
            Timestamp::from_micros(first.as_micros().saturating_add(after))
        }
    }
}

/// The moment, by this machine's clock.
pub(crate) fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
