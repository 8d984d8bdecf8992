//! A fleet that pushes signed samples, as its flags say; no more than that is judged than that no row is lost.

use super::{Scenario, load, push};
use crate::{
    error::LoadError,
    report::Told,
    settings::{
        AGENTS_MAX, CONNECTIONS_MAX, RATE_ROWS_MAX, RUN_SECONDS_MAX, SettingsError, Target,
        check_connections, number,
    },
};
use clap::{Args, value_parser};
use pingup_protocol::limits::BATCH_SAMPLES_MAX;
use std::num::NonZeroU64;

/// What to push, and how.
#[derive(Args)]
pub(crate) struct Ingest {
    /// Agents to register; they stay in the hub's list
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", value_parser = number::<1, AGENTS_MAX>)]
    pub(crate) agents: usize,
    /// Keep-alive connections, each with its share of the agents and one request in flight
    #[arg(long, env = "PINGUP_CONNECTIONS", value_name = "N", value_parser = number::<1, CONNECTIONS_MAX>)]
    pub(crate) connections: usize,
    /// How long to push
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    pub(crate) seconds: u64,
    /// Samples in one request
    #[arg(long, env = "PINGUP_BATCH", value_name = "N", default_value_t = 1,
          value_parser = number::<1, { BATCH_SAMPLES_MAX as u64 }>)]
    pub(crate) batch: usize,
    /// Rows a second in total, on a schedule; without it, each connection sends as fast as it is answered
    #[arg(long, env = "PINGUP_RATE", value_name = "N", value_parser = value_parser!(u64).range(1..=RATE_ROWS_MAX))]
    pub(crate) rate: Option<u64>,
}

impl Scenario for Ingest {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        check_connections(self.connections, self.agents)
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let rate = self.rate.and_then(NonZeroU64::new);
        let load = load(self.connections, self.batch, rate, self.seconds);
        push(target, seed, "ingest", self.agents, load).await.map(|pushed| pushed.told)
    }
}
