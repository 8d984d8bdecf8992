//! Abuse beside good agents: what each abusive load takes from those who push as fast as they are answered.
//!
//! For each load the good agents push alone, then beside it, then alone again; what counts is their rate beside it as a share of the
//! mean of both others, how much memory the hub took, and how soon after the load's end the rate was back. The abusers have a
//! thread of their own in this program, on the same cores as the hub: their processor time is taken from the good agents
//! too, and nothing is subtracted for it. At the end, in a hub of its own, two kinds of bad message are timed.

mod crowd;
mod figures;
mod loads;
mod timing;

use self::{
    crowd::{Crowd, Taken},
    figures::{Beside, Figures},
    loads::Load as Abusive,
};
use super::{Pushers, Scenario, load, register};
use crate::{
    client::Client,
    error::LoadError,
    fleet::{FleetAgent, register_one},
    hub::Stage,
    lanes,
    load_report::LoadReport,
    progress::Progress,
    report::Told,
    settings::{RUN_SECONDS_MAX, SettingsError, Target, check_own},
};
use clap::{Args, value_parser};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, interval};

/// How long each of the table's loads goes on, seconds, and bad tokens: a minute.
const TABLE_SECONDS: u64 = 15;
const TABLE_TOKEN_SECONDS: u64 = 60;
/// The table's good agents, and their connections.
const TABLE_AGENTS: usize = 1_000;
const TABLE_CONNECTIONS: usize = 64;
/// Agents whose keys the abusers have.
const CAPTURED: usize = 2;
/// Seconds after a load that are looked at for the good agents' rate to be back.
const AFTER_SECONDS_MAX: u64 = 10;
/// The share of their rate at which it is.
const NORMAL_SHARE: f64 = 0.8;
/// How often is looked at the hub's memory.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long, which loads, beside whom.
#[derive(Args)]
pub(crate) struct Abuse {
    /// How long each abusive load goes on
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", default_value_t = TABLE_SECONDS,
          value_parser = value_parser!(u64).range(2..=RUN_SECONDS_MAX))]
    pub(crate) seconds: u64,
    /// How long bad tokens do
    #[arg(long, env = "PINGUP_TOKEN_SECONDS", value_name = "N", default_value_t = TABLE_TOKEN_SECONDS,
          value_parser = value_parser!(u64).range(2..=RUN_SECONDS_MAX))]
    pub(crate) token_seconds: u64,
    /// Only loads whose name has this in it
    #[arg(long, env = "PINGUP_ONLY", value_name = "TEXT")]
    pub(crate) only: Option<String>,
    /// Good agents
    #[command(flatten)]
    pub(crate) pushers: Pushers<TABLE_AGENTS, TABLE_CONNECTIONS, 1>,
}

impl Abuse {
    /// What the table speaks of.
    pub(crate) const fn whole() -> Self {
        Self {
            seconds: TABLE_SECONDS,
            token_seconds: TABLE_TOKEN_SECONDS,
            only: None,
            pushers: Pushers::of(TABLE_AGENTS),
        }
    }

    /// Bad tokens alone, for a few seconds.
    pub(crate) fn short(seconds: u64) -> Self {
        Self { token_seconds: seconds.max(2), only: Some("tokens".to_owned()), ..Self::whole() }
    }
}

impl Scenario for Abuse {
    fn check(&self, target: &Target) -> Result<(), SettingsError> {
        check_own("abuse", target)?;
        self.pushers.check()
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let Pushers { agents, connections, batch } = self.pushers;
        let stage = Stage::open(target).await?;
        let fleet = register(&stage, agents, seed).await?;
        let mut client = Client::new(Arc::clone(&stage.hub));
        let mut captured = Vec::new();
        for number in 0..CAPTURED {
            let name = format!("captured-{number}");
            let credentials = register_one(&mut client, &stage.hub, &stage.bearer, name).await?;
            captured.push(FleetAgent::new(&credentials, 1, seed)?);
        }
        let loads = loads::all(&stage.hub, &stage.bearer, &captured)?;
        let wanted = |load: &Abusive| self.only.as_ref().is_none_or(|text| load.name.contains(text));
        let mut field = Field { stage: &stage, fleet, seed, connections, batch, sound: true };
        let mut rows = Vec::new();
        for load in loads.into_iter().filter(wanted) {
            let seconds = if load.is_of_tokens { self.token_seconds } else { self.seconds };
            rows.push(field.beside(load, seconds).await?);
        }
        let sound = field.sound;
        let memory = stage.close().await?;
        let timing = timing::run(target, seed).await?;
        let figures = Figures { seed, agents, connections, batch, loads: rows, timing };
        let findings = figures.findings(self, &memory);
        Ok(Told::new("abuse", &figures, figures.text(), sound).with(findings).telling_memory(memory))
    }
}

/// The good agents, and the hub they push to.
struct Field<'a> {
    stage: &'a Stage,
    fleet: Vec<FleetAgent>,
    seed: u64,
    connections: usize,
    batch: usize,
    /// No row of theirs was lost so far.
    sound: bool,
}

impl Field<'_> {
    /// Has them push alone, beside an abusive load, and alone again.
    async fn beside(&mut self, abuse: Abusive, seconds: u64) -> Result<Beside, LoadError> {
        let (name, table) = (abuse.name, abuse.is_in_table);
        let quiet = (seconds / 2).clamp(2, 10);
        let before = self.push(&format!("before {name}"), quiet).await?.rows_per_second;
        let begun = Instant::now();
        let crowd = Crowd::start(abuse, Arc::clone(&self.stage.hub))?;
        crowd.settled().await?;
        let most = AtomicU64::new(0);
        let stage = self.stage;
        let report = tokio::select! {
            report = self.push(name, seconds) => report?,
            () = watch(stage, &most) => return Err(LoadError::Nothing("nobody watches any more")),
        };
        let took = begun.elapsed().as_secs_f64();
        let taken: Taken = crowd.end().await?;
        let over = Instant::now();
        let mut normal_after = None;
        while normal_after.is_none() && over.elapsed() < Duration::from_secs(AFTER_SECONDS_MAX) {
            let second = self.push(&format!("after {name}"), 1).await?;
            if second.rows_per_second >= NORMAL_SHARE * before {
                normal_after = Some(over.elapsed().as_secs_f64());
            }
        }
        let after = self.push(&format!("after {name}"), quiet).await?.rows_per_second;
        Ok(Beside {
            name,
            table,
            before,
            beside: report.rows_per_second,
            after,
            p99_milliseconds: report.latency_milliseconds.p99,
            offered_per_second: taken.offered as f64 / took,
            answers: taken.answers,
            closed: taken.closed,
            memory_bytes: most.into_inner(),
            normal_after_seconds: normal_after,
        })
    }

    async fn push(&mut self, name: &str, seconds: u64) -> Result<LoadReport, LoadError> {
        let load = load(self.connections, self.batch, None, seconds);
        let progress = Progress::new(name, load.until, 0);
        let fleet = std::mem::take(&mut self.fleet);
        let mut ran = lanes::run(&self.stage.hub, fleet, load, &progress).await?;
        self.fleet = std::mem::take(&mut ran.fleet);
        let report = LoadReport::new(self.stage.hub.url(), self.fleet.len(), self.seed, &load, &ran);
        self.sound &= report.sound();
        Ok(report)
    }
}

/// Notes the most that the hub takes in memory, until it is dropped.
async fn watch(stage: &Stage, most: &AtomicU64) {
    let mut ticks = interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        most.fetch_max(stage.resident_bytes().unwrap_or_default(), Ordering::Relaxed);
    }
}
