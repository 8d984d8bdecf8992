//! The scenarios, one file each: what it does, its flags, and what it tells.
//!
//! A scenario opens its own stage (a hub that runs already, or one of our own), loads it, and closes the stage
//! again. Each can be run alone; [`all`] runs them in turn.

mod abuse;
mod agent;
mod all;
pub(crate) mod ceiling;
mod command;
mod command_fanout;
mod command_latency;
mod crash;
mod demo;
mod fill;
mod fleet_memory;
mod habits;
mod herd;
mod ingest;
mod ingest_batch;
mod ingest_single;
mod labels;
mod order_all;
mod pushers;
mod query_mix;
mod scan;
mod stall;
mod start;
mod steady;

pub(crate) use command::Command;
pub(crate) use pushers::Pushers;

use crate::{
    error::LoadError,
    fleet::{self, FleetAgent, Moments},
    hub::Stage,
    lanes::{self, Cargo, Load, Until},
    load_report::LoadReport,
    machine::Probe,
    progress::{self, Progress},
    report::Told,
    settings::{SettingsError, Target},
};
use std::{num::NonZeroU64, time::Duration};

/// Agents of a scenario unless said otherwise.
const AGENTS: usize = 5_000;

/// What every scenario can do.
pub(crate) trait Scenario {
    /// Refuses settings that do not go together.
    fn check(&self, target: &Target) -> Result<(), SettingsError>;

    /// Runs to the end, or to Ctrl-C, and tells either way. What is random follows from `seed`.
    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError>;
}

/// Registers the agents of a scenario, with a bar.
async fn register(stage: &Stage, agents: usize, seed: u64) -> Result<Vec<FleetAgent>, LoadError> {
    register_as(stage, &fleet::run_name("loadtest"), agents, seed).await
}

/// The same; their names begin with `run`.
async fn register_as(
    stage: &Stage,
    run: &str,
    agents: usize,
    seed: u64,
) -> Result<Vec<FleetAgent>, LoadError> {
    let bar = progress::bar("registering", agents as u64, "agents");
    fleet::register(&stage.hub, &stage.bearer, run, agents, seed, &bar).await
}

/// A load of samples that are taken as they are sent.
const fn load(connections: usize, rows: usize, rate: Option<NonZeroU64>, seconds: u64) -> Load {
    let cargo = Cargo::Samples { rows, moments: Moments::Now };
    Load { connections, cargo, rate, until: Until::Elapsed(Duration::from_secs(seconds)) }
}

/// Registers `agents`, pushes a load, and closes the stage: what several scenarios come to.
async fn push(
    target: &Target,
    seed: u64,
    name: &'static str,
    agents: usize,
    load: Load,
) -> Result<Pushed, LoadError> {
    let stage = Stage::open(target).await?;
    let fleet = register(&stage, agents, seed).await?;
    // Only a load on schedule has pauses.
    let probe = load.rate.map(|_| Probe::start(stage.data_dir()));
    let ran = lanes::run(&stage.hub, fleet, load, &Progress::new(name, load.until, 0)).await?;
    let machine = probe.and_then(Probe::finish);
    let report = LoadReport::new(stage.hub.url(), agents, seed, &load, &ran);
    let memory = stage.close().await?;
    let told = Told::new(name, &report, format!("{name} on {report}"), report.sound());
    let told = told.telling_machine(machine).with_memory(memory);
    Ok(Pushed { report, told })
}

/// What a load came to, in figures and told.
struct Pushed {
    report: LoadReport,
    told: Told,
}
