//! Agents that measure and scan: rows as the ingest hands them to the history. What they measure follows from the
//! seed and from the order in which they are asked.

use pingup_protocol::{
    discovery::{Host, Scan},
    ids::{AgentId, AgentIdError},
    metrics::Measurements,
    time::Timestamp,
};
use pingup_server::{
    ingest::{Fate, Job, Load, Record},
    tsdb::record::{OwnedRows, OwnedSample, OwnedScan},
};
use std::net::{IpAddr, Ipv4Addr};

/// Seconds from one round of [`Fleet::rows`] to the next.
const ROUND_SECONDS: i64 = 30;
/// Hosts that a scan finds.
const SCAN_HOSTS: u8 = 50;
/// The stream of every agent.
const BOOT: u64 = 1_795_238_000;

/// Agents, each with one stream.
#[derive(Debug)]
pub struct Fleet {
    agents: Vec<AgentId>,
    dice: Dice,
    /// Rows that [`Self::rows`] has made.
    made: usize,
}

impl Fleet {
    /// So many agents, their figures made from `seed`.
    pub fn new(agents: usize, seed: u64) -> Result<Self, AgentIdError> {
        let agents = (0..agents).map(|number| AgentId::parse(&format!("AGENT-{number:06}")));
        Ok(Self { agents: agents.collect::<Result<_, _>>()?, dice: Dice(seed), made: 0 })
    }

    /// The agents.
    pub fn agents(&self) -> &[AgentId] {
        &self.agents
    }

    /// The next rows of a fleet that measures twice a minute, from `start` on, agent by agent.
    pub fn rows(&mut self, count: usize, start: Timestamp) -> OwnedRows {
        let mut rows = OwnedRows::default();
        for _ in 0..count {
            let (round, agent) = (self.made / self.agents.len(), self.made % self.agents.len());
            let seconds = i64::try_from(round).unwrap_or(i64::MAX).saturating_mul(ROUND_SECONDS);
            rows.samples.push(self.sample(agent, start.plus_seconds(seconds)));
            self.made += 1;
        }
        rows
    }

    /// A sample of every agent at each of `moments`.
    pub fn samples(&mut self, moments: impl IntoIterator<Item = Timestamp>) -> Vec<OwnedSample> {
        let mut samples = Vec::new();
        for at in moments {
            samples.extend((0..self.agents.len()).map(|agent| self.sample(agent, at)));
        }
        samples
    }

    /// A scan of every tenth agent at `at`. Its number follows that of a sample of the same moment.
    pub fn scans(&mut self, at: Timestamp) -> Vec<OwnedScan> {
        let dice = &mut self.dice;
        let scan = |agent_id: &AgentId| {
            let hosts = (1..=SCAN_HOSTS).map(|last| host(dice, last)).collect();
            let scan = Scan { hosts, duration: dice.hundredths() * 100.0, ..Scan::default() };
            OwnedScan { agent_id: agent_id.clone(), stream: stream(at, 1), timestamp: at, scan }
        };
        self.agents.iter().step_by(10).map(scan).collect()
    }

    fn sample(&mut self, agent: usize, at: Timestamp) -> OwnedSample {
        OwnedSample {
            agent_id: self.agents[agent].clone(),
            stream: stream(at, 0),
            timestamp: at,
            status: "online".to_owned(),
            metrics: self.dice.measurements(),
        }
    }
}

/// An agent that sends its samples one by one.
#[derive(Debug)]
pub struct Sender {
    agent_id: AgentId,
    seq: u64,
    dice: Dice,
}

impl Sender {
    /// The agent with this number.
    pub fn new(number: u64, seed: u64) -> Result<Self, AgentIdError> {
        let agent_id = AgentId::parse(&format!("SENDER-{number:06}"))?;
        Ok(Self { agent_id, seq: 0, dice: Dice(seed ^ number) })
    }

    /// Its next sample, accepted and ready for the queue.
    pub fn job(&mut self) -> Job {
        self.seq += 1;
        let record = Record::Sample { status: "online".to_owned(), metrics: self.dice.measurements() };
        let at = Timestamp::from_micros(self.seq.cast_signed());
        let load = Load::Stream { boot: BOOT, entries: vec![(self.seq, Fate::Store(at, record))] };
        Job { agent_id: self.agent_id.clone(), load }
    }
}

/// Two numbers a second: a sample's, and that of a scan beside it.
fn stream(at: Timestamp, beside: u64) -> Option<(u64, u64)> {
    let second = at.as_micros() / 1_000_000;
    Some((BOOT, second.unsigned_abs() * 2 + beside))
}

fn host(dice: &mut Dice, last: u8) -> Host {
    Host {
        ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)),
        latency: Some(dice.hundredths()),
        ports: vec![22, 80, 443],
        hostname: Some(format!("host-{last}.example")),
        mac: None,
    }
}

/// Numbers that look random and follow from the first: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to 99.99, as agents round what they measure.
    fn hundredths(&mut self) -> f64 {
        (self.roll() % 10_000) as f64 / 100.0
    }

    /// The four that every agent has, and two of its own.
    fn measurements(&mut self) -> Measurements {
        let mut own = || Some(self.hundredths());
        let (cpu, ram, disk, latency) = (own(), own(), own(), own());
        let further = vec![("load1".to_owned(), self.hundredths()), ("swap".to_owned(), self.hundredths())];
        Measurements { cpu, ram, disk, latency, further }
    }
}
