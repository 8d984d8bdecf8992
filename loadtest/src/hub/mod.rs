//! The hub that a scenario loads: one that runs already, or a process of our own.
//!
//! Our own listens on a free port of the loopback, keeps its data in a fresh folder that goes with the run (or in
//! a named one that stays), says on standard output where it listens, and is stopped with SIGTERM. What it logs is
//! kept beside its data until the run is over: when it does not start, its last line says why.

mod listener;

pub(crate) use listener::Listener;

use crate::{
    error::LoadError,
    memory::{Memory, Watch},
    settings::{Bearer, Hub, OwnHub, Target},
};
use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::process::Command;

/// The hub of a run, and a token for it.
pub(crate) struct Stage {
    /// Where it listens.
    pub(crate) hub: Arc<Hub>,
    /// An operator's or admin's.
    pub(crate) bearer: Bearer,
    own: Option<OwnStage>,
}

/// How a hub of our own is started, where it matters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Start {
    /// Settings of its own, as environment variables.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// The port it listens on; 0: a free one, another each time.
    pub(crate) port: u16,
    /// Whether it is kept apart from this program's terminal: then Ctrl-C is for this program alone, which stops it.
    pub(crate) apart: bool,
}

/// A hub of our own with what belongs to it.
struct OwnStage {
    /// None while it is down.
    running: Option<(Listener, Watch)>,
    server: PathBuf,
    data_dir: PathBuf,
    start: Start,
    log: PathBuf,
    /// Of all hubs of this run so far.
    memory: Memory,
    // Removed with everything in it when the run is over.
    _folder: TempDir,
}

impl Stage {
    /// The hub of `target`, started if it is to be our own.
    pub(crate) async fn open(target: &Target) -> Result<Self, LoadError> {
        Self::open_with(target, Start::default()).await
    }

    /// The same; a hub of our own is started so.
    pub(crate) async fn open_with(target: &Target, start: Start) -> Result<Self, LoadError> {
        match target {
            Target::Running { hub, bearer } => {
                Ok(Self { hub: Arc::new(hub.clone()), bearer: bearer.clone(), own: None })
            }
            Target::Own(own) => Self::start(own, start).await,
        }
    }

    async fn start(own: &OwnHub, start: Start) -> Result<Self, LoadError> {
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
        let listener = Listener::start(serve(&server, &data_dir, &start), Some(&log)).await?;
        let bearer = make_token(&server, &data_dir).await?;
        let (hub, watch) = (Arc::clone(&listener.hub), Watch::start(listener.pid()));
        let (running, memory) = (Some((listener, watch)), Memory::default());
        let own = OwnStage { running, server, data_dir, start, log, memory, _folder: folder };
        Ok(Self { hub, bearer, own: Some(own) })
    }

    /// The data folder of a hub of our own.
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.data_dir.as_path())
    }

    /// A join token of a hub of our own, for one use.
    pub(crate) async fn join_token(&self) -> Result<String, LoadError> {
        match &self.own {
            Some(own) => said_about(&own.server, &["join-token", "create"], &own.data_dir).await,
            None => Err(LoadError::Nothing("only a hub of our own gives join tokens")),
        }
    }

    /// What the program of a hub of our own says when it is called so.
    pub(crate) async fn told_by(&self, arguments: &[&OsStr]) -> Result<String, LoadError> {
        match &self.own {
            Some(own) => said_by(&own.server, arguments).await,
            None => Err(LoadError::Nothing("only the program of a hub of our own can be called")),
        }
    }

    /// Waits until a hub of our own ends by itself; why.
    pub(crate) async fn ended(&mut self) -> LoadError {
        match self.own.as_mut().and_then(|own| Some((own.running.as_mut()?, &own.log))) {
            Some(((listener, _), log)) => listener.ended(log).await,
            None => std::future::pending().await,
        }
    }

    /// How long a hub of our own took until it listened.
    pub(crate) fn start_took(&self) -> Option<Duration> {
        self.own.as_ref()?.running.as_ref().map(|(listener, _)| listener.took)
    }

    /// What a hub of our own takes in memory at this moment, bytes.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        self.own.as_ref()?.running.as_ref().and_then(|(_, watch)| watch.now())
    }

    /// What a hub of our own has taken of the processors so far.
    pub(crate) fn worked(&self) -> Option<Duration> {
        self.own.as_ref()?.running.as_ref().and_then(|(_, watch)| watch.worked())
    }

    /// Stops a hub of our own, or kills it.
    pub(crate) async fn down(&mut self, how: End) -> Result<(), LoadError> {
        let Some(own) = &mut self.own else {
            return Err(LoadError::Nothing("only a hub of our own can be started again"));
        };
        let Some((listener, watch)) = own.running.take() else { return Ok(()) };
        own.memory = own.memory.and(watch.finish());
        match how {
            End::Stop => listener.stop().await,
            End::Kill => listener.kill().await,
        }
    }

    /// Starts a hub of our own on the data that it had.
    pub(crate) async fn up(&mut self) -> Result<(), LoadError> {
        let Some(own) = &mut self.own else {
            return Err(LoadError::Nothing("only a hub of our own can be started again"));
        };
        let command = serve(&own.server, &own.data_dir, &own.start);
        let listener = Listener::start(command, Some(&own.log)).await?;
        self.hub = Arc::clone(&listener.hub);
        let watch = Watch::start(listener.pid());
        own.running = Some((listener, watch));
        Ok(())
    }

    /// Both, one after the other.
    pub(crate) async fn again(&mut self, how: End) -> Result<(), LoadError> {
        self.down(how).await?;
        self.up().await
    }

    /// Stops a hub of our own; says what it took in memory.
    pub(crate) async fn close(mut self) -> Result<Memory, LoadError> {
        if self.own.is_some() {
            self.down(End::Stop).await?;
        }
        Ok(self.own.map(|own| own.memory).unwrap_or_default())
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

fn serve(server: &Path, data_dir: &Path, start: &Start) -> Command {
    let mut command = Command::new(server);
    command.args(["serve", "--listen", &format!("127.0.0.1:{}", start.port), "--data-dir"]).arg(data_dir);
    command.envs(start.environment.iter().map(|(name, value)| (*name, value)));
    if start.apart {
        command.process_group(0);
    }
    command
}

async fn make_token(server: &Path, data_dir: &Path) -> Result<Bearer, LoadError> {
    let token = said_about(server, &["token", "create", "--role", "admin"], data_dir).await?;
    let failed =
        || LoadError::Program { program: server.display().to_string(), reason: "made no token".to_owned() };
    Bearer::new(&token).ok_or_else(failed)
}

/// What a subcommand of the hub's program says about a data folder: one line.
async fn said_about(server: &Path, subcommand: &[&str], data_dir: &Path) -> Result<String, LoadError> {
    let mut arguments: Vec<_> = subcommand.iter().map(OsStr::new).collect();
    arguments.extend([OsStr::new("--data-dir"), data_dir.as_os_str()]);
    said_by(server, &arguments).await
}

/// What the hub's program says when it is called so.
async fn said_by(server: &Path, arguments: &[&OsStr]) -> Result<String, LoadError> {
    let program = server.display().to_string();
    let failed = |reason: String| LoadError::Program { program: program.clone(), reason };
    let output = Command::new(server).args(arguments).output().await;
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let subcommand: Vec<_> = arguments.iter().take(2).map(|word| word.to_string_lossy()).collect();
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("{} failed: {}", subcommand.join(" "), said.trim_end())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// The program of that name beside this one.
pub(crate) fn beside(name: &str) -> Result<PathBuf, LoadError> {
    let this = std::env::current_exe().map_err(|source| file(Path::new(name), source))?;
    let program = this.with_file_name(OsString::from(format!("{name}{}", std::env::consts::EXE_SUFFIX)));
    match program.is_file() {
        true => Ok(program),
        false => Err(LoadError::Program {
            program: program.display().to_string(),
            reason: "there is no such program; build it, or name it (--server, --agent), or name a hub that runs with --hub"
                .to_owned(),
        }),
    }
}

fn last_line(log: Option<&Path>) -> Option<String> {
    let text = fs::read_to_string(log?).ok()?;
    text.lines().last().map(str::to_owned)
}

pub(crate) fn file(path: &Path, source: std::io::Error) -> LoadError {
    LoadError::File { path: path.display().to_string(), source }
}
