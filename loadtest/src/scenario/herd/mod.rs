//! A hub that is gone for a while under a fleet, and how the fleet comes back: as a herd, all in one moment, or spread.
//!
//! The hub is killed, or stopped, and started again on its port and its data. All agents must wait again, over new
//! connections, and what they measured meanwhile must be delivered; then an order goes to all, for whoever does not get it
//! is not back. In the end every agent's samples are read back. Attempts to connect are counted by the second: agents
//! that lost their hub together must not come back together.

mod figures;

use super::{
    Scenario,
    habits::{HabitFlags, Mustered, TABLE_AGENTS, muster},
    order_all::order_all,
};
use crate::{
    api::Api,
    crew::{Crew, Habits},
    error::LoadError,
    hub::{End, Stage},
    measured::mix,
    progress,
    report::Told,
    settings::{AGENTS_MAX, SettingsError, Target, check_own, number},
    spool::{Audit, Spool},
    verdict::Terms,
};
use clap::{Args, ValueEnum, value_parser};
use figures::Figures;
use hdrhistogram::Histogram;
use serde_json::json;
use std::{net::TcpListener, sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// How long the table's hub is away, seconds: longer than from one sample to the next, so that each agent has something
/// to deliver.
pub(crate) const TABLE_DOWN: u64 = 35;
/// How long all may take to be back, before it is called a failure to come back.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the fleet is at work before the hub goes.
const BEFORE: Duration = Duration::from_secs(5);
/// Ports that systems do not give to who connects: an agent that tries a hub which is away would else end up
/// connected to itself now and then, and hold the hub's port.
const PORTS: std::ops::Range<u16> = 10_000..32_000;
/// Ports that are tried.
const PORTS_TRIED_MAX: u64 = 100;
/// Histories that are read back at once.
const READERS: usize = 8;

/// How many, for how long.
#[derive(Args)]
pub(crate) struct Herd {
    /// Agents
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", default_value_t = TABLE_AGENTS,
          value_parser = number::<1, AGENTS_MAX>)]
    pub(crate) agents: usize,
    /// Seconds that the hub is away
    #[arg(long, env = "PINGUP_DOWN", value_name = "N", default_value_t = TABLE_DOWN,
          value_parser = value_parser!(u64).range(0..=3_600))]
    pub(crate) down: u64,
    /// How it ends
    #[arg(long, env = "PINGUP_END", value_name = "HOW", default_value = "kill")]
    pub(crate) end: Ending,
    /// How the agents live
    #[command(flatten)]
    pub(crate) habits: HabitFlags,
}

/// How the hub ends.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Ending {
    /// At once (SIGKILL)
    Kill,
    /// As it should (SIGTERM)
    Stop,
}

/// How long it took until all were back, from the moment the hub listened again.
struct Comeback {
    waiting: Duration,
    delivered: Duration,
    /// Until each agent had opened the connection over which it waits, microseconds.
    opened: Histogram<u64>,
    /// Attempts to connect since the hub went, by the second.
    attempts: Vec<u32>,
}

impl Scenario for Herd {
    fn check(&self, target: &Target) -> Result<(), SettingsError> {
        check_own("herd", target)
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let (habits, mut stage) = self.habits.stage(target, self.agents, free_port(seed)?).await?;
        let Mustered { crew, run } = muster(&stage, self.agents, habits, seed).await?;
        sleep(BEFORE).await;
        let comeback = self.come_back(&mut stage, &crew).await?;
        let order = json!({"selector": {"q": run}, "action": "ping"});
        let proof = order_all(&stage, &crew, &order, PATIENCE).await?;
        let entries = crew.diary.entries();
        let found = read_back(&stage, crew.dismiss().await?).await?;
        let memory = stage.close().await?;
        let figures = Figures::new(self, (seed, habits.lines), comeback, &entries, (found, proof.succeeded));
        let findings = figures.findings(&self.terms(habits));
        let (text, sound) = (figures.text(), figures.sound());
        Ok(Told::new("herd", &figures, text, sound).with(findings).telling_memory(memory))
    }
}

impl Herd {
    /// In what the run differs from the table's.
    fn terms(&self, habits: Habits) -> Terms {
        let terms = self.habits.terms(self.agents, habits);
        if self.down > TABLE_DOWN {
            return terms.noted(format!("away {} s", self.down));
        }
        terms.needs(self.down, TABLE_DOWN, "s away")
    }

    /// Takes the hub away, brings it back, and waits until all are there again.
    async fn come_back(&self, stage: &mut Stage, crew: &Crew) -> Result<Comeback, LoadError> {
        let end = match self.end {
            Ending::Kill => End::Kill,
            Ending::Stop => End::Stop,
        };
        crew.diary.attempts.begin_anew(Instant::now().into());
        stage.down(end).await?;
        // Whatever is open from now on is open to the next hub.
        let gone = Instant::now();
        sleep(Duration::from_secs(self.down)).await;
        stage.up().await?;
        let listens = Instant::now();
        let all = crew.len() as u64;
        let (mut waiting, mut delivered) = (None, None);
        crew.watch("until all are back", all, PATIENCE, || {
            let waits = crew.diary.waiting_since(gone) as u64;
            let have = all - crew.undelivered(listens) as u64;
            for (count, came) in [(waits, &mut waiting), (have, &mut delivered)] {
                if count == all {
                    came.get_or_insert_with(|| listens.elapsed());
                }
            }
            waits.min(have)
        })
        .await?;
        Ok(Comeback {
            waiting: waiting.unwrap_or_else(|| listens.elapsed()),
            delivered: delivered.unwrap_or_else(|| listens.elapsed()),
            opened: crew.diary.opened_after(listens),
            attempts: crew.diary.attempts.by_second(),
        })
    }
}

/// A port that nobody has and that no system gives to who connects.
pub(super) fn free_port(seed: u64) -> Result<u16, LoadError> {
    let span = u64::from(PORTS.end - PORTS.start);
    let offset = |number| u16::try_from(mix(seed ^ number) % span).unwrap_or_default();
    let mut ports = (0..PORTS_TRIED_MAX).map(|number| PORTS.start + offset(number));
    ports
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .ok_or(LoadError::Nothing("no port is free below those that systems give to who connects"))
}

/// Reads back what the hub has of every agent, some at once.
async fn read_back(stage: &Stage, spools: Vec<Spool>) -> Result<Audit, LoadError> {
    let bar = progress::bar("reading back", spools.len() as u64, "agents");
    let mut shares: Vec<Vec<Spool>> = (0..READERS).map(|_| Vec::new()).collect();
    for (number, spool) in spools.into_iter().enumerate() {
        shares[number % READERS].push(spool);
    }
    let mut readers = JoinSet::new();
    for share in shares {
        let mut api = Api::new(Arc::clone(&stage.hub), stage.bearer.clone());
        let bar = bar.clone();
        readers.spawn(async move {
            let mut found = Audit::default();
            for spool in share {
                found = found.and(spool.audit(&mut api).await?);
                bar.inc(1);
            }
            Ok::<_, LoadError>(found)
        });
    }
    let mut found = Audit::default();
    while let Some(read) = readers.join_next().await {
        found = found.and(read??);
    }
    bar.finish_and_clear();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hubs_port_is_none_that_who_connects_may_be_given() {
        for seed in 0..20 {
            assert!(PORTS.contains(&free_port(seed).unwrap()));
        }
    }
}
