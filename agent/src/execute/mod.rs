//! Doing what was asked. What comes in here has been admitted and taken down; what goes out is its outcome.

mod allow;
mod output;
mod process;
mod service;

pub use allow::{ACTIONS, AllowList, AllowListError};

use crate::{
    config::Effective,
    record::Recorder,
    scan::{self, Plan},
    stop::Stop,
};
use output::Output;
use pingup_protocol::command::{Action, ResultStatus};
use process::Ended;
use std::{rc::Rc, time::Duration};

/// How long restarting a service may take.
const RESTART_WITHIN: Duration = Duration::from_secs(120);

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// In a word.
    pub status: ResultStatus,
    /// The exit code of the program it ran.
    pub exit_code: Option<i64>,
    /// What it printed, or why it did not run.
    pub output: Option<String>,
}

impl Outcome {
    /// It was not run, and this is why.
    pub fn rejected(reason: String) -> Self {
        Self { status: ResultStatus::Rejected, exit_code: None, output: Some(reason) }
    }

    fn succeeded(output: String) -> Self {
        Self { status: ResultStatus::Succeeded, exit_code: None, output: Some(output) }
    }

    fn failed(reason: impl std::fmt::Display) -> Self {
        let output = Output::of(reason.to_string().as_bytes()).into_text();
        Self { status: ResultStatus::Failed, exit_code: None, output: Some(output) }
    }

    fn of(ended: Ended) -> Self {
        let status = match ended.exit_code {
            Some(0) => ResultStatus::Succeeded,
            _ => ResultStatus::Failed,
        };
        Self { status, exit_code: ended.exit_code, output: Some(ended.output) }
    }
}

/// Carries out actions.
pub struct Executor {
    recorder: Rc<Recorder>,
}

impl Executor {
    /// An executor that takes down what it measures and finds with `recorder`.
    pub const fn new(recorder: Rc<Recorder>) -> Self {
        Self { recorder }
    }

    /// Carries out `action`. Told to stop, it ends what runs and says what came of it so far.
    pub async fn run(&self, action: Action, config: &Effective, stop: &Stop) -> Outcome {
        match action {
            Action::Ping => Outcome::succeeded("pong".to_owned()),
            Action::CollectNow => self.collect(stop).await,
            Action::RunDiscovery { cidr, ports } => {
                let plan = Plan::choose(cidr.as_deref(), ports, config);
                match plan {
                    Ok(plan) => self.discover(plan, stop).await,
                    Err(error) => Outcome::failed(error),
                }
            }
            Action::RestartService { service } => match service::restart_argv(&service) {
                Some(argv) => run_program(&argv, RESTART_WITHIN, stop).await,
                None => Outcome::failed("this machine has no service manager that is known here"),
            },
            Action::Exec { argv, timeout_seconds } => {
                run_program(&argv, Duration::from_secs(timeout_seconds), stop).await
            }
        }
    }

    async fn collect(&self, stop: &Stop) -> Outcome {
        let Some(taken) = stop.or(self.recorder.take_sample()).await else {
            return Outcome::failed("the agent was stopped while it measured");
        };
        match taken
            .map_err(|error| error.to_string())
            .and_then(|sample| serde_json::to_string(&sample.metrics).map_err(|error| error.to_string()))
        {
            Ok(metrics) => Outcome::succeeded(metrics),
            Err(error) => Outcome::failed(error),
        }
    }

    async fn discover(&self, plan: Plan, stop: &Stop) -> Outcome {
        let began = self.recorder.now();
        let Some(scan) = stop.or(scan::run(&plan, |_| {})).await else {
            return Outcome::failed("the agent was stopped while it scanned");
        };
        let (hosts, seconds) = (scan.hosts.len(), scan.duration / 1_000.0);
        match self.recorder.take_scan(began, scan) {
            Ok(0) => Outcome::succeeded(format!("{hosts} hosts found in {seconds:.1} s")),
            Ok(left_out) => Outcome::succeeded(format!(
                "{hosts} hosts found in {seconds:.1} s; {left_out} of them are left out, since the scan would \
                 have been too large"
            )),
            Err(error) => Outcome::failed(error),
        }
    }
}

async fn run_program(argv: &[String], within: Duration, stop: &Stop) -> Outcome {
    match process::run(argv, within, stop).await {
        Ok(ended) => Outcome::of(ended),
        Err(error) => Outcome::failed(error),
    }
}
