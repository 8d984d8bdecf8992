//! Fills a store with weeks of samples, and scans if asked, through the front door: batches with backdated
//! timestamps, all agents side by side from the oldest day to the newest, as they would have come.
//!
//! The oldest sample is younger than what the hub keeps by a margin, so that nothing expires while the store is
//! used; the rows of that margin are missing at its young end. At the end it waits until the data folder has
//! stopped changing, because hubs tidy up after themselves, and says what the store takes on disk.

use super::{Pushers, Scenario};
use crate::{
    disk,
    error::LoadError,
    fleet::{self, FleetAgent, Moments, now},
    hub::Stage,
    lanes::{self, Cargo, Load, Until},
    load_report::LoadReport,
    progress::{self, Progress},
    report::Told,
    settings::{AGENTS_MAX, RUN_SECONDS_MAX, SettingsError, Target, number},
    verdict::{Finding, Must, Terms},
};
use clap::{Args, value_parser};
use indicatif::HumanCount;
use pingup_protocol::time::Timestamp;
use serde::Serialize;

/// How much younger than its days the oldest sample is, seconds.
const MARGIN_SECONDS: u64 = 2 * 3_600;
/// Scans that an agent makes in a day.
const SCANS_A_DAY: u64 = 288;
/// The rows that the table speaks of: 1 000 agents, 30 days, every 30 s.
const TABLE_ROWS: f64 = 86_400_000.0;
/// A fill this much smaller than the table's says little of what the table's takes.
const TABLE_SHARE_MIN: f64 = 0.9;
const DAY_SECONDS: u64 = 86_400;
const MICROS: u64 = 1_000_000;
const MEGABYTE: f64 = 1e6;

/// What to fill it with.
#[derive(Args)]
pub(crate) struct Fill {
    /// Who pushes
    #[command(flatten)]
    pub(crate) pushers: Pushers<1_000, 32, 500>,
    /// How far back
    #[arg(long, env = "PINGUP_DAYS", value_name = "N", default_value_t = 30,
          value_parser = value_parser!(u64).range(1..=36_500))]
    pub(crate) days: u64,
    /// Seconds from one sample of an agent to the next
    #[arg(long, env = "PINGUP_INTERVAL", value_name = "N", default_value_t = 30,
          value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    pub(crate) interval: u64,
    /// Agents that scan as well, 288 times a day with 50 hosts each
    #[arg(long, env = "PINGUP_DISCOVERY_AGENTS", value_name = "N", default_value = "0",
          value_parser = number::<0, AGENTS_MAX>)]
    pub(crate) discovery_agents: usize,
    /// How many of the days their scans reach back [default: all]
    #[arg(long, env = "PINGUP_DISCOVERY_DAYS", value_name = "N",
          value_parser = value_parser!(u64).range(1..=36_500))]
    pub(crate) discovery_days: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    samples: LoadReport,
    rows: u64,
    /// From the last answer until the store was settled; null for a hub that is not our own.
    settle_seconds: Option<f64>,
    /// What the store took then.
    disk_bytes: Option<u64>,
    scans: Option<LoadReport>,
    disk_bytes_with_scans: Option<u64>,
}

impl Scenario for Fill {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        self.pushers.check()?;
        match self.discovery_agents > self.pushers.agents {
            true => Err(SettingsError::Unfit("--discovery-agents: more than --agents")),
            false => Ok(()),
        }
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let stage = Stage::open(target).await?;
        let figures = self.fill(&stage, seed).await?;
        let memory = stage.close().await?;
        let sound = figures.samples.sound() && figures.scans.as_ref().is_none_or(LoadReport::sound);
        Ok(Told::new("fill", &figures, figures.text(), sound).with(figures.finding()).with_memory(memory))
    }
}

impl Fill {
    /// A month of a few agents: enough to ask about.
    pub(crate) const fn small() -> Self {
        Self {
            pushers: Pushers::of(40),
            days: 30,
            interval: 30,
            discovery_agents: 8,
            discovery_days: Some(5),
        }
    }

    /// Fills the store behind `stage`, whatever is to be done with it then.
    pub(crate) async fn push(&self, stage: &Stage, seed: u64) -> Result<(), LoadError> {
        self.fill(stage, seed).await.map(drop)
    }

    async fn fill(&self, stage: &Stage, seed: u64) -> Result<Figures, LoadError> {
        let bar = progress::bar("registering", self.pushers.agents as u64, "agents");
        let (hub, run) = (&stage.hub, fleet::run_name("fill"));
        let fleet = fleet::register(hub, &stage.bearer, &run, self.pushers.agents, seed, &bar).await?;
        let span = (self.days * DAY_SECONDS).saturating_sub(MARGIN_SECONDS);
        let first = whole_seconds(now(), span);
        let (samples, fleet) = self.push_samples(stage, fleet, first, span / self.interval, seed).await?;
        let settled = settled(stage).await?;
        let mut figures = Figures {
            rows: samples.rows.accepted + samples.rows.duplicates,
            samples,
            settle_seconds: settled.map(|settled| settled.took.as_secs_f64()),
            disk_bytes: settled.map(|settled| settled.bytes),
            scans: None,
            disk_bytes_with_scans: None,
        };
        if self.discovery_agents > 0 {
            figures.scans = Some(self.push_scans(stage, fleet, span, seed).await?);
            figures.disk_bytes_with_scans = self::settled(stage).await?.map(|settled| settled.bytes);
        }
        Ok(figures)
    }

    async fn push_samples(
        &self,
        stage: &Stage,
        fleet: Vec<FleetAgent>,
        first: Timestamp,
        each: u64,
        seed: u64,
    ) -> Result<(LoadReport, Vec<FleetAgent>), LoadError> {
        let step_micros = micros(self.interval * MICROS);
        let cargo =
            Cargo::Samples { rows: self.pushers.batch, moments: Moments::Spaced { first, step_micros } };
        let load = Load { connections: self.pushers.connections, cargo, rate: None, until: Until::Seq(each) };
        let progress = Progress::new("filling", load.until, each * self.pushers.agents as u64);
        let mut ran = lanes::run(&stage.hub, fleet, load, &progress).await?;
        let fleet = std::mem::take(&mut ran.fleet);
        Ok((LoadReport::new(stage.hub.url(), self.pushers.agents, seed, &load, &ran), fleet))
    }

    async fn push_scans(
        &self,
        stage: &Stage,
        mut fleet: Vec<FleetAgent>,
        span: u64,
        seed: u64,
    ) -> Result<LoadReport, LoadError> {
        fleet.truncate(self.discovery_agents);
        let (interval, after) = (DAY_SECONDS / SCANS_A_DAY, span / self.interval);
        let span = span.min(self.discovery_days.unwrap_or(self.days) * DAY_SECONDS);
        let first = whole_seconds(now(), span);
        let cargo = Cargo::Scan { first, after, step_micros: micros(interval * MICROS) };
        let each = span / interval;
        let connections = self.pushers.connections.min(fleet.len());
        let load = Load { connections, cargo, rate: None, until: Until::Seq(after + each) };
        let progress = Progress::new("scans", load.until, each * fleet.len() as u64);
        let ran = lanes::run(&stage.hub, fleet, load, &progress).await?;
        Ok(LoadReport::new(stage.hub.url(), self.discovery_agents, seed, &load, &ran))
    }
}

async fn settled(stage: &Stage) -> Result<Option<disk::Settled>, LoadError> {
    match stage.data_dir() {
        Some(folder) => disk::settled(folder).await.map(Some),
        None => Ok(None),
    }
}

impl Figures {
    fn text(&self) -> String {
        let mut text = format!("fill with {}", self.samples);
        if let (Some(bytes), Some(seconds)) = (self.disk_bytes, self.settle_seconds) {
            let (each, megabytes) = (bytes as f64 / self.rows as f64, bytes as f64 / MEGABYTE);
            let rows = HumanCount(self.rows);
            text += &format!("\n  settled after {seconds:.0} s: {megabytes:.1} MB for {rows} rows");
            text += &format!(", {each:.2} bytes a row\n");
        }
        if let Some(scans) = &self.scans {
            text += &format!("\nscans on {scans}");
        }
        if let Some(bytes) = self.disk_bytes_with_scans {
            text += &format!("\n  with the scans: {:.1} MB\n", bytes as f64 / MEGABYTE);
        }
        text
    }

    /// Disk space, brought to the table's number of rows.
    fn finding(&self) -> Option<Finding> {
        let bytes = self.disk_bytes? as f64;
        let share = self.rows as f64 / TABLE_ROWS;
        match share >= TABLE_SHARE_MIN {
            true => {
                let note = format!("{} rows, brought to 86.4 million", HumanCount(self.rows));
                Some(Finding::new(Must::Disk, bytes / share / MEGABYTE).under(&Terms::default().noted(note)))
            }
            false => Some(Finding::not_shown(Must::Disk, format!("only {} rows", HumanCount(self.rows)))),
        }
    }
}

/// The moment `seconds` before, without a fraction.
fn whole_seconds(now: Timestamp, seconds: u64) -> Timestamp {
    let whole = now.as_micros() - now.as_micros().rem_euclid(micros(MICROS));
    Timestamp::from_micros(whole - micros(seconds * MICROS))
}

fn micros(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}
