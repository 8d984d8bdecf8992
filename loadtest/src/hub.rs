//! The hub that a scenario loads: one that runs already, or a process of our own.
//!
//! Our own listens on a free port of the loopback, keeps its data in a fresh folder that goes with the run (or in
//! a named one that stays), says on standard output where it listens, and is stopped with SIGTERM. What it logs is
//! kept beside its data until the run is over: when it does not start, its last line says why.

use crate::{
    error::LoadError,
    memory::{Memory, Watch},
    settings::{Bearer, Hub, OwnHub, Target},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
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

/// The hub of a run, and a token for it.
pub(crate) struct Stage {
    /// Where it listens.
    pub(crate) hub: Arc<Hub>,
    /// An operator's or admin's.
    pub(crate) bearer: Bearer,
    own: Option<OwnStage>,
}

/// A hub of our own with what belongs to it.
struct OwnStage {
    listener: Listener,
    watch: Watch,
    server: PathBuf,
    data_dir: PathBuf,
    environment: Vec<(&'static str, String)>,
    log: PathBuf,
    /// Of all hubs of this run so far.
    memory: Memory,
    // Removed with everything in it when the run is over.
    _folder: TempDir,
}

impl Stage {
    /// The hub of `target`, started if it is to be our own.
    pub(crate) async fn open(target: &Target) -> Result<Self, LoadError> {
        Self::open_with(target, &[]).await
    }

    /// The same, with settings for a hub of our own as environment variables.
    pub(crate) async fn open_with(
        target: &Target,
        environment: &[(&'static str, String)],
    ) -> Result<Self, LoadError> {
        match target {
            Target::Running { hub, bearer } => {
                Ok(Self { hub: Arc::new(hub.clone()), bearer: bearer.clone(), own: None })
            }
            Target::Own(own) => Self::start(own, environment).await,
        }
    }

    async fn start(own: &OwnHub, environment: &[(&'static str, String)]) -> Result<Self, LoadError> {
        let folder = tempfile::Builder::new()
            .prefix("pingup-loadtest-")
            .tempdir()
            .map_err(|source| file(&std::env::temp_dir(), source))?;
        let server = match &own.server {
            Some(path) => path.clone(),
            None => beside("pingup-server")?,
        };
        let data_dir = own.data_dir.clone().unwrap_or_else(|| folder.path().join("data"));
        let log = folder.path().join("hub.log");
        let listener = Listener::start(serve(&server, &data_dir, environment), Some(&log)).await?;
        let bearer = make_token(&server, &data_dir).await?;
        let watch = Watch::start(listener.pid());
        Ok(Self {
            hub: Arc::clone(&listener.hub),
            bearer,
            own: Some(OwnStage {
                listener,
                watch,
                server,
                data_dir,
                environment: environment.to_vec(),
                log,
                memory: Memory::default(),
                _folder: folder,
            }),
        })
    }

    /// The data folder of a hub of our own.
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.data_dir.as_path())
    }

    /// How long a hub of our own took until it listened.
    pub(crate) fn start_took(&self) -> Option<Duration> {
        self.own.as_ref().map(|own| own.listener.took)
    }

    /// What a hub of our own takes in memory at this moment, bytes.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        self.own.as_ref().and_then(|own| own.watch.now())
    }

    /// Stops a hub of our own, or kills it, and starts it again on the same data.
    pub(crate) async fn again(&mut self, how: End) -> Result<(), LoadError> {
        let Some(own) = self.own.take() else {
            return Err(LoadError::Nothing("only a hub of our own can be started again"));
        };
        let memory = own.memory.and(own.watch.finish());
        match how {
            End::Stop => own.listener.stop().await?,
            End::Kill => own.listener.kill().await?,
        }
        let command = serve(&own.server, &own.data_dir, &own.environment);
        let listener = Listener::start(command, Some(&own.log)).await?;
        self.hub = Arc::clone(&listener.hub);
        let watch = Watch::start(listener.pid());
        self.own = Some(OwnStage { listener, watch, memory, ..own });
        Ok(())
    }

    /// Stops a hub of our own; says what it took in memory.
    pub(crate) async fn close(self) -> Result<Memory, LoadError> {
        let Some(own) = self.own else { return Ok(Memory::default()) };
        let memory = own.memory.and(own.watch.finish());
        own.listener.stop().await?;
        Ok(memory)
    }
}

/// How a hub ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As it should.
    Stop,
    /// At once.
    Kill,
}

fn serve(server: &Path, data_dir: &Path, environment: &[(&'static str, String)]) -> Command {
    let mut command = Command::new(server);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
    command.envs(environment.iter().map(|(name, value)| (*name, value)));
    command
}

async fn make_token(server: &Path, data_dir: &Path) -> Result<Bearer, LoadError> {
    let program = server.display().to_string();
    let failed = |reason: String| LoadError::Program { program: program.clone(), reason };
    let mut command = Command::new(server);
    command.args(["token", "create", "--role", "admin", "--data-dir"]).arg(data_dir);
    let made = command.output().await.map_err(|error| failed(error.to_string()))?;
    let token = String::from_utf8_lossy(&made.stdout);
    match Bearer::new(token.trim_end()) {
        Some(bearer) if made.status.success() => Ok(bearer),
        _ => Err(failed(format!("made no token: {}", String::from_utf8_lossy(&made.stderr).trim_end()))),
    }
}

/// The program of that name beside this one.
fn beside(name: &str) -> Result<PathBuf, LoadError> {
    let this = std::env::current_exe().map_err(|source| file(Path::new(name), source))?;
    let program = this.with_file_name(OsString::from(format!("{name}{}", std::env::consts::EXE_SUFFIX)));
    match program.is_file() {
        true => Ok(program),
        false => Err(LoadError::Program {
            program: program.display().to_string(),
            reason: "there is no such program; build it, name it with --server, or name a hub with --hub"
                .to_owned(),
        }),
    }
}

fn last_line(log: Option<&Path>) -> Option<String> {
    let text = fs::read_to_string(log?).ok()?;
    text.lines().last().map(str::to_owned)
}

fn file(path: &Path, source: std::io::Error) -> LoadError {
    LoadError::File { path: path.display().to_string(), source }
}
