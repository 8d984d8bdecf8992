//! A hub whose writer stands still for a while, and agents that spool meanwhile.
//!
//! The hub is started with a fault (`PINGUP_INJECT_WRITER_STALL`): its writer commits nothing for some seconds. The
//! agents go on measuring; each keeps what is not answered and sends it in batches. What must hold: a full
//! queue is said at once, with a time to come again; memory grows by the queue and little more; in the end every
//! sample is there, once.

use super::{Scenario, register};
use crate::{
    api::Api,
    error::LoadError,
    fleet::now,
    hub::Stage,
    load_report::Latency,
    progress,
    report::Told,
    settings::{RATE_ROWS_MAX, SettingsError, Target, check_own, number},
    spool::{Audit, Pushed, Spool},
    tally::microseconds,
    verdict::{Finding, Must},
};
use clap::{Args, value_parser};
use hdrhistogram::Histogram;
use indicatif::HumanCount;
use serde::Serialize;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep, sleep_until},
};

/// How long an answer may take before an agent tries again with what it has by then.
const PATIENCE: Duration = Duration::from_secs(3);
/// Rows of the largest batch.
const BATCH_ROWS_MAX: u64 = 500;
/// How long the agents go on once the writer moves again.
const AFTERWARDS: Duration = Duration::from_secs(5);
/// How long they then have to deliver what is left.
const DELIVERY_MAX: Duration = Duration::from_secs(120);
/// What the hub's queue may take by default, bytes.
const QUEUE_BYTES: u64 = 16 * 1024 * 1024;
/// What else may grow meanwhile: connections with a body in hand, the allocator's own.
const SLACK_BYTES: u64 = 24 * 1024 * 1024;
/// An answer that took this share of the stall shows that there was one.
const STALLED_SHARE: f64 = 0.5;
const LOOK_EVERY: Duration = Duration::from_millis(100);
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// How many, how long.
#[derive(Args)]
pub(crate) struct Stall {
    /// Agents to register, each with a connection
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", default_value = "500", value_parser = number::<1, 20_000>)]
    pub(crate) agents: usize,
    /// Rows a second that they measure together
    #[arg(long, env = "PINGUP_RATE", value_name = "N", default_value_t = 20_000,
          value_parser = value_parser!(u64).range(1..=RATE_ROWS_MAX))]
    pub(crate) rate: u64,
    /// Seconds from the hub's start until its writer stands still
    #[arg(long, env = "PINGUP_AFTER", value_name = "N", default_value_t = 8, value_parser = value_parser!(u64).range(1..=3_600))]
    pub(crate) after: u64,
    /// Seconds that it stands still
    #[arg(long, env = "PINGUP_FOR", value_name = "N", default_value_t = 30, value_parser = value_parser!(u64).range(1..=3_600))]
    pub(crate) r#for: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    seed: u64,
    agents: usize,
    rate: u64,
    stall_seconds: u64,
    /// Whether the hub did stand still; null where nothing was refused and no answer was late.
    stalled: bool,
    /// Rows that the agents took.
    taken: u64,
    /// Rows not delivered when patience ended.
    undelivered: u64,
    /// Rows that a 200 did not account for.
    missed: u64,
    refused: u64,
    refused_without_time: u64,
    refusal_milliseconds: Latency,
    /// Requests whose answer never came in time.
    broken: u64,
    /// What the hub grew by from before the stall, bytes.
    resident_growth_bytes: Option<u64>,
    found: Audit,
}

impl Scenario for Stall {
    fn check(&self, target: &Target) -> Result<(), SettingsError> {
        check_own("stall", target)
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let fault = format!("after={}s,for={}s", self.after, self.r#for);
        let opened = Instant::now();
        let stage = Stage::open_with(target, &[("PINGUP_INJECT_WRITER_STALL", fault)]).await?;
        let fleet = register(&stage, self.agents, seed).await?;
        let taking =
            Duration::from_secs(self.after + self.r#for).saturating_sub(opened.elapsed()) + AFTERWARDS;
        let step = Duration::from_secs_f64(self.agents as f64 / self.rate as f64);
        let (first, started) = (now(), Instant::now());
        let mut pushers = JoinSet::new();
        let refusals = Arc::new(Mutex::new(microseconds()));
        for agent in fleet {
            let spool = Spool::new(agent, (first, step), Arc::clone(&stage.hub), PATIENCE);
            let refusals = Arc::clone(&refusals);
            let (refused_without_time, broken, missed, longest) = (0, 0, 0, Duration::ZERO);
            let pusher = Pusher {
                spool,
                started,
                taking,
                step,
                refusals,
                refused_without_time,
                broken,
                missed,
                longest,
            };
            pushers.spawn(pusher.drive());
        }
        let growth = self.watch(&stage, taking).await;
        let mut figures = self.count(&stage, pushers, growth, seed).await?;
        figures.note_refusals(&refusals.lock().unwrap_or_else(PoisonError::into_inner));
        let memory = stage.close().await?;
        let told = Told::new("stall", &figures, figures.text(), figures.sound());
        Ok(told.with([figures.finding()]).with_memory(memory))
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

/// One agent, from the beginning to the last delivery.
struct Pusher {
    spool: Spool,
    started: Instant,
    taking: Duration,
    step: Duration,
    refusals: Arc<Mutex<Histogram<u64>>>,
    refused_without_time: u64,
    broken: u64,
    missed: u64,
    longest: Duration,
}

impl Pusher {
    async fn drive(mut self) -> Result<Self, LoadError> {
        let give_up = self.started + self.taking + DELIVERY_MAX;
        while Instant::now() < give_up {
            let Some(range) = self.spool.next(self.taken(), BATCH_ROWS_MAX) else {
                if self.started.elapsed() >= self.taking {
                    break;
                }
                sleep_until(self.started + self.step * u32::try_from(self.taken()).unwrap_or(u32::MAX)).await;
                continue;
            };
            let asked = Instant::now();
            match self.spool.push(range).await? {
                Pushed::Stored { missed, .. } => self.missed += missed,
                Pushed::Later { wait, took, says_when } => {
                    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                    // A record stays sound whoever panicked beside it.
                    self.refusals.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(micros);
                    self.refused_without_time += u64::from(!says_when);
                    sleep(wait).await;
                }
                Pushed::Broken => self.broken += 1,
            }
            self.longest = self.longest.max(asked.elapsed());
        }
        Ok(self)
    }

    /// Samples taken so far: the first at once, the others a step apart.
    fn taken(&self) -> u64 {
        let elapsed = self.started.elapsed().min(self.taking);
        u64::try_from(elapsed.as_nanos() / self.step.as_nanos().max(1)).unwrap_or(u64::MAX) + 1
    }
}

impl Figures {
    fn add(&mut self, pusher: &Pusher, stall_seconds: u64) {
        self.taken += pusher.taken();
        self.undelivered += pusher.taken() - pusher.spool.acked();
        self.missed += pusher.missed;
        self.refused_without_time += pusher.refused_without_time;
        self.broken += pusher.broken;
        let patience = PATIENCE.as_secs_f64().min(STALLED_SHARE * stall_seconds as f64);
        self.stalled |= pusher.longest.as_secs_f64() >= patience;
    }

    fn note_refusals(&mut self, refusals: &Histogram<u64>) {
        self.refused = refusals.len();
        self.refusal_milliseconds = Latency::of(refusals);
    }

    fn wrong(&self) -> u64 {
        self.found.wrong() + self.missed + self.undelivered
    }

    fn sound(&self) -> bool {
        let grown = self.resident_growth_bytes.is_none_or(|bytes| bytes <= QUEUE_BYTES + SLACK_BYTES);
        self.wrong() == 0 && self.refused_without_time == 0 && grown
    }

    fn finding(&self) -> Finding {
        let note = format!("{} s", self.stall_seconds);
        match self.stalled {
            true => Finding::new(Must::Stall, self.wrong() as f64).noted(note),
            false => Finding { must: Must::Stall, value: None, note: "this hub did not stall".to_owned() },
        }
    }

    fn text(&self) -> String {
        let growth = match self.resident_growth_bytes {
            Some(bytes) => format!("{:.1} MiB", bytes as f64 / MEBIBYTE),
            None => "unknown".to_owned(),
        };
        let bound = (QUEUE_BYTES + SLACK_BYTES) as f64 / MEBIBYTE;
        let Audit { rows, lost, doubled, strange } = self.found;
        format!(
            "stall: {} s, {} agents, {} rows/s, seed {}{}\n\n  rows taken      {:>12}\n  read back       {:>12}\n  \
             undelivered     {:>12}\n  lost            {lost:>12}\n  doubled         {doubled:>12}\n  \
             not as sent     {strange:>12}\n  not accounted   {:>12}\n\n  refused (503)   {:>12}, {} without a time to \
             come again\n  answers broken  {:>12}\n  memory grew by  {growth:>12}, {bound:.0} MiB allowed\n\n  \
             until a refusal was said{}",
            self.stall_seconds,
            self.agents,
            HumanCount(self.rate),
            self.seed,
            if self.stalled { "" } else { " (this hub did not stall)" },
            HumanCount(self.taken),
            HumanCount(rows),
            HumanCount(self.undelivered),
            self.missed,
            HumanCount(self.refused),
            self.refused_without_time,
            HumanCount(self.broken),
            self.refusal_milliseconds,
        )
    }
}
