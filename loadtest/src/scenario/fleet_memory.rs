//! A fleet at work for a while: agents that wait, beat and push as the real one does; what the hub takes in memory for
//! them, in all and for each, and whether it keeps up.
//!
//! What the hub takes before anybody came is subtracted for the share of each agent. In the end every agent must be
//! online by the hub's own word, if the run was long enough for each to have beaten.

use super::{
    Scenario,
    habits::{HabitFlags, Mustered, TABLE_AGENTS, TABLE_INTERVAL, muster, send_home},
};
use crate::{
    api::Api,
    crew::{Crew, Entries},
    error::LoadError,
    hub::Stage,
    load_report::Latency,
    progress,
    report::Told,
    settings::{AGENTS_MAX, RUN_SECONDS_MAX, SettingsError, Target, number},
    verdict::{Finding, Must, Terms},
};
use clap::{Args, value_parser};
use indicatif::HumanCount;
use pingup_protocol::limits::HEARTBEAT_SECONDS;
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, interval, sleep};

/// How long a hub of our own has been there when it is looked at as an idle one.
const IDLE_AFTER: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the table's fleet is at work, seconds: its samples fill a segment of the journal well before, so that
/// sealing one is among what is measured.
pub(super) const TABLE_SECONDS: u64 = 240;
/// Rows of a hub's segment.
const SEGMENT_ROWS: u64 = 65_536;

// A row for each agent and interval.
const _: () = assert!(TABLE_AGENTS as u64 * (TABLE_SECONDS / TABLE_INTERVAL - 1) > SEGMENT_ROWS);
const MEGABYTE: f64 = 1e6;
const KILOBYTE: f64 = 1e3;

/// How many, how long.
#[derive(Args)]
pub(crate) struct Fleet {
    /// Agents
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", default_value_t = TABLE_AGENTS,
          value_parser = number::<1, AGENTS_MAX>)]
    pub(crate) agents: usize,
    /// How long they are at work once all wait
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", default_value_t = TABLE_SECONDS,
          value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    pub(crate) seconds: u64,
    /// How they live
    #[command(flatten)]
    pub(crate) habits: HabitFlags,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    seed: u64,
    agents: usize,
    /// Connections that each kept.
    lines: usize,
    seconds: u64,
    interval_seconds: u64,
    /// What the hub took before anybody came, bytes; null for one that is not our own.
    idle_bytes: Option<u64>,
    /// The most that it took while all were at work.
    resident_bytes: Option<u64>,
    /// What it took in the end.
    last_bytes: Option<u64>,
    rows: u64,
    /// Segments of the journal that they filled: each was sealed meanwhile.
    segments: u64,
    /// From a push to its 200.
    push_milliseconds: Latency,
    /// From a heartbeat to its answer.
    beat_milliseconds: Latency,
    /// Agents that the hub calls online in the end; null where the run was too short for that.
    online: Option<usize>,
    connections_broken: u64,
    put_off: u64,
    trouble: Option<String>,
}

/// What the hub took, bytes.
#[derive(Default)]
struct Resident {
    most: Option<u64>,
    last: Option<u64>,
}

impl Scenario for Fleet {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        Ok(())
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let (habits, stage) = self.habits.stage(target, self.agents, 0).await?;
        let idle_bytes = idle_bytes(&stage).await;
        let Mustered { crew, run } = muster(&stage, self.agents, habits, seed).await?;
        let resident = self.watch(&stage).await;
        let online = self.online(&stage, &crew, &run).await?;
        let Entries { rows, pushed, beaten, broken, put_off, .. } = crew.diary.entries();
        let figures = Figures {
            seed,
            agents: self.agents,
            lines: habits.lines,
            seconds: self.seconds,
            interval_seconds: habits.interval.as_secs(),
            idle_bytes,
            resident_bytes: resident.most,
            last_bytes: resident.last,
            rows,
            segments: rows / SEGMENT_ROWS,
            push_milliseconds: Latency::of(&pushed),
            beat_milliseconds: Latency::of(&beaten),
            online,
            connections_broken: broken,
            put_off,
            trouble: crew.diary.entries().trouble(),
        };
        let memory = send_home(crew, stage).await?;
        let terms = self.habits.terms(self.agents, habits).needs(self.seconds, TABLE_SECONDS, "s");
        let findings = figures.findings(&terms);
        let (text, sound) = (figures.text(), figures.sound());
        Ok(Told::new("fleet", &figures, text, sound).with(findings).telling_memory(memory))
    }
}

/// What a hub of our own takes before anybody comes.
async fn idle_bytes(stage: &Stage) -> Option<u64> {
    stage.resident_bytes()?;
    sleep(IDLE_AFTER).await;
    stage.resident_bytes()
}

impl Fleet {
    /// Looks at the hub's memory for as long as the agents are to be at work.
    async fn watch(&self, stage: &Stage) -> Resident {
        let bar = progress::bar("at work", self.seconds, "s");
        let (began, mut ticks, mut resident) = (Instant::now(), interval(LOOK_EVERY), Resident::default());
        while began.elapsed() < Duration::from_secs(self.seconds) {
            ticks.tick().await;
            resident.last = stage.resident_bytes();
            resident.most = resident.most.max(resident.last);
            bar.set_position(began.elapsed().as_secs());
        }
        bar.finish_and_clear();
        resident
    }

    /// How many of the run's agents the hub calls online, once each has beaten.
    async fn online(&self, stage: &Stage, crew: &Crew, run: &str) -> Result<Option<usize>, LoadError> {
        if crew.began().elapsed() < Duration::from_secs(HEARTBEAT_SECONDS) {
            return Ok(None);
        }
        let mut api = Api::new(Arc::clone(&stage.hub), stage.bearer.clone());
        Ok(Some(api.agents_that(&format!("&status=online&q={run}")).await?.len()))
    }
}

impl Figures {
    fn sound(&self) -> bool {
        self.trouble.is_none() && self.online.is_none_or(|online| online == self.agents)
    }

    /// Bytes that each agent takes beyond the idle hub.
    fn each_bytes(&self) -> Option<f64> {
        let beyond = self.resident_bytes?.saturating_sub(self.idle_bytes?);
        Some(beyond as f64 / self.agents as f64)
    }

    fn findings(&self, terms: &Terms) -> [Finding; 2] {
        let finding = |must, value: Option<f64>| match value {
            Some(value) => Finding::new(must, value).under(terms),
            None => Finding::not_shown(must, "the hub's memory is unknown"),
        };
        [
            finding(Must::FleetMemory, self.resident_bytes.map(|bytes| bytes as f64 / MEGABYTE)),
            finding(Must::FleetMemoryEach, self.each_bytes().map(|bytes| bytes / KILOBYTE)),
        ]
    }

    fn text(&self) -> String {
        let megabytes = |bytes: Option<u64>| match bytes {
            Some(bytes) => format!("{:.1} MB", bytes as f64 / MEGABYTE),
            None => "unknown".to_owned(),
        };
        let each = self
            .each_bytes()
            .map_or_else(|| "unknown".to_owned(), |bytes| format!("{:.2} KB", bytes / KILOBYTE));
        let online = self.online.map_or_else(|| "-".to_owned(), |online| online.to_string());
        let trouble = self
            .trouble
            .as_ref()
            .map_or_else(String::new, |trouble| format!("\n  not in order: {trouble}\n"));
        format!(
            "fleet: {} agents for {} s, a sample every {} s, {} connections each kept, seed {}\n\n  hub, idle          \
             {:>12}\n  hub, at work       {:>12} at most, {} in the end\n  for each agent     {each:>12}\n  rows stored        \
             {:>12}\n  segments filled    {:>12}{}\n  online             {online:>12}\n  connections broken {:>12}\n  put off (503)      {:>12}\n\n  a push \
             until its 200{}\n  a heartbeat until its answer{}{trouble}",
            self.agents,
            self.seconds,
            self.interval_seconds,
            self.lines,
            self.seed,
            megabytes(self.idle_bytes),
            megabytes(self.resident_bytes),
            megabytes(self.last_bytes),
            HumanCount(self.rows),
            HumanCount(self.segments),
            if self.segments == 0 { ": none was sealed meanwhile" } else { "" },
            HumanCount(self.connections_broken),
            HumanCount(self.put_off),
            self.push_milliseconds,
            self.beat_milliseconds,
        )
    }
}
