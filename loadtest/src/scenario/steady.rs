//! A rate on schedule for a long time: what an answer takes, from the moment its sample was due, and whether the
//! hub ever pauses.

use super::{AGENTS, Pushers, Scenario, load, push};
use crate::{
    error::LoadError,
    load_report::Latency,
    report::Told,
    settings::{RATE_ROWS_MAX, RUN_SECONDS_MAX, SettingsError, Target},
    verdict::{Finding, Must, Terms},
};
use clap::{Args, value_parser};
use std::num::NonZeroU64;

/// The rates that the table speaks of, rows a second.
const TABLE_RATE: u64 = 20_000;
const TABLE_RATE_LIGHT: u64 = 1_000;
/// How long the table's steady load goes on, seconds.
const TABLE_SECONDS: u64 = 600;
/// The same of its light load.
const TABLE_SECONDS_LIGHT: u64 = 60;
/// Connections of both.
const TABLE_CONNECTIONS: usize = 256;

/// How much, how long.
#[derive(Args)]
pub(crate) struct Steady {
    /// Rows a second
    #[arg(long, env = "PINGUP_RATE", value_name = "N", default_value_t = TABLE_RATE,
          value_parser = value_parser!(u64).range(1..=RATE_ROWS_MAX))]
    pub(crate) rate: u64,
    /// How long
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", default_value_t = TABLE_SECONDS,
          value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    pub(crate) seconds: u64,
    /// Who pushes
    #[command(flatten)]
    pub(crate) pushers: Pushers<AGENTS, TABLE_CONNECTIONS, 1>,
}

impl Scenario for Steady {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        self.pushers.check()
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let Pushers { agents, connections, batch } = self.pushers;
        let load = load(connections, batch, NonZeroU64::new(self.rate), self.seconds);
        let pushed = push(target, seed, "steady", agents, load).await?;
        let findings = self.findings(&pushed.report.latency_milliseconds);
        Ok(pushed.told.with(findings))
    }
}

impl Steady {
    fn findings(&self, latency: &Latency) -> Vec<Finding> {
        let terms = self.terms();
        let found = match self.rate {
            // A pause shows in what fell due during it, so the worst latency is the longest pause.
            TABLE_RATE => vec![
                (Must::SteadyP99, latency.p99),
                (Must::SteadyP999, latency.p999),
                (Must::SteadyPause, latency.max),
            ],
            TABLE_RATE_LIGHT => vec![(Must::LightP50, latency.p50), (Must::LightP99, latency.p99)],
            _ => Vec::new(),
        };
        found.into_iter().map(|(must, value)| Finding::new(must, value).under(&terms)).collect()
    }

    /// In what the run differs from the table's.
    fn terms(&self) -> Terms {
        let Pushers { agents, connections, batch } = self.pushers;
        let seconds = if self.rate == TABLE_RATE_LIGHT { TABLE_SECONDS_LIGHT } else { TABLE_SECONDS };
        let terms = Terms::default()
            .needs(self.seconds, seconds, "s")
            .needs(agents as u64, AGENTS as u64, "agents")
            .needs(connections as u64, TABLE_CONNECTIONS as u64, "connections");
        if batch > 1 { terms.easier(format!("in batches of {batch}")) } else { terms }
    }
}
