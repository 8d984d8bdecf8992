//! Everything in turn, and the table of what must hold with what was measured beside it.
//!
//! With `--short` it takes a few minutes: turns are shorter, the store is filled for a few agents only, the hub is
//! killed ten times. Where that makes a line easier than the table has it, the line says so and does not count as held.
//! Without it, it takes hours' patience and a disk with some gigabytes to spare.

use super::{
    Pushers, Scenario,
    abuse::Abuse,
    agent::Agent,
    command_fanout::{By, CommandFanout},
    command_latency::CommandLatency,
    crash::Crash,
    fill::Fill,
    fleet_memory::{Fleet, TABLE_SECONDS},
    habits::{HabitFlags, TABLE_AGENTS, TABLE_INTERVAL},
    herd::{Ending, Herd, TABLE_DOWN},
    ingest_batch::IngestBatch,
    ingest_single::IngestSingle,
    labels::Labels,
    query_mix::QueryMix,
    scan::Scan,
    stall::Stall,
    start::Start,
    steady::Steady,
};
use crate::{
    error::LoadError,
    report::Told,
    settings::{OwnHub, RUN_SECONDS_MAX, SettingsError, Target, check_own},
    verdict::Terms,
};
use clap::{Args, value_parser};

/// How much of it.
#[derive(Args)]
pub(crate) struct All {
    /// The short set: a few minutes, of lines that are easier than the table's
    #[arg(long, env = "PINGUP_SHORT", value_name = "YES", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false",
          value_parser = clap::builder::BoolishValueParser::new())]
    short: bool,
    /// How long each turn of the short set takes; steady loads take a few turns
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", default_value_t = 4,
          value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    seconds: u64,
}

impl Scenario for All {
    fn check(&self, target: &Target) -> Result<(), SettingsError> {
        check_own("all", target)?;
        match target {
            Target::Own(own) if own.data_dir.is_some() => Err(SettingsError::Unfit(
                "all starts several hubs, each with a folder of its own: leave --data-dir away",
            )),
            _ => Ok(()),
        }
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let Target::Own(own) = target else {
            return Err(LoadError::Nothing("all runs hubs of its own"));
        };
        let set = if self.short { Set::short(self.seconds) } else { Set::whole() };
        let mut parts = vec![
            ("ingest-single", set.single.run(target, seed).await?),
            ("ingest-batch", set.batch.run(target, seed).await?),
            ("steady-light", set.light.run(target, seed).await?),
            ("steady", set.steady.run(target, seed).await?),
            ("stall", set.stall.run(target, seed).await?),
            ("crash", set.crash.run(target, seed).await?),
        ];
        parts.extend(set.crews.run(target, seed).await?);
        parts.push(("agent", set.agent.run(target, seed).await?));
        parts.push(("scan", Scan::table().run(target, seed).await?));
        parts.push(("abuse", set.abuse.run(target, seed).await?));
        let folder = tempfile::Builder::new()
            .prefix("pingup-loadtest-")
            .tempdir()
            .map_err(|source| LoadError::File { path: std::env::temp_dir().display().to_string(), source })?;
        let data_dir = Some(folder.path().join("data"));
        let filled = Target::Own(OwnHub { server: own.server.clone(), data_dir });
        parts.push(("fill", set.fill.run(&filled, seed).await?));
        parts.push(("start", set.start.run(&filled, seed).await?));
        parts.push(("query-mix", set.queries.run(&filled, seed).await?));
        parts.push(("labels", set.labels.run(target, seed).await?));
        Ok(Told::all("all", parts))
    }
}

/// What is run.
struct Set {
    single: IngestSingle,
    batch: IngestBatch,
    light: Steady,
    steady: Steady,
    stall: Stall,
    crash: Crash,
    crews: Crews,
    agent: Agent,
    abuse: Abuse,
    fill: Fill,
    start: Start,
    queries: QueryMix,
    labels: Labels,
}

impl Set {
    fn whole() -> Self {
        Self {
            single: IngestSingle { agents: 5_000, connections: vec![64, 256, 1_000], seconds: 10, rounds: 3 },
            batch: IngestBatch { pushers: Pushers::of(5_000), seconds: 20 },
            light: Steady { rate: 1_000, seconds: 60, pushers: Pushers::of(5_000) },
            steady: Steady { rate: 20_000, seconds: 600, pushers: Pushers::of(5_000) },
            stall: Stall { agents: 500, rate: 20_000, after: 8, r#for: 30 },
            crash: Crash { kills: 200, agents: 32 },
            crews: Crews::whole(),
            agent: Agent::whole(),
            abuse: Abuse::whole(),
            fill: Fill {
                pushers: Pushers::of(1_000),
                days: 30,
                interval: 30,
                discovery_agents: 200,
                discovery_days: None,
            },
            start: Start { rounds: 3, store: Terms::default() },
            queries: QueryMix { queries: 100, ingest_rate: 20_000, heavy: 10, seconds: 60 },
            labels: Labels { agents: TABLE_AGENTS, queries: 100 },
        }
    }

    fn short(seconds: u64) -> Self {
        let fill = Fill::small();
        let store = Terms::default().easier(format!("{} agents", fill.pushers.agents));
        Self {
            single: IngestSingle { agents: 5_000, connections: vec![64, 256, 1_000], seconds, rounds: 1 },
            batch: IngestBatch { pushers: Pushers::of(1_000), seconds: 2 * seconds },
            light: Steady { rate: 1_000, seconds: 2 * seconds, pushers: Pushers::of(1_000) },
            steady: Steady { rate: 20_000, seconds: 5 * seconds, pushers: Pushers::of(5_000) },
            stall: Stall { agents: 500, rate: 20_000, after: 5, r#for: 8 },
            crash: Crash { kills: 10, agents: 32 },
            crews: Crews::short(seconds),
            agent: Agent::short(seconds),
            abuse: Abuse::short(seconds),
            fill,
            start: Start { rounds: 1, store },
            queries: QueryMix { queries: 30, ingest_rate: 20_000, heavy: 10, seconds: 2 * seconds },
            labels: Labels { agents: TABLE_AGENTS / 10, queries: 30 },
        }
    }
}

/// What is run with agents that live as the real one does.
struct Crews {
    latency: CommandLatency,
    fanout: CommandFanout,
    fleet: Fleet,
    herd: Herd,
}

impl Crews {
    fn whole() -> Self {
        let (agents, habits) = (TABLE_AGENTS, HabitFlags::every(TABLE_INTERVAL));
        Self {
            latency: CommandLatency { agents: vec![1, agents], commands: 1_000, rate: 50, habits },
            fanout: CommandFanout { agents, by: By::Selector, rounds: 3, habits },
            fleet: Fleet { agents, seconds: TABLE_SECONDS, habits },
            herd: Herd { agents, down: TABLE_DOWN, end: Ending::Kill, habits },
        }
    }

    /// A tenth of the table's agents.
    fn short(seconds: u64) -> Self {
        let (agents, habits) = (TABLE_AGENTS / 10, HabitFlags::every(TABLE_INTERVAL));
        Self {
            latency: CommandLatency { agents: vec![1, agents], commands: 300, rate: 50, habits },
            fanout: CommandFanout { agents, by: By::Selector, rounds: 2, habits },
            fleet: Fleet { agents, seconds: 9 * seconds, habits },
            herd: Herd { agents, down: 1, end: Ending::Kill, habits },
        }
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<[(&'static str, Told); 4], LoadError> {
        Ok([
            ("command-latency", self.latency.run(target, seed).await?),
            ("command-fanout", self.fanout.run(target, seed).await?),
            ("fleet", self.fleet.run(target, seed).await?),
            ("herd", self.herd.run(target, seed).await?),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_form_has_the_fleet_at_work_as_long_as_the_table_says() {
        let fleet = Crews::whole().fleet;
        assert!(fleet.seconds >= TABLE_SECONDS && fleet.agents >= TABLE_AGENTS);
    }
}
