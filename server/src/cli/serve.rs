//! `serve`: logging, the runtime, the signals that end it; the hub itself is [`crate::app`].

use super::CliError;
use crate::{app, settings::Settings};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

/// Threads for what blocks: reading large bodies, questions to the records. When hundreds of agents deliver their
/// spools at once, more threads would only take memory.
const BLOCKING_THREADS_MAX: usize = 32;

/// Runs the hub until SIGTERM or SIGINT.
pub(super) fn serve(settings: Settings) -> Result<(), CliError> {
    start_logging(&settings.log)?;
    raise_open_files_limit(settings.connections_max);
    // As many threads as there are cores, which is tokio's default.
    let runtime = Builder::new_multi_thread()
        .thread_name("hub")
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
        .map_err(|error| CliError::Failed(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(async {
        let (terminate, interrupt) =
            signals().map_err(|error| CliError::Failed(format!("cannot hear signals: {error}")))?;
        Ok(app::run(settings, shutdown(terminate, interrupt)).await?)
    })
}

/// Takes as many open files as the system grants: each connection is one, and the usual soft limit is 1 024.
fn raise_open_files_limit(connections_max: usize) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        tracing::debug!("the limit of open files stays as it was");
    }
    if let Some(open_files_max) = getrlimit(Resource::Nofile).current
        && open_files_max < connections_max as u64
    {
        tracing::warn!(
            open_files_max,
            connections_max,
            "the system grants fewer open files than connections; raise its limit"
        );
    }
}

/// One line an event, on standard error: standard output is for the line that says the hub is ready.
fn start_logging(filter: &str) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(filter).map_err(|error| CliError::Usage(format!("log: {error}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        // A log that cannot be written (a full disk) must not end the thread that wrote it.
        .log_internal_errors(false)
        .try_init()
        .map_err(|error| CliError::Failed(format!("cannot start logging: {error}")))
}

/// Heard from before the hub opens anything, so that an early signal is not lost.
fn signals() -> io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

async fn shutdown(mut terminate: Signal, mut interrupt: Signal) {
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!(signal = name, "stopping");
}
