//! Background work: what time alone brings about.
//!
//! One driver ticks once a second and starts the jobs that are due, each as a task of its own. Every job is
//! idempotent, so a tick that is missed is caught up by the next, and one that fails is simply run again.
//! Jobs do not hold each other up: a job that is still at work is not started a second time, one that fails
//! or panics is told once until it works again.
//!
//! The jobs' files know what to do and when, not whose rows they touch: functions that do are handed over by
//! `app`.

pub mod batches;
pub mod disk;
pub mod expire;
pub mod forget;
pub mod keys;
pub mod latest;
pub mod offline;
pub mod series;
pub mod tokens;

use pingup_protocol::time::Timestamp;
use std::{error::Error, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    task::{JoinError, JoinHandle},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

/// How often the driver looks; no job is due more often.
pub const TICK: Duration = Duration::from_secs(1);
/// How long jobs get to finish what they are at when the hub stops.
const FINISH_WAIT: Duration = Duration::from_secs(5);

/// The time, where what goes by it may be ended or deleted for good; none while the clock is not believed.
pub type Believed = Arc<dyn Fn() -> Option<Timestamp> + Send + Sync>;

/// Why a job did not do what it was to do.
pub type JobError = Box<dyn Error + Send + Sync>;
type Running = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

/// A job: its name, how often it is due, and what it does.
pub struct Job {
    name: &'static str,
    every: Duration,
    run: Box<dyn FnMut() -> Running + Send>,
}

impl Job {
    /// A job that is due every `every`, first at the first tick.
    pub fn new<F, R, E>(name: &'static str, every: Duration, mut run: F) -> Self
    where
        F: FnMut() -> R + Send + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<JobError>,
    {
        let run = move || {
            let running = run();
            Box::pin(async move { running.await.map_err(Into::into) }) as Running
        };
        Self { name, every, run: Box::new(run) }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Job({}, every {:?})", self.name, self.every)
    }
}

/// The driver and its jobs.
#[derive(Debug, Default)]
pub struct Sweep {
    jobs: Vec<Scheduled>,
}

#[derive(Debug)]
struct Scheduled {
    job: Job,
    due: Option<Instant>,
    running: Option<JoinHandle<Result<(), JobError>>>,
    is_failing: bool,
}

impl Sweep {
    /// No jobs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one job more.
    #[must_use]
    pub fn with(mut self, job: Job) -> Self {
        self.jobs.push(Scheduled { job, due: None, running: None, is_failing: false });
        self
    }

    /// Runs the jobs until `shutdown`, then waits a named while for those that are at work.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut ticks = interval(TICK);
        // After a pause, one tick: the jobs catch up by themselves.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                now = ticks.tick() => {
                    for scheduled in &mut self.jobs {
                        scheduled.tick(now).await;
                    }
                }
            }
        }
        self.finish().await;
    }

    async fn finish(self) {
        let deadline = Instant::now() + FINISH_WAIT;
        for scheduled in self.jobs {
            let Some(mut running) = scheduled.running else { continue };
            if timeout(deadline.saturating_duration_since(Instant::now()), &mut running).await.is_err() {
                tracing::warn!(job = scheduled.job.name, "a job did not finish in time and was left");
                running.abort();
            }
        }
    }
}

impl Scheduled {
    /// Takes what the last run came to, if it has ended, and starts the next if it is due.
    async fn tick(&mut self, now: Instant) {
        if self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        if let Some(ended) = self.running.take() {
            self.note(ended.await);
        }
        if self.due.is_none_or(|due| due <= now) {
            self.due = Some(now + self.job.every);
            self.running = Some(tokio::spawn((self.job.run)()));
        }
    }

    /// Tells a change from working to failing or back, and nothing else.
    fn note(&mut self, ended: Result<Result<(), JobError>, JoinError>) {
        let error = match ended {
            Ok(Ok(())) => {
                if self.is_failing {
                    tracing::info!(job = self.job.name, "the job works again");
                }
                self.is_failing = false;
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        if !self.is_failing {
            tracing::warn!(
                job = self.job.name,
                error,
                "the job failed; it is tried again when due, and told when it works"
            );
        }
        self.is_failing = true;
    }
}

#[cfg(test)]
mod tests;
