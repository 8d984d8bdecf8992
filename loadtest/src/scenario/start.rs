//! How long a hub takes until it listens, with the store it has: after a clean stop, and after it was killed while
//! samples came in.

use super::{Scenario, load, register};
use crate::{
    error::LoadError,
    hub::{End, Stage},
    lanes,
    progress::{self, Progress},
    report::Told,
    settings::{SettingsError, TIMES_MAX, Target, check_own, number},
    verdict::{Finding, Must, Terms},
};
use clap::Args;
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Agents and connections of the load that a kill meets.
const AGENTS: usize = 256;
const CONNECTIONS: usize = 64;
/// How long the load goes on before the kill.
const LOADED_FOR: Duration = Duration::from_secs(3);
/// How long the load would go on without it.
const LOAD_SECONDS: u64 = 3_600;

/// Starts of each kind that the table speaks of.
const TABLE_ROUNDS: usize = 3;

/// How often.
#[derive(Args)]
pub(crate) struct Start {
    /// Starts of each kind; the slowest counts
    #[arg(long, env = "PINGUP_ROUNDS", value_name = "N", default_value_t = TABLE_ROUNDS,
          value_parser = number::<1, TIMES_MAX>)]
    pub(crate) rounds: usize,
    /// In what the store differs from the table's
    #[arg(skip)]
    pub(crate) store: Terms,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    clean_milliseconds: Vec<f64>,
    killed_milliseconds: Vec<f64>,
}

impl Scenario for Start {
    fn check(&self, target: &Target) -> Result<(), SettingsError> {
        check_own("start", target)?;
        match target {
            Target::Own(own) if own.data_dir.is_none() => {
                Err(SettingsError::Unfit("start wants the --data-dir of a store, such as `fill` makes"))
            }
            _ => Ok(()),
        }
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let mut stage = Stage::open(target).await?;
        let bar = progress::bar("starting", 2 * self.rounds as u64, "starts");
        let (mut clean, mut killed) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            stage.again(End::Stop).await?;
            clean.extend(milliseconds(&stage));
            bar.inc(1);
        }
        for round in 0..self.rounds {
            let fleet = register(&stage, AGENTS, seed ^ round as u64).await?;
            let (hub, load) = (Arc::clone(&stage.hub), load(CONNECTIONS, 1, None, LOAD_SECONDS));
            let progress = Progress::new("loading", load.until, 0);
            let pushing =
                tokio::spawn(async move { lanes::run(&hub, fleet, load, &progress).await.map(drop) });
            sleep(LOADED_FOR).await;
            stage.again(End::Kill).await?;
            pushing.abort();
            killed.extend(milliseconds(&stage));
            bar.inc(1);
        }
        bar.finish_and_clear();
        let memory = stage.close().await?;
        let terms = self.store.clone().needs(self.rounds as u64, TABLE_ROUNDS as u64, "rounds");
        let findings = [(Must::StartClean, &clean), (Must::StartKilled, &killed)]
            .map(|(must, times)| Finding::new(must, slowest(times)).under(&terms));
        let text =
            format!("start, ms until `listening`: clean {clean:.0?}, killed under load {killed:.0?}\n");
        let figures = Figures { clean_milliseconds: clean, killed_milliseconds: killed };
        Ok(Told::new("start", &figures, text, true).with(findings).with_memory(memory))
    }
}

fn milliseconds(stage: &Stage) -> Option<f64> {
    stage.start_took().map(|took| took.as_secs_f64() * 1e3)
}

fn slowest(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::NAN, f64::max)
}
