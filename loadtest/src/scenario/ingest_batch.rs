//! Batches, as fast as answers come: how many rows a second the hub takes when spools are emptied.

use super::{AGENTS, Pushers, Scenario, load, push};
use crate::{
    error::LoadError,
    report::Told,
    settings::{RUN_SECONDS_MAX, SettingsError, Target},
    verdict::{Finding, Must},
};
use clap::{Args, value_parser};

/// The batch and the connections that the table speaks of.
const TABLE: (usize, usize) = (500, 32);

/// How many, how large, how long.
#[derive(Args)]
pub(crate) struct IngestBatch {
    /// Who pushes
    #[command(flatten)]
    pub(crate) pushers: Pushers<AGENTS, 32, 500>,
    /// How long to push
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", default_value_t = 20,
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
        let found = fits.then(|| Finding::new(Must::Batches, pushed.report.rows_per_second));
        Ok(pushed.told.with(found))
    }
}
