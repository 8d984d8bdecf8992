//! A rate on schedule for a long time: what an answer takes, from the moment its sample was due, and whether the
//! hub ever pauses.

use super::{AGENTS, Pushers, Scenario, load, push};
use crate::{
    error::LoadError,
    load_report::Latency,
    report::Told,
    settings::{RATE_ROWS_MAX, RUN_SECONDS_MAX, SettingsError, Target},
    verdict::{Finding, Must},
};
use clap::{Args, value_parser};
use std::num::NonZeroU64;

/// The rates that the table speaks of, rows a second.
const TABLE_RATE: u64 = 20_000;
const TABLE_RATE_LIGHT: u64 = 1_000;
/// How long the table's steady load goes on, seconds.
const TABLE_SECONDS: u64 = 600;

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
    pub(crate) pushers: Pushers<AGENTS, 256, 1>,
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
        let mut note = Vec::new();
        if self.rate == TABLE_RATE && self.seconds < TABLE_SECONDS {
            note.push(format!("{} s", self.seconds));
        }
        if self.pushers.batch > 1 {
            note.push(format!("in batches of {}", self.pushers.batch));
        }
        let note = note.join(", ");
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
        found.into_iter().map(|(must, value)| Finding::new(must, value).noted(note.clone())).collect()
    }
}
