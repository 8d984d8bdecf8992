//! A program that says on standard output where it listens, and its end.

use super::{file, last_line};
use crate::{error::LoadError, settings::Hub};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::File,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// How long a program may take until it listens: a store that was killed under load is read again first.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a hub may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(120);
/// What a program prints before its address.
const LISTENING: &str = "listening on ";

/// A program that listens: the hub, or the bare handler.
pub(crate) struct Listener {
    /// Where.
    pub(crate) hub: Arc<Hub>,
    /// From its start until it said so.
    pub(crate) took: Duration,
    program: String,
    child: Child,
    // Held open: a program whose standard output is gone may end for it.
    _stdout: BufReader<ChildStdout>,
}

impl Listener {
    /// Starts `command` and waits until it listens. What it logs goes to `log`.
    pub(crate) async fn start(mut command: Command, log: Option<&Path>) -> Result<Self, LoadError> {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let failed = |reason: String| LoadError::Program { program: program.clone(), reason };
        let stderr = match log {
            Some(path) => Stdio::from(File::create(path).map_err(|source| file(path, source))?),
            None => Stdio::null(),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).kill_on_drop(true);
        let started = Instant::now();
        let mut child = command.spawn().map_err(|error| failed(format!("cannot be started: {error}")))?;
        let stdout = child.stdout.take().ok_or_else(|| failed("it has no standard output".to_owned()))?;
        let (mut stdout, mut line) = (BufReader::new(stdout), String::new());
        let said = timeout(START_TIMEOUT, stdout.read_line(&mut line)).await;
        let took = started.elapsed();
        let url = line.trim_end().strip_prefix(LISTENING).filter(|_| matches!(said, Ok(Ok(_))));
        let hub = url.and_then(|url| Hub::read(url, true).ok()).ok_or_else(|| {
            failed(last_line(log).unwrap_or_else(|| "it did not say where it listens".to_owned()))
        })?;
        Ok(Self { hub: Arc::new(hub), took, program, child, _stdout: stdout })
    }

    /// Its process id, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it ends by itself; why, as its `log` has it.
    pub(crate) async fn ended(&mut self, log: &Path) -> LoadError {
        let status = match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let reason = match last_line(Some(log)) {
            Some(line) => format!("ended by itself ({status}): {line}"),
            None => format!("ended by itself ({status})"),
        };
        LoadError::Program { program: self.program.clone(), reason }
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<(), LoadError> {
        let failed = |reason: String| LoadError::Program { program: self.program.clone(), reason };
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, Signal::TERM).map_err(|error| failed(format!("cannot be stopped: {error}")))?;
        }
        match timeout(STOP_TIMEOUT, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(failed(format!("ended badly: {status}"))),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!("did not stop within {} s", STOP_TIMEOUT.as_secs()))),
        }
    }

    /// Kills it, as a power cut would, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Result<(), LoadError> {
        self.child
            .kill()
            .await
            .map_err(|error| LoadError::Program { program: self.program.clone(), reason: error.to_string() })
    }
}
