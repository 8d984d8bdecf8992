//! A scan by the real agent program of a real /24: how long it takes, whether all is found, what it takes in memory.
//!
//! The network is made for the run, of network namespaces ([`Network`]); nobody else's is touched. Each host opens
//! a third of the ports and refuses the others; the other addresses are nobody's. Where the system allows no namespaces,
//! that is told, and nothing is shown.

mod figures;
mod network;

use figures::{Figures, Round, compare};
pub(crate) use network::FarSide;
use network::{Network, port};

use super::Scenario;
use crate::{
    error::LoadError,
    hub, memory, progress,
    report::Told,
    settings::{SettingsError, TIMES_MAX, Target, number},
};
use clap::Args;
use std::{
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
        let mut round = compare(&report, self.hosts, self.ports);
        (round.seconds, round.resident_peak_bytes) = (seconds, resident_peak_bytes);
        Ok(round)
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
