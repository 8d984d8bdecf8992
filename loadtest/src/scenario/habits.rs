//! The flags of scenarios with a crew, and what it takes to have one: agents that live as the real one does.

use super::register_as;
use crate::{
    crew::{Crew, Habits, LINES_REAL, files_needed, kept},
    error::LoadError,
    fleet,
    hub::{Stage, Start},
    memory::Memory,
    open_files,
    settings::{RUN_SECONDS_MAX, Target, number},
    verdict::Terms,
};
use clap::{Args, value_parser};
use std::{cmp::Ordering, time::Duration};

/// Agents that the table speaks of.
pub(crate) const TABLE_AGENTS: usize = 10_000;
/// From one sample to the next, as the table has it, seconds.
pub(crate) const TABLE_INTERVAL: u64 = 30;
/// How long a crew may take until all of it waits.
pub(crate) const MUSTER_MAX: Duration = Duration::from_secs(120);
/// Connections that a hub takes unless it is told otherwise.
const HUB_CONNECTIONS_DEFAULT: usize = 49_152;

/// How the agents of a scenario live.
#[derive(Args, Clone, Copy)]
pub(crate) struct HabitFlags {
    /// Connections that each agent keeps: 2 as the real one does, 1: only the one that waits, the other is opened for
    /// each request [default: as many of the 2 as the system grants open files for]
    #[arg(long, env = "PINGUP_LINES", value_name = "N", value_parser = number::<1, { LINES_REAL as u64 }>)]
    lines: Option<usize>,
    /// Seconds from one sample of an agent to the next
    #[arg(long, env = "PINGUP_INTERVAL", value_name = "N", default_value_t = TABLE_INTERVAL,
          value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    interval: u64,
}

impl HabitFlags {
    /// As the table has it, but for the interval.
    pub(super) const fn every(interval: u64) -> Self {
        Self { lines: None, interval }
    }

    /// How `agents` live by these flags, if the system grants it.
    pub(super) fn habits(&self, agents: usize) -> Result<Habits, LoadError> {
        let lines = kept(agents, self.lines, open_files::granted())?;
        Ok(Habits { lines, interval: Duration::from_secs(self.interval) })
    }

    /// The same, and a stage for them; a hub of our own listens on `port`.
    pub(super) async fn stage(
        &self,
        target: &Target,
        agents: usize,
        port: u16,
    ) -> Result<(Habits, Stage), LoadError> {
        let habits = self.habits(agents)?;
        Ok((habits, Stage::open_with(target, start(agents, habits, port)).await?))
    }

    /// In what a run of `agents` differs from the table's.
    pub(super) fn terms(&self, agents: usize, habits: Habits) -> Terms {
        let terms = Terms::default().needs(agents as u64, TABLE_AGENTS as u64, "agents");
        let terms = if agents > TABLE_AGENTS { terms.noted(format!("{agents} agents")) } else { terms };
        let every = format!("every {} s", self.interval);
        let terms = match self.interval.cmp(&TABLE_INTERVAL) {
            Ordering::Less => terms.noted(every),
            Ordering::Equal => terms,
            Ordering::Greater => terms.easier(every),
        };
        terms.needs(habits.lines as u64, LINES_REAL as u64, "connections each kept")
    }
}

/// A hub of our own that takes the connections of `agents`: more than its default only where that is needed.
fn start(agents: usize, habits: Habits, port: u16) -> Start {
    let connections = files_needed(agents, habits.lines);
    let more = connections > HUB_CONNECTIONS_DEFAULT;
    let environment = more.then(|| ("PINGUP_CONNECTIONS_MAX", connections.to_string())).into_iter().collect();
    Start { environment, port, ..Start::default() }
}

/// A crew whose agents all wait at the hub, and what their names begin with.
pub(super) struct Mustered {
    /// The agents.
    pub(super) crew: Crew,
    /// What their names begin with, and no other agent's name has in it.
    pub(super) run: String,
}

/// Registers `agents`, sends them to work, and waits until all wait.
pub(super) async fn muster(
    stage: &Stage,
    agents: usize,
    habits: Habits,
    seed: u64,
) -> Result<Mustered, LoadError> {
    let run = fleet::run_name("loadtest");
    let fleet = register_as(stage, &run, agents, seed).await?;
    let crew = Crew::muster(&stage.hub, fleet, habits).await?;
    crew.all_wait(crew.began(), MUSTER_MAX).await?;
    Ok(Mustered { crew, run })
}

/// Sends everybody home and closes the stage; says what its hub took in memory.
pub(super) async fn send_home(crew: Crew, stage: Stage) -> Result<Memory, LoadError> {
    crew.dismiss().await?;
    stage.close().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_told_to_take_more_only_where_it_must() {
        let habits = |lines| Habits { lines, interval: Duration::from_secs(30) };
        assert_eq!(start(10_000, habits(2), 0).environment, []);
        let told = start(30_000, habits(2), 7);
        assert_eq!((told.environment[0].1.as_str(), told.port), ("60128", 7));
    }

    #[test]
    fn a_run_says_where_it_is_not_the_tables() {
        let flags = HabitFlags::every(30);
        let habits = |lines| Habits { lines, interval: Duration::from_secs(30) };
        let terms = Terms::default;
        assert_eq!(flags.terms(10_000, habits(2)), terms());
        let less = terms().needs(500, 10_000, "agents").needs(1, 2, "connections each kept");
        assert_eq!(flags.terms(500, habits(1)), less);
        assert_eq!(HabitFlags::every(5).terms(10_000, habits(2)), terms().noted("every 5 s"));
        assert_eq!(
            HabitFlags::every(60).terms(20_000, habits(2)),
            terms().noted("20000 agents").easier("every 60 s")
        );
    }
}
