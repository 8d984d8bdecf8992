//! A hub whose writer stands still for a while, and agents that spool meanwhile.
//!
//! The hub is started with a fault (`PINGUP_INJECT_WRITER_STALL`): its writer commits nothing for some seconds. The
//! agents go on measuring; each keeps what is not answered and sends it in batches. What must hold: a full
//! queue is said at once, with a time to come again; memory grows by the queue and little more; in the end every
//! sample is there, once.

mod figures;
mod pusher;

use super::{Scenario, register};
use crate::{
    api::Api,
    error::LoadError,
    fleet::now,
    hub::{Stage, Start},
    load_report::Latency,
    progress,
    report::Told,
    settings::{RATE_ROWS_MAX, SettingsError, Target, check_own, number},
    spool::{Audit, Spool},
    tally::microseconds,
};
use clap::{Args, value_parser};
use figures::Figures;
use pusher::{PATIENCE, Pusher};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};

/// How long the agents go on once the writer moves again.
const AFTERWARDS: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How many agents the table's stall has, the rows a second that they measure, and how long it is.
const TABLE: Table = Table { agents: 500, rate: 20_000, seconds: 30 };

struct Table {
    agents: usize,
    rate: u64,
    seconds: u64,
}

/// How many, how long.
#[derive(Args)]
pub(crate) struct Stall {
    /// Agents to register, each with a connection
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", default_value_t = TABLE.agents,
          value_parser = number::<1, 20_000>)]
    pub(crate) agents: usize,
    /// Rows a second that they measure together
    #[arg(long, env = "PINGUP_RATE", value_name = "N", default_value_t = TABLE.rate,
          value_parser = value_parser!(u64).range(1..=RATE_ROWS_MAX))]
    pub(crate) rate: u64,
    /// Seconds from the hub's start until its writer stands still
    #[arg(long, env = "PINGUP_AFTER", value_name = "N", default_value_t = 8, value_parser = value_parser!(u64).range(1..=3_600))]
    pub(crate) after: u64,
    /// Seconds that it stands still
    #[arg(long, env = "PINGUP_FOR", value_name = "N", default_value_t = TABLE.seconds,
          value_parser = value_parser!(u64).range(1..=3_600))]
    pub(crate) r#for: u64,
}

impl Scenario for Stall {
    fn check(&self, target: &Target) -> Result<(), SettingsError> {
        check_own("stall", target)
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let fault = format!("after={}s,for={}s", self.after, self.r#for);
        let opened = Instant::now();
        let environment = vec![("PINGUP_INJECT_WRITER_STALL", fault)];
        let stage = Stage::open_with(target, Start { environment, ..Start::default() }).await?;
        let fleet = register(&stage, self.agents, seed).await?;
        let taking =
            Duration::from_secs(self.after + self.r#for).saturating_sub(opened.elapsed()) + AFTERWARDS;
        let step = Duration::from_secs_f64(self.agents as f64 / self.rate as f64);
        let first = now();
        let mut pushers = JoinSet::new();
        let refusals = Arc::new(Mutex::new(microseconds()));
        for agent in fleet {
            let spool = Spool::new(agent, (first, step), Arc::clone(&stage.hub), PATIENCE);
            pushers.spawn(Pusher::new(spool, taking, step, Arc::clone(&refusals)).drive());
        }
        let growth = self.watch(&stage, taking).await;
        let mut figures = self.count(&stage, pushers, growth, seed).await?;
        figures.note_refusals(&refusals.lock().unwrap_or_else(PoisonError::into_inner));
        let memory = stage.close().await?;
        let told = Told::new("stall", &figures, figures.text(), figures.sound());
        Ok(told.with(figures.findings()).with_memory(memory))
    }
}

impl Stall {
    /// Looks at the hub's memory until the agents take no more; says by how much it grew.
    async fn watch(&self, stage: &Stage, taking: Duration) -> Option<u64> {
        let bar = progress::bar("stalling", taking.as_secs(), "s");
        let (started, mut ticks) = (Instant::now(), interval(LOOK_EVERY));
        let (mut before, mut most) = (None, None);
        while started.elapsed() < taking {
            ticks.tick().await;
            let resident = stage.resident_bytes();
            // Before the stall: what the hub has with this load and an open road.
            let stalls_in = taking.saturating_sub(AFTERWARDS + Duration::from_secs(self.r#for));
            match started.elapsed() < stalls_in {
                true => before = before.max(resident),
                false => most = most.max(resident),
            }
            bar.set_position(started.elapsed().as_secs());
        }
        bar.finish_and_clear();
        Some(most?.saturating_sub(before?))
    }

    async fn count(
        &self,
        stage: &Stage,
        mut pushers: JoinSet<Result<Pusher, LoadError>>,
        growth: Option<u64>,
        seed: u64,
    ) -> Result<Figures, LoadError> {
        let mut api = Api::new(Arc::clone(&stage.hub), stage.bearer.clone());
        let bar = progress::bar("reading back", self.agents as u64, "agents");
        let mut figures = Figures {
            seed,
            agents: self.agents,
            rate: self.rate,
            stall_seconds: self.r#for,
            stalled: false,
            taken: 0,
            undelivered: 0,
            missed: 0,
            refused: 0,
            refused_without_time: 0,
            refusal_milliseconds: Latency::of(&microseconds()),
            broken: 0,
            resident_growth_bytes: growth,
            found: Audit::default(),
        };
        while let Some(pusher) = pushers.join_next().await {
            let pusher = pusher??;
            figures.add(&pusher, self.r#for);
            figures.found = figures.found.and(pusher.spool.audit(&mut api).await?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(figures)
    }
}
