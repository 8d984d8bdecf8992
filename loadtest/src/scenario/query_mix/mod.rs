//! Questions about a filled store: each kind for random agents, one after the other; then, if asked, ingest beside
//! heavy questions.
//!
//! It takes a store that `fill` made (`--data-dir`, or a running hub); an empty one it fills a little by itself. What
//! the hub does not offer (404, 405, 422) is told as such, in the hub's own words, and is not shown to hold.

mod beside;
mod figures;
mod kinds;
mod store;

use super::{Scenario, fill::Fill};
use crate::{
    answer::OK,
    api::{Api, PAGE_SCANS_MAX},
    error::LoadError,
    hub::Stage,
    load_report::Latency,
    progress,
    report::Told,
    settings::{RATE_ROWS_MAX, RUN_SECONDS_MAX, SettingsError, TIMES_MAX, Target, number},
    tally::microseconds,
    verdict::Must,
};
use clap::{Args, value_parser};
use figures::{Asked, Figures};
use kinds::{KINDS, Kind};
use std::{num::NonZeroU64, sync::Arc, time::Duration};
use store::{Store, pick};

/// Statuses of a path, a method of it, or a parameter that a hub does not have.
const NOT_OFFERED: [u16; 3] = [404, 405, 422];
const NO_SCANS: &str = "no scans in this store";

/// Questions of each kind in the table's run, and how long it pushes beside heavy ones, seconds.
const TABLE_QUERIES: usize = 100;
const TABLE_SECONDS: u64 = 60;

/// What to ask, how often.
#[derive(Args)]
pub(crate) struct QueryMix {
    /// Questions of each kind
    #[arg(long, env = "PINGUP_QUERIES", value_name = "N", default_value_t = TABLE_QUERIES,
          value_parser = number::<1, TIMES_MAX>)]
    pub(crate) queries: usize,
    /// Rows a second to push beside heavy questions; 0: none
    #[arg(long, env = "PINGUP_INGEST_RATE", value_name = "N", default_value_t = 0,
          value_parser = value_parser!(u64).range(0..=RATE_ROWS_MAX))]
    pub(crate) ingest_rate: u64,
    /// Heavy questions (30 days by the minute) at once beside it
    #[arg(long, env = "PINGUP_HEAVY", value_name = "N", default_value = "10", value_parser = number::<0, 1_000>)]
    pub(crate) heavy: usize,
    /// How long to push beside them
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", default_value_t = TABLE_SECONDS,
          value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    pub(crate) seconds: u64,
}

impl Scenario for QueryMix {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        Ok(())
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let stage = Stage::open(target).await?;
        let mut api = Api::new(Arc::clone(&stage.hub), stage.bearer.clone());
        if api.agents().await?.is_empty() {
            Fill::small().push(&stage, seed).await?;
        }
        let store = Store::find(&mut api).await?;
        let mut asked = Vec::new();
        for kind in &KINDS {
            asked.push(self.ask(&mut api, &store, kind, seed).await?);
        }
        asked.push(self.whole_months(&mut api, &store, seed).await?);
        let beside = match NonZeroU64::new(self.ingest_rate) {
            Some(rate) => {
                let plan = beside::Plan { rate, heavy: self.heavy, seconds: self.seconds };
                Some(beside::run(&stage, &store, &plan, seed).await?)
            }
            None => None,
        };
        let memory = stage.close().await?;
        let agents_with_scans = store.with_scans.len();
        let figures = Figures { seed, agents: store.agents.len(), agents_with_scans, asked, beside };
        let sound = figures.beside.as_ref().is_none_or(|beside| beside.ingest.sound());
        let findings = figures.findings(self);
        Ok(Told::new("query-mix", &figures, figures.text(), sound).with(findings).with_memory(memory))
    }
}

impl QueryMix {
    async fn ask(&self, api: &mut Api, store: &Store, kind: &Kind, seed: u64) -> Result<Asked, LoadError> {
        let ids = if kind.of_scans { &store.with_scans } else { &store.agents };
        let bar = progress::bar(kind.name, self.queries as u64, "questions");
        let (mut micros, mut bytes_max) = (microseconds(), 0);
        let mut not_offered = ids.is_empty().then(|| NO_SCANS.to_owned());
        for query in 0..self.queries {
            let Some(id) = pick(ids, seed ^ query as u64) else { break };
            let (answer, took) = api.timed(&(kind.path)(&store.span, id)).await?;
            match answer.status {
                OK => {
                    micros.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
                    bytes_max = bytes_max.max(answer.body.len());
                }
                status if NOT_OFFERED.contains(&status) => {
                    not_offered = Some(LoadError::refused(kind.name, &answer).to_string());
                    break;
                }
                _ => return Err(LoadError::refused(kind.name, &answer)),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let (name, must, milliseconds) = (kind.name, kind.must, Latency::of(&micros));
        Ok(Asked { name, must, not_offered, answers: micros.len(), bytes_max, milliseconds })
    }

    /// All scans of a month, page by page: what all pages take together.
    async fn whole_months(&self, api: &mut Api, store: &Store, seed: u64) -> Result<Asked, LoadError> {
        const MONTHS_MAX: usize = 5;
        let mut micros = microseconds();
        for query in 0..self.queries.min(MONTHS_MAX) {
            let Some(id) = pick(&store.with_scans, seed ^ query as u64) else { break };
            let mut whole = Duration::ZERO;
            api.timed_pages(&store.span.scans(id, PAGE_SCANS_MAX), |took| whole += took).await?;
            micros.saturating_record(u64::try_from(whole.as_micros()).unwrap_or(u64::MAX));
        }
        Ok(Asked {
            name: "scans with all hosts",
            must: Some(Must::ScansWhole),
            not_offered: store.with_scans.is_empty().then(|| NO_SCANS.to_owned()),
            answers: micros.len(),
            bytes_max: 0,
            milliseconds: Latency::of(&micros),
        })
    }
}
