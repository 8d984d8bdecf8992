//! One signed sample a request, at the hub and at a bare handler in turns: how much of the machine's ceiling the
//! hub reaches.
//!
//! Both are programs of their own, driven by the same lanes with the same signing and the same reading of
//! answers. They take turns in every round, so that a machine that is faster or slower at times treats both
//! alike; the median of the rounds counts.

use super::{AGENTS, Scenario, ceiling, load, register};
use crate::{
    error::LoadError,
    fleet::FleetAgent,
    hub::Stage,
    lanes,
    load_report::LoadReport,
    progress::Progress,
    report::Told,
    settings::{
        AGENTS_MAX, CONNECTIONS_MAX, Hub, RUN_SECONDS_MAX, SettingsError, TIMES_MAX, Target,
        check_connections, number,
    },
    verdict::{Finding, Must, Terms},
};
use clap::{Args, value_parser};
use indicatif::HumanCount;
use serde::Serialize;
use std::{fmt::Write, sync::Arc};

/// How long each of the table's turns takes, seconds, and how many there are.
const TABLE_SECONDS: u64 = 10;
const TABLE_ROUNDS: usize = 3;

/// How many, how long, how often.
#[derive(Args)]
pub(crate) struct IngestSingle {
    /// Agents to register
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", default_value_t = AGENTS,
          value_parser = number::<1, AGENTS_MAX>)]
    pub(crate) agents: usize,
    /// Keep-alive connections, one run for each number
    #[arg(long, env = "PINGUP_CONNECTIONS", value_name = "N,…", default_value = "64,256,1000",
          value_delimiter = ',', value_parser = number::<1, CONNECTIONS_MAX>)]
    pub(crate) connections: Vec<usize>,
    /// How long each turn takes
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", default_value_t = TABLE_SECONDS,
          value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    pub(crate) seconds: u64,
    /// Turns of each at every number of connections; the median counts
    #[arg(long, env = "PINGUP_ROUNDS", value_name = "N", default_value_t = TABLE_ROUNDS,
          value_parser = number::<1, TIMES_MAX>)]
    pub(crate) rounds: usize,
}

/// What one number of connections came to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Compared {
    connections: usize,
    ceiling_rows_per_second: f64,
    hub_rows_per_second: f64,
    ratio: f64,
    rounds: Vec<Round>,
}

#[derive(Serialize)]
struct Round {
    ceiling: LoadReport,
    hub: LoadReport,
}

#[derive(Serialize)]
struct Figures {
    seed: u64,
    agents: usize,
    compared: Vec<Compared>,
}

impl Scenario for IngestSingle {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        check_connections(self.connections.iter().copied().max().unwrap_or_default(), self.agents)
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let stage = Stage::open(target).await?;
        let bare = ceiling::start().await?;
        let mut hub = Side::new(&stage.hub, "hub", register(&stage, self.agents, seed).await?, seed);
        let mut ceiling = Side::new(&bare.hub, "ceiling", ceiling::fleet(self.agents), seed);
        let mut compared = Vec::new();
        for &connections in &self.connections {
            let mut rounds = Vec::new();
            for _ in 0..self.rounds {
                let ceiling = ceiling.turn(connections, self.seconds).await?;
                rounds.push(Round { ceiling, hub: hub.turn(connections, self.seconds).await? });
            }
            compared.push(Compared::new(connections, rounds));
        }
        bare.kill().await?;
        let memory = stage.close().await?;
        let sound = compared.iter().flat_map(|compared| &compared.rounds).all(|round| round.hub.sound());
        let findings: Vec<_> = compared.iter().filter_map(|one| one.finding(&self.terms())).collect();
        let figures = Figures { seed, agents: self.agents, compared };
        Ok(Told::new("ingest-single", &figures, figures.text(), sound).with(findings).with_memory(memory))
    }
}

impl IngestSingle {
    /// In what the run differs from the table's.
    fn terms(&self) -> Terms {
        Terms::default()
            .needs(self.seconds, TABLE_SECONDS, "s")
            .needs(self.rounds as u64, TABLE_ROUNDS as u64, "rounds")
            .needs(self.agents as u64, AGENTS as u64, "agents")
    }
}

/// One of both, and the agents that push to it.
struct Side {
    hub: Arc<Hub>,
    name: &'static str,
    fleet: Vec<FleetAgent>,
    seed: u64,
}

impl Side {
    fn new(hub: &Arc<Hub>, name: &'static str, fleet: Vec<FleetAgent>, seed: u64) -> Self {
        Self { hub: Arc::clone(hub), name, fleet, seed }
    }

    async fn turn(&mut self, connections: usize, seconds: u64) -> Result<LoadReport, LoadError> {
        let load = load(connections, 1, None, seconds);
        let progress = Progress::new(&format!("{} {connections}", self.name), load.until, 0);
        let mut ran = lanes::run(&self.hub, std::mem::take(&mut self.fleet), load, &progress).await?;
        self.fleet = std::mem::take(&mut ran.fleet);
        Ok(LoadReport::new(self.hub.url(), self.fleet.len(), self.seed, &load, &ran))
    }
}

impl Compared {
    fn new(connections: usize, rounds: Vec<Round>) -> Self {
        let ceiling = median(rounds.iter().map(|round| round.ceiling.rows_per_second).collect());
        let hub = median(rounds.iter().map(|round| round.hub.rows_per_second).collect());
        Self {
            connections,
            ceiling_rows_per_second: ceiling,
            hub_rows_per_second: hub,
            ratio: hub / ceiling,
            rounds,
        }
    }

    fn finding(&self, terms: &Terms) -> Option<Finding> {
        let must = match self.connections {
            64 => Must::Singles64,
            256 => Must::Singles256,
            1_000 => Must::Singles1000,
            _ => return None,
        };
        Some(Finding::new(must, self.ratio).under(terms))
    }
}

impl Figures {
    fn text(&self) -> String {
        let mut text = format!("ingest-single, {} agents, seed {}\n\n", self.agents, self.seed);
        text += "  connections    ceiling rows/s        hub rows/s   share   hub p50 ms   hub p99 ms\n";
        for compared in &self.compared {
            let Compared { connections, ceiling_rows_per_second, hub_rows_per_second, ratio, .. } = compared;
            let of = |quantile: fn(&LoadReport) -> f64| {
                median(compared.rounds.iter().map(|round| quantile(&round.hub)).collect())
            };
            let (p50, p99) = (of(|hub| hub.latency_milliseconds.p50), of(|hub| hub.latency_milliseconds.p99));
            let ceiling = HumanCount(*ceiling_rows_per_second as u64).to_string();
            let hub = HumanCount(*hub_rows_per_second as u64).to_string();
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "  {connections:>11} {ceiling:>17} {hub:>17} {ratio:>7.2} {p50:>12.2} {p99:>12.2}"
            );
        }
        text
    }
}

/// The middle one; of an even number, the lower of both in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_counts() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.0);
        assert_eq!(median(vec![7.0]), 7.0);
        assert!(median(Vec::new()).is_nan());
    }
}
