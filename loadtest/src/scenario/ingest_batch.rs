//! Batches, as fast as answers come: how many rows a second the hub takes when spools are emptied.

use super::{AGENTS, Pushers, Scenario, load, push};
use crate::{
    error::LoadError,
    report::Told,
    settings::{RUN_SECONDS_MAX, SettingsError, Target},
    verdict::{Finding, Must, Terms},
};
use clap::{Args, value_parser};

/// The batch and the connections that the table speaks of.
const TABLE: (usize, usize) = (500, 32);
/// How long the table's run goes on, seconds.
const TABLE_SECONDS: u64 = 20;

/// How many, how large, how long.
#[derive(Args)]
pub(crate) struct IngestBatch {
    /// Who pushes
    #[command(flatten)]
    pub(crate) pushers: Pushers<AGENTS, 32, 500>,
    /// How long to push
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", default_value_t = TABLE_SECONDS,
          value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    pub(crate) seconds: u64,
}

impl Scenario for IngestBatch {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        self.pushers.check()
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let Pushers { agents, connections, batch } = self.pushers;
        let load = load(connections, batch, None, self.seconds);
        let pushed = push(target, seed, "ingest-batch", agents, load).await?;
        let fits = (batch, connections) == TABLE;
        let terms = Terms::default().needs(self.seconds, TABLE_SECONDS, "s").needs(
            agents as u64,
            AGENTS as u64,
            "agents",
        );
        let found = fits.then(|| Finding::new(Must::Batches, pushed.report.rows_per_second).under(&terms));
        Ok(pushed.told.with(found))
    }
}
