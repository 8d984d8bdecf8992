//! Kill the hub under load, over and over, and count every row.
//!
//! A few dozen agents push singles and batches. At random moments the hub is killed (SIGKILL) and started again on
//! the same data; what was not answered is sent again. At the end everything is read back through the front
//! door: each row that was answered must be there, each row once, nothing else.

use super::{Scenario, register};
use crate::{
    api::Api,
    error::LoadError,
    fleet::now,
    hub::{End, Stage},
    measured::mix,
    progress,
    report::Told,
    settings::{Hub, SettingsError, TIMES_MAX, Target, check_own, number},
    spool::{Audit, Pushed, Spool},
    verdict::{Finding, Must, Terms},
};
use clap::Args;
use indicatif::HumanCount;
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet, time::sleep};

/// The longest that a hub lives between two kills.
const LIFE_MAX: Duration = Duration::from_millis(600);
/// Rows of the largest batch; every other agent sends singles.
const BATCH_ROWS_MAX: u64 = 50;
/// From one sample to the next, and how far back the first one lies: room for millions before now.
const STEP: Duration = Duration::from_millis(5);
const BACK_SECONDS: i64 = 5 * 86_400;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The wait before a connection that broke is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// How often the table's hub is killed, and the agents that push to it.
const TABLE_KILLS: usize = 200;
const TABLE_AGENTS: usize = 32;

/// How often, with how many.
#[derive(Args)]
pub(crate) struct Crash {
    /// How often to kill
    #[arg(long, env = "PINGUP_KILLS", value_name = "N", default_value_t = TABLE_KILLS,
          value_parser = number::<1, TIMES_MAX>)]
    pub(crate) kills: usize,
    /// Agents to register
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", default_value_t = TABLE_AGENTS,
          value_parser = number::<1, 10_000>)]
    pub(crate) agents: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    seed: u64,
    kills: usize,
    agents: usize,
    /// Requests whose answer never came.
    broken: u64,
    /// Rows that a 200 did not account for.
    missed: u64,
    /// What was read back.
    found: Audit,
    start_milliseconds_p50: f64,
    start_milliseconds_max: f64,
}

impl Scenario for Crash {
    fn check(&self, target: &Target) -> Result<(), SettingsError> {
        check_own("crash", target)
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let mut stage = Stage::open(target).await?;
        let fleet = register(&stage, self.agents, seed).await?;
        let begin = (now().plus_seconds(-BACK_SECONDS), STEP);
        let (address, addresses) = watch::channel(Arc::clone(&stage.hub));
        let mut pushers = JoinSet::new();
        for (place, agent) in fleet.into_iter().enumerate() {
            let spool = Spool::new(agent, begin, Arc::clone(&stage.hub), PATIENCE);
            let rows_max = if place % 2 == 0 { 1 } else { BATCH_ROWS_MAX };
            pushers.spawn(
                Pusher { spool, addresses: addresses.clone(), rows_max, broken: 0, missed: 0 }.drive(),
            );
        }
        let starts = self.kill(&mut stage, &address, seed).await?;
        // No address any more: deliver what is left and end.
        drop(address);
        let figures = self.count(&stage, pushers, &starts, seed).await?;
        let memory = stage.close().await?;
        let wrong = figures.found.wrong() + figures.missed;
        let finding = Finding::new(Must::Crash, wrong as f64).under(&self.terms());
        Ok(Told::new("crash", &figures, figures.text(), wrong == 0).with([finding]).with_memory(memory))
    }
}

impl Crash {
    /// In what the run differs from the table's.
    fn terms(&self) -> Terms {
        Terms::default().needs(self.kills as u64, TABLE_KILLS as u64, "kills").needs(
            self.agents as u64,
            TABLE_AGENTS as u64,
            "agents",
        )
    }

    /// Kills and starts; says how long each start took.
    async fn kill(
        &self,
        stage: &mut Stage,
        address: &watch::Sender<Arc<Hub>>,
        seed: u64,
    ) -> Result<Vec<Duration>, LoadError> {
        let bar = progress::bar("killing", self.kills as u64, "kills");
        let mut starts = Vec::with_capacity(self.kills);
        for kill in 0..self.kills {
            let life_micros = u64::try_from(LIFE_MAX.as_micros()).unwrap_or(u64::MAX);
            sleep(Duration::from_micros(mix(seed ^ kill as u64) % life_micros)).await;
            stage.again(End::Kill).await?;
            starts.extend(stage.start_took());
            address.send_replace(Arc::clone(&stage.hub));
            bar.inc(1);
        }
        bar.finish_and_clear();
        starts.sort();
        Ok(starts)
    }

    async fn count(
        &self,
        stage: &Stage,
        mut pushers: JoinSet<Result<Pusher, LoadError>>,
        starts: &[Duration],
        seed: u64,
    ) -> Result<Figures, LoadError> {
        let mut api = Api::new(Arc::clone(&stage.hub), stage.bearer.clone());
        let bar = progress::bar("reading back", self.agents as u64, "agents");
        let (mut found, mut broken, mut missed) = (Audit::default(), 0, 0);
        while let Some(pusher) = pushers.join_next().await {
            let pusher = pusher??;
            broken += pusher.broken;
            missed += pusher.missed;
            found = found.and(pusher.spool.audit(&mut api).await?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let milliseconds = |at: usize| starts.get(at).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3);
        Ok(Figures {
            seed,
            kills: self.kills,
            agents: self.agents,
            broken,
            missed,
            found,
            start_milliseconds_p50: milliseconds(starts.len().saturating_sub(1) / 2),
            start_milliseconds_max: milliseconds(starts.len().saturating_sub(1)),
        })
    }
}

/// One agent, for as long as there are kills.
struct Pusher {
    spool: Spool,
    /// Where the hub is; ended when no more kills come.
    addresses: watch::Receiver<Arc<Hub>>,
    rows_max: u64,
    broken: u64,
    missed: u64,
}

impl Pusher {
    async fn drive(mut self) -> Result<Self, LoadError> {
        loop {
            let going_on = self.addresses.has_changed().is_ok();
            let hub = Arc::clone(&self.addresses.borrow_and_update());
            self.spool.move_to(hub);
            if !going_on && self.spool.is_empty() {
                return Ok(self);
            }
            let seq = self.spool.acked();
            let wanted = if going_on { seq + 1 + mix(self.spool.seed() ^ seq) % self.rows_max } else { seq };
            // What was sent without an answer goes again before anything new; it is never more than a batch.
            let Some(range) = self.spool.next(wanted, BATCH_ROWS_MAX) else { continue };
            match self.spool.push(range).await? {
                Pushed::Stored { missed, .. } => self.missed += missed,
                Pushed::Later { wait, .. } => sleep(wait).await,
                Pushed::Broken => {
                    self.broken += 1;
                    sleep(RETRY_AFTER).await;
                }
            }
        }
    }
}

impl Figures {
    fn text(&self) -> String {
        let Audit { rows, lost, doubled, strange } = self.found;
        format!(
            "crash: {} kills, {} agents, seed {}\n\n  rows read back  {:>12}\n  lost            {lost:>12}\n  \
             doubled         {doubled:>12}\n  not as sent     {strange:>12}\n  not accounted   {:>12}\n  \
             answers broken  {:>12}\n\n  from start to `listening`, ms: p50 {:.0}, max {:.0}\n",
            self.kills,
            self.agents,
            self.seed,
            HumanCount(rows),
            self.missed,
            HumanCount(self.broken),
            self.start_milliseconds_p50,
            self.start_milliseconds_max,
        )
    }
}
