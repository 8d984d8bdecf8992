//! Doing what was asked. What comes in here has been admitted and taken down; what goes out is its outcome.

mod allow;
mod ending;
mod output;
mod process;
mod service;

pub use allow::{ACTIONS, AllowList, AllowListError};
pub use ending::{Cut, Ending, within};
pub use output::SoFar;

use crate::{
    config::Effective,
    memory::GivenBack,
    record::Recorder,
    scan::{self, Plan, Wish},
};
use output::Output;
use pingup_protocol::command::{Action, ResultStatus};
use process::Ended;
use std::rc::Rc;

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

    /// It was taken back before it began.
    pub fn never_begun() -> Self {
        let output = "it was cancelled before it began".to_owned();
        Self { status: ResultStatus::Cancelled, exit_code: None, output: Some(output) }
    }

    fn cut(cut: Cut) -> Self {
        Self { status: status_of(cut), ..Self::failed(cut) }
    }

    fn succeeded(output: String) -> Self {
        Self { status: ResultStatus::Succeeded, exit_code: None, output: Some(output) }
    }

    fn failed(reason: impl std::fmt::Display) -> Self {
        let output = Output::of(reason.to_string().as_bytes()).text();
        Self { status: ResultStatus::Failed, exit_code: None, output: Some(output) }
    }

    fn of(ended: Ended) -> Self {
        let status = match (ended.cut, ended.exit_code) {
            (Some(cut), _) => status_of(cut),
            (None, Some(0)) => ResultStatus::Succeeded,
            (None, _) => ResultStatus::Failed,
        };
        Self { status, exit_code: ended.exit_code, output: Some(ended.output) }
    }
}

/// How what was ended so is told: an operator gets what was asked for, everyone else less.
const fn status_of(cut: Cut) -> ResultStatus {
    match cut {
        Cut::Cancelled => ResultStatus::Cancelled,
        Cut::Stopped | Cut::Overdue(_) => ResultStatus::Failed,
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

    /// Carries out `action`. When `ending` says so, it ends what runs and says what came of it until then. What a
    /// program prints stands in `so_far` while it runs.
    pub async fn run(
        &self,
        action: Action,
        config: &Effective,
        ending: &Ending<'_>,
        so_far: &SoFar,
    ) -> Outcome {
        match action {
            Action::Ping => Outcome::succeeded("pong".to_owned()),
            Action::CollectNow => self.collect(ending).await,
            Action::RunDiscovery { cidr, ports, force } => {
                match Plan::choose(Wish { cidr, ports, force }, config) {
                    Ok(plan) => self.discover(plan, ending).await,
                    Err(error) => Outcome::failed(error),
                }
            }
            Action::RestartService { service } => match service::restart_argv(&service) {
                Some(argv) => run_program(&argv, ending, so_far).await,
                None => Outcome::failed("this machine has no service manager that is known here"),
            },
            Action::Exec { argv, .. } => run_program(&argv, ending, so_far).await,
        }
    }

    async fn collect(&self, ending: &Ending<'_>) -> Outcome {
        let taken = match ending.or(self.recorder.take_sample()).await {
            Ok(taken) => taken,
            Err(cut) => return Outcome::cut(cut),
        };
        match taken
            .map_err(|error| error.to_string())
            .and_then(|sample| serde_json::to_string(&sample.metrics).map_err(|error| error.to_string()))
        {
            Ok(metrics) => Outcome::succeeded(metrics),
            Err(error) => Outcome::failed(error),
        }
    }

    async fn discover(&self, plan: Plan, ending: &Ending<'_>) -> Outcome {
        let _given_back = GivenBack::default();
        let began = self.recorder.now();
        let made = match ending.or(scan::run(&plan, |_| {})).await {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => return Outcome::failed(error),
            Err(cut) => return Outcome::cut(cut),
        };
        let (hosts, seconds) = (made.scan.hosts.len(), made.scan.duration / 1_000.0);
        let mut said = vec![format!("{hosts} hosts found in {seconds:.1} s")];
        said.extend(made.remark());
        match self.recorder.take_scan(began, made.scan) {
            Ok(0) => {}
            Ok(left_out) => said
                .push(format!("{left_out} of them are left out, since the scan would have been too large")),
            Err(error) => return Outcome::failed(error),
        }
        Outcome::succeeded(said.join("; "))
    }
}

async fn run_program(argv: &[String], ending: &Ending<'_>, so_far: &SoFar) -> Outcome {
    match process::run(argv, ending, so_far).await {
        Ok(ended) => Outcome::of(ended),
        Err(error) => Outcome::failed(error),
    }
}
