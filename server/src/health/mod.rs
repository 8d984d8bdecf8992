//! Is the hub well? Examined once a second by a sweep, told to whoever asks.
//!
//! Asking is for everyone and without a token, so it must cost nothing: [`handler::get`] tells the last
//! examination and asks no engine. Each probe has a deadline, and one that does not come back is not started
//! again beside itself. An examination that is too old is itself a failure: something is stuck.
//!
//! The parts are handed over by `app`; what they are is not known here.

pub mod handler;

use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    task::JoinHandle,
    time::{error::Elapsed, timeout},
};

/// How long a part may take to answer.
const PROBE_WAIT: Duration = Duration::from_secs(2);
/// How old an examination may be. Several sweeps may be late before that is a finding.
const EXAMINATION_AGE_MAX: Duration = Duration::from_secs(10);

const _: () = assert!(PROBE_WAIT.as_secs() * 3 < EXAMINATION_AGE_MAX.as_secs());

/// What is worth knowing though it works, or what is wrong.
type Answer = Result<Option<String>, String>;
type Asking = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A part of the hub that can be asked whether it works.
pub struct Probe {
    name: &'static str,
    ask: Box<dyn Fn() -> Asking + Send + Sync>,
    /// Asked, and no answer yet.
    pending: Mutex<Option<JoinHandle<Answer>>>,
}

impl Probe {
    /// The part `name`; `ask` answers with what is wrong, if anything.
    pub fn new<A, R, E>(name: &'static str, ask: A) -> Self
    where
        A: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        Self::with_remarks(name, move || {
            let asking = ask();
            async move { asking.await.map(|()| None::<String>) }
        })
    }

    /// The same, of a part that may say something while it works.
    pub fn with_remarks<A, R, T, E>(name: &'static str, ask: A) -> Self
    where
        A: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Option<T>, E>> + Send + 'static,
        T: fmt::Display,
        E: fmt::Display,
    {
        let told = |remark: Option<T>| remark.map(|remark| remark.to_string());
        let ask = move || {
            let asking = ask();
            Box::pin(async move { asking.await.map(told).map_err(|error| error.to_string()) }) as Asking
        };
        Self { name, ask: Box::new(ask), pending: Mutex::new(None) }
    }

    /// Asks, unless the last question is still open; then waits for that answer.
    async fn examine(&self, wait: Duration) -> PartView {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut asking = pending.unwrap_or_else(|| tokio::spawn((self.ask)()));
        let answer = timeout(wait, &mut asking).await;
        if answer.is_err() {
            *self.pending.lock().unwrap_or_else(PoisonError::into_inner) = Some(asking);
        }
        match answer {
            Ok(Ok(Ok(detail))) => PartView { status: PartStatus::Ok, detail },
            Ok(Ok(Err(detail))) => PartView::failed(detail),
            Ok(Err(_panicked)) => PartView::failed("asking it panicked"),
            Err(Elapsed { .. }) => PartView::failed(format!("no answer within {} s", wait.as_secs())),
        }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probe({})", self.name)
    }
}

/// How a part does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PartStatus {
    /// It works.
    Ok,
    /// It does not.
    Failed,
}

/// How the hub does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Every part works.
    Ok,
    /// At least one does not.
    Degraded,
}

/// What a part answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PartView {
    /// Whether it works.
    pub status: PartStatus,
    /// What is wrong, where something is; or what is worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl PartView {
    fn failed(detail: impl Into<String>) -> Self {
        Self { status: PartStatus::Failed, detail: Some(detail.into()) }
    }
}

/// What whoever asks is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthView {
    /// How the hub does.
    pub status: HealthStatus,
    /// Its version.
    pub version: &'static str,
    /// How long it has been running.
    pub uptime_seconds: u64,
    /// How each of its parts does: `sqlite`, `history`, `keeper` (who keeps the history in order), `queue`; of a
    /// hub that speaks TLS also `tls`, which says when its certificate ends where that is soon.
    pub checks: BTreeMap<&'static str, PartView>,
}

/// The room.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    probes: Vec<Probe>,
    /// The last examination, and when it was.
    found: Mutex<Option<(Instant, BTreeMap<&'static str, PartView>)>>,
}

impl Health {
    /// A hub that starts now and consists of these parts; nothing is examined yet.
    pub fn new(probes: Vec<Probe>) -> Self {
        Self { started: Instant::now(), probes, found: Mutex::new(None) }
    }

    /// Asks every part and keeps the answers. For the sweep, and once before the hub says it is ready.
    pub async fn examine(&self) {
        let mut checks = BTreeMap::new();
        for probe in &self.probes {
            checks.insert(probe.name, probe.examine(PROBE_WAIT).await);
        }
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), checks));
    }

    /// What the last examination found.
    pub fn report(&self) -> HealthView {
        self.report_at(Instant::now())
    }

    fn report_at(&self, now: Instant) -> HealthView {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let checks = match found {
            Some((when, checks)) if now.saturating_duration_since(when) <= EXAMINATION_AGE_MAX => checks,
            _ => self
                .probes
                .iter()
                .map(|probe| (probe.name, PartView::failed("not examined lately")))
                .collect(),
        };
        let is_well = checks.values().all(|check| check.status == PartStatus::Ok);
        HealthView {
            status: if is_well { HealthStatus::Ok } else { HealthStatus::Degraded },
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: now.saturating_duration_since(self.started).as_secs(),
            checks,
        }
    }
}

#[cfg(test)]
mod tests;
