//! The agents of a run: registered with the hub over the wire, each with its own key, token and stream.
//!
//! They stay in the hub's list afterwards, named `<label>-<run>-<number>`, for whoever wants to look at
//! their history; removing them takes an admin.

mod register;

pub(crate) use register::{register, run_name};

use crate::{
    body::{self, Author},
    error::LoadError,
    measured::mix,
    request,
    settings::{Bearer, Hub},
};
use pingup_protocol::{enrol::Credentials, keys::Secret, signing::Key, time::Timestamp};
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
    last_seq: u64,
    last_taken: Timestamp,
}

impl FleetAgent {
    /// Takes an agent's credentials and starts its stream `boot`.
    pub(crate) fn new(credentials: &Credentials, boot: u64, seed: u64) -> Result<Self, LoadError> {
        let unusable = |what: &str| LoadError::Credentials(what.to_owned());
        let key = Secret::from_base64(&credentials.keys.up)
            .ok_or_else(|| unusable("keys.up is not base64 of 32 bytes"))?;
        let bearer =
            Bearer::new(&credentials.token).ok_or_else(|| unusable("the token does not fit a header"))?;
        let author = Author { id: credentials.agent_id.as_str().to_owned(), boot, seed };
        Ok(Self { author, bearer, key: Key::new(&key), last_seq: 0, last_taken: Timestamp::default() })
    }

    /// An agent that no hub knows, for a handler that does not ask.
    pub(crate) fn made_up(number: usize, boot: u64) -> Self {
        let author = Author { id: format!("agt-{number:012}"), boot, seed: mix(number as u64) };
        let bearer = Bearer::new(&"t".repeat(TOKEN_CHARS));
        let bearer = bearer.unwrap_or_else(|| unreachable!("letters fit a header"));
        let key = Key::new(&Secret::new([7; 32]));
        Self { author, bearer, key, last_seq: 0, last_taken: Timestamp::default() }
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
mod tests {
    use super::*;
    use pingup_protocol::{enrol::KeyPair, ids::AgentId, metrics::MetricsBody, signing};

    #[test]
    fn pushes_verify_and_continue_one_stream() {
        let secret = Secret::new([5; 32]);
        let keys = KeyPair { up: secret.to_base64(), down: secret.to_base64() };
        let agent_id = AgentId::parse("A").unwrap();
        let credentials = Credentials { agent_id, generation: 1, keys, token: "t".to_owned() };
        let mut agent = FleetAgent::new(&credentials, 7, 0).unwrap();
        let head = agent.head(&Hub::read("http://127.0.0.1:9", false).unwrap(), METRICS);
        let (mut seen, mut moments, mut out) = (Vec::new(), Vec::new(), Vec::new());
        for rows in [1, 3, 1] {
            agent.push(&mut out, &head, rows, Moments::Now);
            let body = &out[head.len()..];
            assert!(signing::scan(body).unwrap().verify(&Key::new(&secret)));
            match MetricsBody::read(body).unwrap() {
                MetricsBody::Single(body) => {
                    seen.push((body.boot, body.seq.unwrap()));
                    moments.push(body.timestamp);
                }
                MetricsBody::Batch(body) => {
                    seen.extend(body.entries.iter().map(|entry| (Some(body.boot), entry.seq())));
                }
            }
        }
        assert_eq!(seen, (1..=5).map(|seq| (Some(7), seq)).collect::<Vec<_>>());
        assert!(moments[1].as_micros() >= moments[0].as_micros() + 4, "each moment is its own");
    }

    #[test]
    fn what_is_written_again_is_the_same() {
        let hub = Hub::read("http://127.0.0.1:9", false).unwrap();
        let mut agent = FleetAgent::made_up(3, 1);
        let head = agent.head(&hub, METRICS);
        let moments = Moments::Spaced { first: Timestamp::from_micros(5_000_000), step_micros: 250_000 };
        let (mut once, mut again) = (Vec::new(), Vec::new());
        for rows in [4, 1] {
            agent.push(&mut once, &head, rows, moments);
            let range = agent.last_seq() - rows as u64 + 1..=agent.last_seq();
            agent.write_again(&mut again, &head, range, moments);
            assert_eq!(once, again);
        }
    }
}
