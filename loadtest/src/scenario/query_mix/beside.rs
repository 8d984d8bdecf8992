//! Ingest on schedule beside heavy questions, asked over and over by several at once.

use super::{
    figures::Asked,
    store::{Store, pick},
};
use crate::{
    answer::OK,
    api::Api,
    error::LoadError,
    hub::Stage,
    lanes,
    load_report::{Latency, LoadReport},
    measured::mix,
    progress::Progress,
    scenario::{load, register},
    tally::microseconds,
    verdict::{Finding, Must, Terms},
};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::{
    num::NonZeroU64,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{task::JoinSet, time::sleep};

/// Agents and connections of the ingest.
const INGEST_AGENTS: usize = 2_000;
const INGEST_CONNECTIONS: usize = 256;
/// The rate, and the questions at once, that the table speaks of.
const TABLE: (u64, usize) = (20_000, 10);
/// The wait before a busy hub is asked again.
const BUSY_WAIT: Duration = Duration::from_millis(100);

/// How much of both.
pub(super) struct Plan {
    /// Rows a second.
    pub(super) rate: NonZeroU64,
    /// Heavy questions at once.
    pub(super) heavy: usize,
    /// For how long.
    pub(super) seconds: u64,
}

/// What both came to.
#[derive(Serialize)]
pub(super) struct Beside {
    /// The rows.
    pub(super) ingest: LoadReport,
    /// The questions.
    pub(super) heavy: Asked,
    /// How many of them at once.
    pub(super) heavy_at_once: usize,
}

/// Pushes beside heavy questions about `store`.
pub(super) async fn run(stage: &Stage, store: &Store, plan: &Plan, seed: u64) -> Result<Beside, LoadError> {
    let fleet = register(stage, INGEST_AGENTS, seed).await?;
    let micros = Arc::new(Mutex::new(microseconds()));
    let mut askers = JoinSet::new();
    for asker in 0..plan.heavy {
        let api = Api::new(Arc::clone(&stage.hub), stage.bearer.clone());
        askers.spawn(ask_on(api, store.clone(), mix(seed ^ asker as u64), Arc::clone(&micros)));
    }
    let load = load(INGEST_CONNECTIONS, 1, Some(plan.rate), plan.seconds);
    let progress = Progress::new("beside heavy questions", load.until, 0);
    let ran = lanes::run(&stage.hub, fleet, load, &progress).await?;
    askers.shutdown().await;
    let micros = micros.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Beside {
        ingest: LoadReport::new(stage.hub.url(), INGEST_AGENTS, seed, &load, &ran),
        heavy: Asked {
            name: "30 days by the minute",
            must: None,
            not_offered: None,
            answers: micros.len(),
            bytes_max: 0,
            milliseconds: Latency::of(&micros),
        },
        heavy_at_once: plan.heavy,
    })
}

/// Asks one heavy question after the other, for as long as somebody lets it.
async fn ask_on(mut api: Api, store: Store, random: u64, micros: Arc<Mutex<Histogram<u64>>>) {
    for query in 0.. {
        let Some(id) = pick(&store.agents, random ^ query) else { break };
        match api.timed(&store.span.heavy(id)).await {
            Ok((answer, took)) if answer.status == OK => {
                // A record stays sound whoever panicked beside it.
                let mut micros = micros.lock().unwrap_or_else(PoisonError::into_inner);
                micros.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            }
            // Busy, or a connection that went: what is measured here is the ingest.
            _ => sleep(BUSY_WAIT).await,
        }
    }
}

impl Beside {
    /// The ingest's p99, held to the table if it is the table's load: with questions that were answered, for without
    /// any the ingest was beside nothing.
    pub(super) fn finding(&self, rate: u64, terms: &Terms) -> Option<Finding> {
        let p99 = self.ingest.latency_milliseconds.p99;
        judge((rate, self.heavy_at_once), self.heavy.answers, p99, terms)
    }
}

fn judge(load: (u64, usize), answers: u64, p99: f64, terms: &Terms) -> Option<Finding> {
    match answers {
        _ if load != TABLE => None,
        0 => Some(Finding::not_shown(Must::BesideQueries, "no heavy question was answered")),
        _ => Some(Finding::new(Must::BesideQueries, p99).under(terms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ingest_beside_questions_that_nobody_answers_shows_nothing() {
        let value =
            |load, answers| judge(load, answers, 42.0, &Terms::default()).map(|finding| finding.value);
        assert_eq!(value(TABLE, 0), Some(None));
        assert_eq!(value(TABLE, 1), Some(Some(42.0)));
        assert_eq!(value((1_000, 10), 1), None);
        assert_eq!(value((20_000, 4), 1), None);
    }
}
