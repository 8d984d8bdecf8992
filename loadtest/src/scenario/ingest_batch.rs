//! Batches, as fast as answers come: how many rows a second the hub takes when spools are emptied.

use super::{AGENTS, Scenario, load, push};
use crate::{
    error::LoadError,
    report::Told,
    settings::{
        AGENTS_MAX, CONNECTIONS_MAX, RUN_SECONDS_MAX, SettingsError, Target, check_connections, number,
    },
    verdict::{Finding, Must},
};
use clap::{Args, value_parser};
use pingup_protocol::limits::BATCH_SAMPLES_MAX;

/// The batch and the connections that the table speaks of.
const TABLE: (usize, usize) = (500, 32);

/// How many, how large, how long.
#[derive(Args)]
pub(crate) struct IngestBatch {
    /// Agents to register
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", default_value = AGENTS,
          value_parser = number::<1, AGENTS_MAX>)]
    pub(crate) agents: usize,
    /// Keep-alive connections
    #[arg(long, env = "PINGUP_CONNECTIONS", value_name = "N", default_value = "32",
          value_parser = number::<1, CONNECTIONS_MAX>)]
    pub(crate) connections: usize,
    /// How long to push
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", default_value_t = 20,
          value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    pub(crate) seconds: u64,
    /// Samples in one request
    #[arg(long, env = "PINGUP_BATCH", value_name = "N", default_value = "500",
          value_parser = number::<1, { BATCH_SAMPLES_MAX as u64 }>)]
    pub(crate) batch: usize,
}

impl Scenario for IngestBatch {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        check_connections(self.connections, self.agents)
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let load = load(self.connections, self.batch, None, self.seconds);
        let pushed = push(target, seed, "ingest-batch", self.agents, load).await?;
        let fits = (self.batch, self.connections) == TABLE;
        let found = fits.then(|| Finding::new(Must::Batches, pushed.report.rows_per_second));
        Ok(pushed.told.with(found))
    }
}
