//! The real agent program, started for a run, and what the system says of it.

use crate::{error::LoadError, hub::file, memory::Watch, processor::worked, settings::Hub};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// How long an agent may take to stop: it gives itself three seconds.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How an agent is started.
pub(super) struct Seat {
    /// The program.
    pub(super) program: PathBuf,
    /// Where it keeps its state.
    pub(super) state: PathBuf,
}

/// An agent at work.
pub(super) struct Agent {
    child: Child,
    program: String,
    /// What it takes in memory.
    pub(super) watch: Watch,
}

/// Of what an agent writes down of itself, what is looked at here.
#[derive(Deserialize)]
struct Status {
    spool: Spooled,
}

#[derive(Deserialize)]
struct Spooled {
    records: u64,
}

impl Seat {
    /// Starts it, with a join token if it is to enrol, and these variables beside.
    pub(super) fn start(
        &self,
        hub: &Hub,
        token: Option<&str>,
        environment: &[(&str, String)],
    ) -> Result<Agent, LoadError> {
        let program = self.program.display().to_string();
        let mut command = Command::new(&self.program);
        command.args(["run", "--log", "error", "--hub", &hub.url(), "--state-dir"]).arg(&self.state);
        command.envs(environment.iter().map(|(name, value)| (*name, value)));
        command.env("PINGUP_JOIN_TOKEN", token.unwrap_or_default());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().map_err(|error| LoadError::Program {
            program: program.clone(),
            reason: format!("cannot be started: {error}"),
        })?;
        let watch = Watch::start(child.id());
        Ok(Agent { child, program, watch })
    }

    /// Records that wait for the hub, as the agent wrote it down last; none before it did.
    pub(super) fn spooled(&self) -> Option<u64> {
        let text = fs::read(self.state.join("status.json")).ok()?;
        serde_json::from_slice::<Status>(&text).ok().map(|status| status.spool.records)
    }

    /// Bytes of the program without its symbols; none where nobody can take them away.
    pub(super) async fn stripped_bytes(&self, folder: &Path) -> Result<Option<u64>, LoadError> {
        let stripped = folder.join("stripped");
        let stripping = Command::new("strip").arg("-o").arg(&stripped).arg(&self.program).status().await;
        match stripping {
            Ok(status) if status.success() => {
                let found = fs::metadata(&stripped).map_err(|source| file(&stripped, source))?;
                Ok(Some(found.len()))
            }
            _ => Ok(None),
        }
    }
}

impl Agent {
    /// Processor time of all its threads so far, by the system's own accounts of each; none where there are none.
    pub(super) fn worked(&self) -> Option<Duration> {
        worked(self.child.id()?)
    }

    /// Asks it to stop, and waits until it has.
    pub(super) async fn stop(mut self) -> Result<(), LoadError> {
        let failed = |reason: String| LoadError::Program { program: self.program.clone(), reason };
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).map_err(|error| failed(format!("cannot be stopped: {error}")))?;
        }
        match timeout(STOP_TIMEOUT, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(failed(format!("ended badly: {status}"))),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!("did not stop within {} s", STOP_TIMEOUT.as_secs()))),
        }
    }
}
