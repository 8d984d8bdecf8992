//! A scan by the real agent program of a real /24: how long it takes, whether all is found, what it takes in memory.
//!
//! The network is made for the run, of network namespaces ([`Network`]); nobody else's is touched. Each host opens
//! a third of the ports and refuses the others; the other addresses are nobody's. Where the system allows no namespaces,
//! that is told, and nothing is shown.

mod network;

pub(crate) use network::FarSide;
use network::{Network, is_open, port};

use super::Scenario;
use crate::{
    error::LoadError,
    hub, memory, progress,
    report::Told,
    settings::{SettingsError, TIMES_MAX, Target, number},
    verdict::{Finding, Must, Terms},
};
use clap::Args;
use pingup_protocol::discovery::Scan as Report;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{process::Child, time::interval};

/// Hosts, ports and rounds that the table speaks of.
const TABLE_HOSTS: usize = 40;
const TABLE_PORTS: usize = 24;
const TABLE_ROUNDS: usize = 3;
const PORTS_MAX: u64 = 64;
/// How often the agent's memory is looked at; the system keeps its high-water mark in between.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const MEGABYTE: f64 = 1e6;

/// How much there is to find.
#[derive(Args)]
pub(crate) struct Scan {
    /// Hosts in the /24
    #[arg(long, env = "PINGUP_HOSTS", value_name = "N", default_value_t = TABLE_HOSTS,
          value_parser = number::<1, { network::HOSTS_MAX }>)]
    hosts: usize,
    /// Ports that are tried
    #[arg(long, env = "PINGUP_SCAN_PORTS", value_name = "N", default_value_t = TABLE_PORTS,
          value_parser = number::<1, PORTS_MAX>)]
    ports: usize,
    /// Scans; the slowest counts
    #[arg(long, env = "PINGUP_ROUNDS", value_name = "N", default_value_t = TABLE_ROUNDS,
          value_parser = number::<1, TIMES_MAX>)]
    rounds: usize,
    /// The agent program [default: pingup-agent beside this one]
    #[arg(long, env = "PINGUP_AGENT", value_name = "FILE")]
    agent: Option<PathBuf>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    hosts: usize,
    ports: usize,
    rounds: Vec<Round>,
    /// Why there are none.
    trouble: Option<String>,
}

/// One scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Round {
    seconds: f64,
    hosts_found: usize,
    ports_found: usize,
    /// Hosts and ports that are there and were not found.
    missed: usize,
    /// Those that were found and are not there.
    made_up: usize,
    /// The most that the agent took, bytes; null where the system does not say.
    resident_peak_bytes: Option<u64>,
}

impl Scenario for Scan {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        Ok(())
    }

    async fn run(&self, _: &Target, _: u64) -> Result<Told, LoadError> {
        let agent = self.program()?;
        let mut figures = Figures { hosts: self.hosts, ports: self.ports, ..Figures::default() };
        match Network::build(self.hosts, self.ports).await {
            Ok(network) => figures.rounds = self.rounds(&network, &agent).await?,
            Err(why) => figures.trouble = Some(why),
        }
        let (text, sound, findings) = (figures.text(), figures.is_sound(), figures.findings());
        Ok(Told::new("scan", &figures, text, sound).with(findings))
    }
}

impl Scan {
    /// All that the table speaks of.
    pub(super) const fn table() -> Self {
        Self { hosts: TABLE_HOSTS, ports: TABLE_PORTS, rounds: TABLE_ROUNDS, agent: None }
    }

    fn program(&self) -> Result<PathBuf, LoadError> {
        match &self.agent {
            None => hub::beside("pingup-agent"),
            Some(path) if path.is_file() => Ok(path.clone()),
            Some(path) => Err(LoadError::Program {
                program: path.display().to_string(),
                reason: "there is no such program".to_owned(),
            }),
        }
    }

    async fn rounds(&self, network: &Network, agent: &Path) -> Result<Vec<Round>, LoadError> {
        let bar = progress::bar("scanning", self.rounds as u64, "scans");
        let mut rounds = Vec::new();
        for _ in 0..self.rounds {
            rounds.push(self.round(network, agent).await?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(rounds)
    }

    async fn round(&self, network: &Network, agent: &Path) -> Result<Round, LoadError> {
        let failed = |reason: String| LoadError::Program { program: agent.display().to_string(), reason };
        let ports: Vec<String> = (0..self.ports).map(|index| port(index).to_string()).collect();
        let mut command = network.inside(agent);
        command.args(["scan", "--json", "--ports", &ports.join(",")]).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let began = Instant::now();
        let child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let (output, resident_peak_bytes) =
            watched(child).await.map_err(|error| failed(error.to_string()))?;
        let seconds = began.elapsed().as_secs_f64();
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim_end().to_owned()));
        }
        let report = serde_json::from_slice(&output.stdout)
            .map_err(|error| failed(format!("its scan cannot be read: {error}")))?;
        Ok(Round { seconds, resident_peak_bytes, ..compare(&report, self.hosts, self.ports) })
    }
}

/// Waits for `child` to end, and looks at its memory meanwhile.
async fn watched(child: Child) -> std::io::Result<(std::process::Output, Option<u64>)> {
    let (pid, mut peak, mut ticks) = (child.id(), None, interval(LOOK_EVERY));
    let mut ended = std::pin::pin!(child.wait_with_output());
    loop {
        tokio::select! {
            output = &mut ended => return Ok((output?, peak)),
            _ = ticks.tick() => peak = peak.max(pid.and_then(memory::peak_bytes)),
        }
    }
}

/// What `report` has and lacks of a network of so many hosts and ports. The machine that scans is there as well.
fn compare(report: &Report, hosts: usize, ports: usize) -> Round {
    let found: BTreeMap<IpAddr, &[u16]> =
        report.hosts.iter().map(|host| (host.ip, host.ports.as_slice())).collect();
    let mut round = Round::default();
    for host in 0..hosts {
        let there = (0..ports).map(port).filter(|port| is_open(host, *port)).collect::<Vec<_>>();
        match found.get(&IpAddr::V4(network::address(host))) {
            None => round.missed += 1 + there.len(),
            Some(open) => {
                let right = there.iter().filter(|port| open.contains(port)).count();
                round.hosts_found += 1;
                round.ports_found += right;
                round.missed += there.len() - right;
                round.made_up += open.len() - right;
            }
        }
    }
    let known = |ip: &IpAddr| {
        let is_host = |address: Ipv4Addr| (0..hosts).any(|host| network::address(host) == address);
        matches!(ip, IpAddr::V4(address) if *address == network::THIS_MACHINE || is_host(*address))
    };
    round.made_up += found.keys().filter(|ip| !known(ip)).count();
    round
}

impl Figures {
    fn is_sound(&self) -> bool {
        self.rounds.iter().all(|round| round.missed == 0 && round.made_up == 0)
    }

    fn findings(&self) -> [Finding; 3] {
        let musts = [Must::ScanTime, Must::ScanMissed, Must::ScanMemory];
        if self.rounds.is_empty() {
            let why = self.trouble.clone().unwrap_or_default();
            return musts.map(|must| Finding::not_shown(must, why.clone()));
        }
        let terms = Terms::default()
            .needs(self.hosts as u64, TABLE_HOSTS as u64, "hosts")
            .needs(self.ports as u64, TABLE_PORTS as u64, "ports")
            .needs(self.rounds.len() as u64, TABLE_ROUNDS as u64, "rounds");
        let most = |of: fn(&Round) -> f64| self.rounds.iter().map(of).fold(f64::NAN, f64::max);
        let peak = self.rounds.iter().filter_map(|round| round.resident_peak_bytes).max();
        let memory = match peak {
            Some(bytes) => Finding::new(musts[2], bytes as f64 / MEGABYTE).under(&terms),
            None => Finding::not_shown(musts[2], "the agent's memory is unknown"),
        };
        let seconds = Finding::new(musts[0], most(|round| round.seconds)).under(&terms);
        let missed = most(|round| (round.missed + round.made_up) as f64);
        [seconds, Finding::new(musts[1], missed).under(&terms), memory]
    }

    fn text(&self) -> String {
        let Self { hosts, ports, rounds, trouble } = self;
        let mut text = format!("scan: a /24 with {hosts} hosts, {ports} ports tried\n\n");
        if let Some(why) = trouble {
            text += &format!("  not made: {why}\n");
        }
        for round in rounds {
            let memory = round
                .resident_peak_bytes
                .map_or_else(|| "unknown".to_owned(), |bytes| format!("{:.1} MB", bytes as f64 / MEGABYTE));
            text += &format!(
                "  {:>5.2} s   {} hosts, {} open ports found   {} missed, {} made up   memory, peak {memory}\n",
                round.seconds, round.hosts_found, round.ports_found, round.missed, round.made_up
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::discovery::Host;

    fn host(ip: Ipv4Addr, ports: Vec<u16>) -> Host {
        Host { ip: ip.into(), latency: None, ports, hostname: None, mac: None }
    }

    #[test]
    fn what_is_missed_and_what_is_made_up_is_counted() {
        let open = |host: usize| (0..24).map(port).filter(|port| is_open(host, *port)).collect::<Vec<_>>();
        let whole = |hosts: usize| Report {
            hosts: (0..hosts).map(|number| host(network::address(number), open(number))).collect(),
            duration: 1.0,
        };
        let all = compare(&whole(40), 40, 24);
        assert_eq!((all.hosts_found, all.ports_found, all.missed, all.made_up), (40, 320, 0, 0));
        assert_eq!(compare(&whole(39), 40, 24).missed, 1 + 8);
        let mut odd = whole(40);
        odd.hosts.push(host(network::THIS_MACHINE, vec![]));
        odd.hosts.push(host(Ipv4Addr::new(198, 18, 77, 250), vec![]));
        odd.hosts[0].ports = vec![1, open(0)[0]];
        let round = compare(&odd, 40, 24);
        assert_eq!((round.missed, round.made_up), (7, 2));
    }

    #[test]
    fn what_was_not_made_is_not_shown() {
        let none = Figures { trouble: Some("no namespaces".to_owned()), ..Figures::default() };
        assert!(
            none.findings().iter().all(|finding| finding.value.is_none() && finding.note == "no namespaces")
        );
        assert!(none.text().contains("no namespaces"));
        let round = Round { seconds: 2.0, resident_peak_bytes: Some(9_000_000), ..Round::default() };
        let one = Figures { hosts: 40, ports: 24, rounds: vec![round], trouble: None };
        let findings = one.findings();
        assert_eq!(findings.each_ref().map(|finding| finding.value), [Some(2.0), Some(0.0), Some(9.0)]);
        assert!(findings.iter().all(|finding| finding.easier), "one round of three");
    }
}
