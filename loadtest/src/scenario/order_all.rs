//! One order to a whole crew: sent, begun by all, reported by all, and counted by the hub.

use crate::{
    api::Api,
    crew::{Crew, record},
    error::LoadError,
    hub::Stage,
    load_report::Latency,
    processor::worked,
    tally::microseconds,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// What one order came to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Round {
    /// From sent until it was answered: queued for all, on disk.
    pub(super) answered_seconds: f64,
    /// Until the last agent had begun.
    pub(super) begun_seconds: f64,
    /// Until the last result was stored.
    pub(super) stored_seconds: f64,
    /// Until each agent began.
    pub(super) begun_milliseconds: Latency,
    /// Commands of it that succeeded, as the hub counts them.
    pub(super) succeeded: u64,
    /// What that took of the processors.
    pub(super) processor_seconds: Worked,
}

/// Processor time, seconds; null where the system does not say. Who shares a machine waits for the other's as well.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Worked {
    /// A hub's of our own.
    pub(super) hub: Option<f64>,
    /// This program's: all agents.
    pub(super) agents: Option<f64>,
}

impl Worked {
    fn so_far(stage: &Stage) -> Self {
        let seconds = |worked: Option<Duration>| worked.map(|worked| worked.as_secs_f64());
        Self { hub: seconds(stage.worked()), agents: seconds(worked(std::process::id())) }
    }

    fn since(self, earlier: Self) -> Self {
        let since = |now: Option<f64>, then: Option<f64>| now.zip(then).map(|(now, then)| now - then);
        Self { hub: since(self.hub, earlier.hub), agents: since(self.agents, earlier.agents) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    batch_id: String,
    counts: Counts,
}

#[derive(Deserialize)]
struct Counts {
    succeeded: u64,
}

/// Sends `order`, which means all of `crew`, and waits for `patience` at most until all have begun, and again until
/// all have reported.
pub(super) async fn order_all(
    stage: &Stage,
    crew: &Crew,
    order: &Value,
    patience: Duration,
) -> Result<Round, LoadError> {
    let mut api = Api::new(Arc::clone(&stage.hub), stage.bearer.clone());
    crew.diary.take_commands();
    let (all, before) = (crew.len() as u64, Worked::so_far(stage));
    let posted = api.post::<Batch>("ordering all", "/api/v1/commands", order).await?;
    crew.watch("until all have begun", all, patience, || crew.diary.progress().0).await?;
    crew.watch("until all results are stored", all, patience, || crew.diary.progress().1).await?;
    let processor_seconds = Worked::so_far(stage).since(before);
    let path = format!("/api/v1/commands/batches/{}", posted.answer.batch_id);
    let Batch { counts, .. } = api.read("counting a batch", &path).await?;
    let (begun, stored) = crew.diary.take_commands();
    let since_sent = |at: tokio::time::Instant| at.saturating_duration_since(posted.sent);
    let mut micros = microseconds();
    begun.values().for_each(|at| record(&mut micros, since_sent(*at)));
    let last = begun.values().copied().max().unwrap_or(posted.answered);
    Ok(Round {
        answered_seconds: since_sent(posted.answered).as_secs_f64(),
        begun_seconds: since_sent(last).as_secs_f64(),
        stored_seconds: since_sent(stored.unwrap_or(last)).as_secs_f64(),
        begun_milliseconds: Latency::of(&micros),
        succeeded: counts.succeeded,
        processor_seconds,
    })
}
