//! `serve`: logging, the runtime, the signals that end it; the hub itself is [`crate::app`].

use super::CliError;
use crate::{
    app,
    settings::{CONNECTIONS_MAX_DEFAULT, Certificate, Settings},
};
use pingup_protocol::plain;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    io::{self, Write},
    sync::Arc,
};
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};
use tracing_subscriber::EnvFilter;

/// Threads for what blocks: reading large bodies, and four for questions to the records. When hundreds of agents deliver
/// their spools at once, more threads would only take memory.
const BLOCKING_THREADS_MAX: usize = 8;

/// Files that the hub opens for itself: the records and their readers, the journal, files of the history that are
/// written, merged and asked.
const OWN_FILES_MAX: u64 = 512;

/// Runs the hub until SIGTERM or SIGINT.
pub(super) fn serve(mut settings: Settings) -> Result<(), CliError> {
    start_logging(&settings.log)?;
    settings.connections_max = granted_connections(settings.connections_max);
    // As many threads as there are cores, which is tokio's default.
    let runtime = Builder::new_multi_thread()
        .thread_name("hub")
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
        .map_err(|error| CliError::Failed(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(async {
        let deaf = |error| CliError::Failed(format!("cannot hear signals: {error}"));
        let (terminate, interrupt) = signals().map_err(deaf)?;
        let hangup = Arc::<Notify>::default();
        let has_files = matches!(settings.certificate, Some(Certificate::Files { .. }));
        hear_hangups(has_files.then(|| Arc::clone(&hangup))).map_err(deaf)?;
        Ok(app::run(settings, hangup, shutdown(terminate, interrupt)).await?)
    })
}

/// Takes as many open files as the system grants (each connection is one, and the usual soft limit is 1 024), and
/// returns how many connections there can be: beyond that, they had better wait in the system's queue than be accepted
/// in vain.
fn granted_connections(connections_max: usize) -> usize {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        tracing::debug!("the limit of open files stays as it was");
    }
    let Some(open_files_max) = getrlimit(Resource::Nofile).current else { return connections_max };
    let connections = connections_within(open_files_max, connections_max);
    match connections < connections_max {
        false => {}
        // Nobody asked for so many: a small hub has enough.
        true if connections_max as u64 == CONNECTIONS_MAX_DEFAULT => {
            tracing::info!(
                open_files_max,
                connections,
                "fewer connections than by default: raise the limit of open files for a large fleet"
            );
        }
        true => tracing::warn!(
            open_files_max,
            connections,
            connections_max,
            "the system grants too few open files for connections_max: there will be fewer; raise its limit"
        ),
    }
    connections
}

/// What is left for connections of so many open files. At least one: a hub that nobody can reach could not say so.
fn connections_within(open_files_max: u64, connections_max: usize) -> usize {
    let left = open_files_max.saturating_sub(OWN_FILES_MAX).max(1);
    usize::try_from(left).map_or(connections_max, |left| left.min(connections_max))
}

/// One line an event, on standard error: standard output is for the line that says the hub is ready.
fn start_logging(filter: &str) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(filter).map_err(|error| CliError::Usage(format!("log: {error}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| OneLine)
        .with_ansi(false)
        // A log that cannot be written (a full disk) must not end the thread that wrote it.
        .log_internal_errors(false)
        .try_init()
        .map_err(|error| CliError::Failed(format!("cannot start logging: {error}")))
}

/// Writes each event on a line of its own, whatever stands in it: texts in it may be those of agents, or of files.
struct OneLine;

impl Write for OneLine {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(plain::event(event).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Heard from before the hub opens anything, so that an early signal is not lost.
fn signals() -> io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

/// Notifies `hangup` of each SIGHUP, by which those who renew certificates say so. A hub that has no files to read again
/// goes on all the same: the same hook may run on every machine, and a hub is not ended by a word that means "read again".
fn hear_hangups(hangup: Option<Arc<Notify>>) -> io::Result<()> {
    let mut heard = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while heard.recv().await.is_some() {
            match &hangup {
                Some(hangup) => hangup.notify_one(),
                None => tracing::info!("SIGHUP: there are no files of a certificate to read again"),
            }
        }
    });
    Ok(())
}

async fn shutdown(mut terminate: Signal, mut interrupt: Signal) {
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!(signal = name, "stopping");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_hub_its_own_files() {
        assert_eq!(connections_within(65_536, 49_152), 49_152);
        assert_eq!(connections_within(49_152 + OWN_FILES_MAX, 49_152), 49_152);
        assert_eq!(connections_within(20_000, 49_152), 19_488);
        assert_eq!(connections_within(1_024, 49_152), 512);
        assert_eq!(connections_within(256, 49_152), 1);
        assert_eq!(connections_within(u64::MAX, 7), 7);
    }
}
