//! The agent's own figures: the real program at a real hub.
//!
//! It enrols; it is started over and over, and timed until the hub has its first sample; it works for a while at the
//! table's interval; then its hub goes, and it takes as many samples as a day at one a second has. That day is made to
//! pass quickly by `PINGUP_TEST_INTERVAL_MS`, a variable of the agent that is meant for this alone: each sample is
//! measured, numbered, written and synced as any other. In the end the hub is back and must get them all.
//!
//! Processor time is the sum of what the system accounts to each of its threads, to the nanosecond.

mod figures;
mod program;

use super::{Scenario, herd::free_port};
use crate::{
    api::Api,
    error::LoadError,
    hub::{End, Stage, Start, beside, file},
    progress,
    report::Told,
    settings::{RUN_SECONDS_MAX, SettingsError, Target, check_own},
    verdict::Terms,
};
use clap::{Args, value_parser};
use figures::Figures;
use program::{Agent as Process, Seat};
use serde::Deserialize;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::time::{Instant, interval, sleep};

/// The interval of the table's agent, seconds.
const INTERVAL: u64 = 30;
/// How long the table's agent works, seconds.
const TABLE_SECONDS: u64 = 120;
/// Samples of the table's day: one a second.
const TABLE_AWAY: u64 = 86_400;
/// Starts; the median counts.
const STARTS: usize = 5;
/// How long an agent is at work before it is looked at.
const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// Between two samples while a day passes quickly, milliseconds: as fast as they can be taken.
const QUICK_MILLIS: u64 = 1;
/// Records that may wait at an agent that is not behind.
const FEW: u64 = 1_000;
/// How often is looked whether something has come about.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the quick day may take, and its delivery.
const DAY_PATIENCE: Duration = Duration::from_secs(3_600);

/// Which program, for how long.
#[derive(Args)]
pub(crate) struct Agent {
    /// The agent program [default: pingup-agent beside this one]
    #[arg(long, env = "PINGUP_AGENT", value_name = "FILE")]
    pub(crate) agent: Option<PathBuf>,
    /// Seconds that it is watched at work
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", default_value_t = TABLE_SECONDS,
          value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    pub(crate) seconds: u64,
    /// Samples that it takes while its hub is away
    #[arg(long, env = "PINGUP_AWAY", value_name = "N", default_value_t = TABLE_AWAY,
          value_parser = value_parser!(u64).range(1..=10_000_000))]
    pub(crate) away: u64,
}

impl Agent {
    /// As the table has it.
    pub(super) const fn whole() -> Self {
        Self { agent: None, seconds: TABLE_SECONDS, away: TABLE_AWAY }
    }

    /// The same in short.
    pub(super) const fn short(seconds: u64) -> Self {
        Self { agent: None, seconds: 5 * seconds, away: TABLE_AWAY / 50 }
    }
}

/// The newest sample of an agent, as far as it is looked at here.
#[derive(Deserialize)]
struct Latest {
    timestamp: String,
}

/// What the hub says of itself when it has none: a problem.
const NOT_FOUND: u16 = 404;

impl Scenario for Agent {
    fn check(&self, target: &Target) -> Result<(), SettingsError> {
        check_own("agent", target)
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let start = Start { port: free_port(seed)?, ..Start::default() };
        let mut stage = Stage::open_with(target, start).await?;
        let folder = tempfile::Builder::new()
            .prefix("pingup-loadtest-")
            .tempdir()
            .map_err(|source| file(&std::env::temp_dir(), source))?;
        let program = self.agent.clone().map_or_else(|| beside("pingup-agent"), Ok)?;
        let seat = Seat { program, state: folder.path().join("agent") };
        let mut figures = Figures::new(seed, seat.stripped_bytes(folder.path()).await?);
        let mut eye = Eye::new(&stage);
        let token = stage.join_token().await?;
        let enrolling = seat.start(&stage.hub, Some(&token), &[])?;
        let id = eye.enrolled().await?;
        enrolling.stop().await?;
        for _ in 0..STARTS {
            figures.starts.push(eye.start_to_sample(&seat, &stage, &id).await?);
        }
        self.steady(&seat, &stage, &mut figures).await?;
        self.away(&seat, &mut stage, &mut figures).await?;
        let memory = stage.close().await?;
        let terms = Terms::default();
        let work = terms.clone().needs(self.seconds, TABLE_SECONDS, "s");
        let day = terms.clone().needs(self.away, TABLE_AWAY, "samples");
        let findings = figures.findings(&terms, &work, &day);
        let text = figures.text();
        Ok(Told::new("agent", &figures, text, figures.delivered).with(findings).telling_memory(memory))
    }
}

impl Agent {
    /// An agent at its ordinary work.
    async fn steady(&self, seat: &Seat, stage: &Stage, figures: &mut Figures) -> Result<(), LoadError> {
        let every = [("PINGUP_INTERVAL", format!("{INTERVAL}s"))];
        let agent = seat.start(&stage.hub, None, &every)?;
        sleep(SETTLED_AFTER).await;
        let (began, before) = (Instant::now(), agent.worked());
        sleep(Duration::from_secs(self.seconds)).await;
        let worked = agent.worked().zip(before).map(|(after, before)| after.saturating_sub(before));
        figures.processor_share = worked.map(|worked| worked.as_secs_f64() / began.elapsed().as_secs_f64());
        figures.steady_bytes = agent.watch.now();
        agent.stop().await
    }

    /// A day without its hub, made to pass quickly, and the delivery.
    async fn away(&self, seat: &Seat, stage: &mut Stage, figures: &mut Figures) -> Result<(), LoadError> {
        stage.down(End::Stop).await?;
        let quick = [("PINGUP_TEST_INTERVAL_MS", QUICK_MILLIS.to_string())];
        let agent: Process = seat.start(&stage.hub, None, &quick)?;
        let bar = progress::bar("a day without its hub", self.away, "samples");
        let spooled = || {
            let records = seat.spooled().unwrap_or_default();
            bar.set_position(records.min(self.away));
            records >= self.away
        };
        until("the day to pass", DAY_PATIENCE, spooled).await?;
        figures.away_bytes = agent.watch.now();
        bar.finish_and_clear();
        let back = Instant::now();
        stage.up().await?;
        until("the day to be delivered", DAY_PATIENCE, || {
            seat.spooled().is_some_and(|records| records < FEW)
        })
        .await?;
        figures.delivery_seconds = back.elapsed().as_secs_f64();
        figures.delivered = true;
        figures.away_peak_bytes = agent.watch.finish().resident_peak_bytes;
        agent.stop().await
    }
}

/// Sees at the hub what the agent does.
struct Eye {
    api: Api,
}

impl Eye {
    fn new(stage: &Stage) -> Self {
        Self { api: Api::new(Arc::clone(&stage.hub), stage.bearer.clone()) }
    }

    /// The id of the only agent there is, as soon as the hub has a sample of it.
    async fn enrolled(&mut self) -> Result<String, LoadError> {
        let (began, mut ticks) = (Instant::now(), interval(LOOK_EVERY));
        loop {
            ticks.tick().await;
            if let Some(agent) = self.api.agents().await?.into_iter().next()
                && self.newest(&agent.id).await?.is_some()
            {
                return Ok(agent.id);
            }
            patient(began, PATIENCE, "the agent to enrol")?;
        }
    }

    /// Starts the agent; how long until the hub has a sample of that start.
    async fn start_to_sample(&mut self, seat: &Seat, stage: &Stage, id: &str) -> Result<f64, LoadError> {
        let before = self.newest(id).await?;
        let began = Instant::now();
        let agent = seat.start(&stage.hub, None, &[("PINGUP_INTERVAL", format!("{INTERVAL}s"))])?;
        let mut ticks = interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            if self.newest(id).await? != before {
                break;
            }
            patient(began, PATIENCE, "a first sample")?;
        }
        let took = began.elapsed();
        agent.stop().await?;
        Ok(took.as_secs_f64() * 1e3)
    }

    async fn newest(&mut self, id: &str) -> Result<Option<String>, LoadError> {
        let path = format!("/api/v1/metrics/{id}/latest");
        let (answer, _) = self.api.timed(&path).await?;
        if answer.status == NOT_FOUND {
            return Ok(None);
        }
        let latest: Latest = crate::api::read("the newest sample", answer.body)?;
        Ok(Some(latest.timestamp))
    }
}

async fn until(what: &str, patience: Duration, mut is: impl FnMut() -> bool) -> Result<(), LoadError> {
    let (began, mut ticks) = (Instant::now(), interval(Duration::from_millis(100)));
    loop {
        ticks.tick().await;
        if is() {
            return Ok(());
        }
        patient(began, patience, what)?;
    }
}

fn patient(began: Instant, patience: Duration, what: &str) -> Result<(), LoadError> {
    match began.elapsed() > patience {
        true => Err(LoadError::Waited(format!("waited in vain for {what}, {} s", patience.as_secs()))),
        false => Ok(()),
    }
}
