//! What the program can be asked to do: each scenario with its flags, by its name.

use super::{
    Scenario,
    abuse::Abuse,
    agent::Agent,
    all::All,
    ceiling::Ceiling,
    command_fanout::CommandFanout,
    command_latency::CommandLatency,
    crash::Crash,
    demo::Demo,
    fill::Fill,
    fleet_memory::Fleet,
    herd::Herd,
    ingest::Ingest,
    ingest_batch::IngestBatch,
    ingest_single::IngestSingle,
    labels::Labels,
    query_mix::QueryMix,
    scan::{FarSide, Scan},
    stall::Stall,
    start::Start,
    steady::Steady,
};
use crate::{
    error::LoadError,
    report::Told,
    settings::{SettingsError, Target},
};
use clap::Subcommand;

/// Each scenario with its flags.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Register agents and push signed samples; exit code 0 when every row was accepted, 1 otherwise
    Ingest(Ingest),
    /// One sample a request, beside a bare HTTP handler in turns: how much of it the hub reaches
    IngestSingle(IngestSingle),
    /// Batches, as fast as answers come
    IngestBatch(IngestBatch),
    /// A rate on schedule: latencies from the due moment, pauses
    Steady(Steady),
    /// A hub whose writer stands still for a while, and agents that spool meanwhile
    Stall(Stall),
    /// Kill the hub under load, over and over, and count every row
    Crash(Crash),
    /// Questions about a filled store, alone or beside ingest
    QueryMix(QueryMix),
    /// What dashboards ask first, of ten thousand agents: labels, their values, series
    Labels(Labels),
    /// A bare HTTP handler instead of a hub: what this machine and this generator can do
    Ceiling(Ceiling),
    /// Fill a store with weeks of samples (and scans) through the front door
    Fill(Fill),
    /// How long a hub with that store takes to listen: after a clean stop, after kill -9 under load
    Start(Start),
    /// How soon a command is begun by its agent: the only one, and one among many that wait
    CommandLatency(CommandLatency),
    /// One order to all: when all have it, when all results are stored
    CommandFanout(CommandFanout),
    /// Agents that wait, beat and push for a while: what the hub takes in memory
    Fleet(Fleet),
    /// A hub that is gone for a while under a fleet: when all are back, and whether they come as a herd, that is
    /// all in the same second, which would take the hub down again
    Herd(Herd),
    /// The real agent program at a hub: what it takes in memory and processor, how soon its first sample is there, a day
    /// without its hub
    Agent(Agent),
    /// A scan by the real agent of a real /24 in network namespaces: its time, what it finds, its memory
    Scan(Scan),
    /// A hub to look at: a fleet with days behind it that goes on, and all that a Grafana needs to show it
    Demo(Demo),
    /// Abusive loads beside good agents: what is left of their rate, what the hub takes in memory, when all is normal again
    Abuse(Abuse),
    /// Everything in turn, and the table of what must hold
    All(All),
    /// The bare handler itself
    #[command(hide = true)]
    Bare,
    /// The hosts of the network that is scanned
    #[command(hide = true)]
    FarSide(FarSide),
}

/// Does the same with whichever scenario a command is; with what is none, something else.
macro_rules! whichever {
    ($command:expr, $scenario:ident => $does:expr, bare => $bare:expr) => {
        match $command {
            Command::Ingest($scenario) => $does,
            Command::IngestSingle($scenario) => $does,
            Command::IngestBatch($scenario) => $does,
            Command::Steady($scenario) => $does,
            Command::Stall($scenario) => $does,
            Command::Crash($scenario) => $does,
            Command::QueryMix($scenario) => $does,
            Command::Labels($scenario) => $does,
            Command::Ceiling($scenario) => $does,
            Command::Fill($scenario) => $does,
            Command::Start($scenario) => $does,
            Command::CommandLatency($scenario) => $does,
            Command::CommandFanout($scenario) => $does,
            Command::Fleet($scenario) => $does,
            Command::Herd($scenario) => $does,
            Command::Agent($scenario) => $does,
            Command::Scan($scenario) => $does,
            Command::Demo($scenario) => $does,
            Command::Abuse($scenario) => $does,
            Command::All($scenario) => $does,
            Command::Bare | Command::FarSide(_) => $bare,
        }
    };
}

impl Command {
    /// Refuses settings that do not go together.
    pub(crate) fn check(&self, target: &Target) -> Result<(), SettingsError> {
        whichever!(self, scenario => scenario.check(target), bare => Ok(()))
    }

    /// Runs the scenario to its end.
    pub(crate) async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        whichever!(
            self,
            scenario => Box::pin(scenario.run(target, seed)).await,
            bare => Err(LoadError::Nothing("this is a part of a scenario, and none itself"))
        )
    }
}
