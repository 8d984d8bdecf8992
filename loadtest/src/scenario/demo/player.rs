//! A machine's agent: what it is to send next, signed, one request after the other, each until the hub has it.

use super::{
    cast::{Machine, Part},
    deliver::delivered,
    life::{Figures, Life},
    network::found,
    noise::{HOUR, chance},
    replies,
};
use crate::{
    answer::Answer,
    client::Client,
    error::LoadError,
    fleet::{DISCOVERY, FleetAgent, METRICS, now},
    measured::mix,
    settings::Hub,
    tally::Counts,
};
use pingup_protocol::{
    command::{Command, PendingAnswer},
    discovery::DiscoveryBody,
    heartbeat::{HeartbeatBody, Presence},
    ids::AgentId,
    time::Timestamp,
};
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// Samples of one request.
const BATCH_SAMPLES: usize = 500;
const MICROS: i64 = 1_000_000;
/// From one scan to the next, seconds.
const SCAN_EVERY: i64 = HOUR;

/// When the demo's days begin and end, and how often machines measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calendar {
    /// The beginning of the past, seconds since 1970.
    pub(super) first: i64,
    /// When the demo began.
    pub(super) began: i64,
    /// From one sample to the next, seconds.
    pub(super) interval: i64,
}

/// One agent.
pub(super) struct Player {
    pub(super) machine: Machine,
    agent: FleetAgent,
    agent_id: AgentId,
    hub: Arc<Hub>,
    calendar: Calendar,
    client: Client,
    boot: u64,
    /// The last number of its stream.
    seq: u64,
    /// How many moments to measure at have gone by.
    measured: i64,
    /// How many to scan at.
    scanned: i64,
    /// The last of its commands that it has seen.
    command_seq: u64,
    asked: u64,
}

#[derive(Serialize)]
struct Sample {
    metrics: Figures,
    seq: u64,
    status: &'static str,
    timestamp: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Batch<'a> {
    agent_id: &'a AgentId,
    boot: u64,
    samples: &'a [Sample],
}

impl Player {
    /// The agent of `machine`, which is enrolled and has sent nothing yet.
    pub(super) fn new(
        machine: Machine,
        agent: FleetAgent,
        hub: &Arc<Hub>,
        calendar: Calendar,
    ) -> Result<Self, LoadError> {
        let agent_id = agent.agent_id()?;
        let boot = u64::try_from(calendar.began).unwrap_or_default();
        let (hub, client) = (Arc::clone(hub), Client::new(Arc::clone(hub)));
        Ok(Self {
            machine,
            agent,
            agent_id,
            hub,
            calendar,
            client,
            boot,
            seq: 0,
            measured: 0,
            scanned: 0,
            command_seq: 0,
            asked: 0,
        })
    }

    /// Whether it takes part in what goes on; the silent one does not.
    pub(super) fn is_there(&self) -> bool {
        self.machine.part != Part::Silent
    }

    /// Its id, as the hub gave it.
    pub(super) fn agent_id(&self) -> &str {
        self.agent_id.as_str()
    }

    /// Whether all of its samples until that moment are sent.
    pub(super) fn is_through(&self, until: i64) -> bool {
        self.moment(self.measured) > micros(until)
    }

    /// How long it is until its next sample.
    pub(super) fn until_next(&self, now: Timestamp) -> Duration {
        let micros = self.moment(self.measured).saturating_sub(now.as_micros());
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    }

    /// The moment of a sample, microseconds: each machine has its own second and its own fraction of it.
    fn moment(&self, number: i64) -> i64 {
        let offset = chance(self.machine.seed ^ 21, 0) * micros(self.calendar.interval) as f64;
        micros(self.calendar.first + number * self.calendar.interval) + offset as i64 / 1_000 * 1_000
    }

    /// The next samples until that moment, a request of them at most.
    fn samples(&mut self, until: i64) -> Vec<Sample> {
        let mut samples = Vec::new();
        while samples.len() < BATCH_SAMPLES && !self.is_through(until) {
            let moment = self.moment(self.measured);
            let (life, at) =
                (Life { machine: &self.machine, began: self.calendar.began }, moment.div_euclid(MICROS));
            if life.is_heard(at) {
                self.seq += 1;
                let (metrics, status) = (life.figures(at), life.status(at));
                samples.push(Sample {
                    metrics,
                    seq: self.seq,
                    status,
                    timestamp: Timestamp::from_micros(moment),
                });
            }
            self.measured += 1;
        }
        samples
    }

    /// Sends the next samples until that moment, a request of them at most; how many.
    pub(super) async fn push(&mut self, until: i64) -> Result<u64, LoadError> {
        let samples = self.samples(until);
        if samples.is_empty() {
            return Ok(0);
        }
        let agent_id = self.agent_id.clone();
        let body = Batch { agent_id: &agent_id, boot: self.boot, samples: &samples };
        let answer = self.send("samples", METRICS, &body).await?;
        match Counts::read(&answer) {
            Some(Counts { not_stored: 0, .. }) => Ok(samples.len() as u64),
            _ => Err(LoadError::Senseless { what: "samples", reason: "not all were stored".to_owned() }),
        }
    }

    /// Sends the scans until that moment, if the machine scans.
    pub(super) async fn scan(&mut self, until: i64) -> Result<(), LoadError> {
        let offset = (chance(self.machine.seed ^ 22, 0) * SCAN_EVERY as f64) as i64;
        while self.machine.scans {
            let at = self.calendar.first + self.scanned * SCAN_EVERY + offset;
            if at > until {
                break;
            }
            self.scanned += 1;
            self.seq += 1;
            let body = DiscoveryBody {
                agent_id: self.agent_id.clone(),
                boot: Some(self.boot),
                seq: Some(self.seq),
                timestamp: Timestamp::from_micros(micros(at)),
                discovery: found(self.machine.seed, at),
            };
            self.send("a scan", DISCOVERY, &body).await?;
        }
        Ok(())
    }

    /// Says that it is there; the first time also what it is.
    pub(super) async fn beat(&mut self, is_first: bool) -> Result<(), LoadError> {
        let body = HeartbeatBody {
            agent_id: self.agent_id.clone(),
            timestamp: now(),
            status: Presence::Online,
            info: is_first.then(|| self.machine.introduction()),
            metrics: None,
            config: None,
        };
        let path = format!("/api/v1/agents/{}/heartbeat", self.agent_id);
        self.send("a heartbeat", &path, &body).await.map(drop)
    }

    /// Takes the commands that wait for it, and reports how each ended.
    pub(super) async fn obey(&mut self) -> Result<(), LoadError> {
        self.asked += 1;
        let nonce = format!("{:016x}{:016x}", mix(self.machine.seed ^ self.asked), self.asked);
        let path =
            format!("/api/v1/commands/pending/{}?nonce={nonce}&after={}", self.agent_id, self.command_seq);
        let request = self.agent.get(&self.hub, &path);
        let answer = delivered(&mut self.client, "commands", &request).await?;
        let senseless =
            || LoadError::Senseless { what: "commands", reason: "this is not the hub's word".to_owned() };
        let pending: PendingAnswer = self.agent.verified(answer.body).ok_or_else(senseless)?;
        for offered in pending.commands {
            let bytes = serde_json::to_vec(&offered).unwrap_or_default();
            let command: Command = self.agent.verified(&bytes).ok_or_else(senseless)?;
            self.command_seq = command.command_seq;
            let path = format!("/api/v1/commands/{}/result", command.command_id);
            let life = Life { machine: &self.machine, began: self.calendar.began };
            let result = replies::reply(command, life, now());
            self.send("a result", &path, &result).await?;
        }
        Ok(())
    }

    async fn send(
        &mut self,
        what: &'static str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer<'_>, LoadError> {
        let request = self.agent.post(&self.hub, path, body);
        let request = request.map_err(|error| LoadError::Senseless { what, reason: error.to_string() })?;
        delivered(&mut self.client, what, &request).await
    }
}

const fn micros(seconds: i64) -> i64 {
    seconds * MICROS
}
