//! The program: arguments in, exit code out. What it says to people is one plain line on stderr.

use pingup_agent::{
    doctor,
    exit::Exit,
    install, logging, once, reset, run,
    settings::{self, Call},
    status,
};
use pingup_protocol::plain;
use std::{io::Write, process::ExitCode};

/// Threads for what blocks: looking names up. More than the few that a scan may hold at a time, so that
/// the hub's own name can always be looked up beside them.
const BLOCKING_THREADS_MAX: usize = 8;

fn main() -> ExitCode {
    let (exit, line) = match settings::read() {
        Ok(Call::Print(text)) => print(&text),
        Ok(Call::Run(settings)) => {
            logging::start(settings.log);
            on_runtime(done(run::run(*settings)))
        }
        Ok(Call::Sample) => on_runtime(done(once::sample())),
        Ok(Call::Scan { plan, json }) => on_runtime(done(once::scan(plan, json))),
        Ok(Call::Install(order)) => on_runtime(done(install::install(*order))),
        Ok(Call::Uninstall { root, dry_run, purge }) => {
            on_runtime(done(install::uninstall(root, dry_run, purge)))
        }
        Ok(Call::Status { state_dir, json }) => {
            on_runtime(async move { status::report(&state_dir, json).await })
        }
        Ok(Call::Reset { state_dir }) => match reset::reset(&state_dir) {
            Ok(exit) => (exit, None),
            Err(error) => (Exit::from(&error), Some(error.to_string())),
        },
        Ok(Call::Doctor { draft, json }) => {
            on_runtime(async move { Box::pin(doctor::examine(&draft, json)).await })
        }
        Err(error) => (Exit::Usage, Some(error.to_string())),
    };
    if let Some(line) = line {
        // Nothing can be done, nor said, when stderr is closed.
        let _ = writeln!(std::io::stderr(), "pingup-agent: {}", plain::line(&line));
    }
    exit.into()
}

fn print(text: &str) -> (Exit, Option<String>) {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => (Exit::Done, None),
        Err(error) => (Exit::Io, Some(format!("cannot write to stdout: {error}"))),
    }
}

/// `work`, which has no more to say than that it is done.
async fn done<E>(work: impl Future<Output = Result<(), E>>) -> Result<Exit, E> {
    Box::pin(work).await.map(|()| Exit::Done)
}

/// Runs `work` to its end; what still blocks then (a slow name server) is not waited for.
fn on_runtime<E: std::fmt::Display>(work: impl Future<Output = Result<Exit, E>>) -> (Exit, Option<String>)
where
    for<'a> Exit: From<&'a E>,
{
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return (Exit::Io, Some(format!("cannot start: {error}"))),
    };
    let ended = runtime.block_on(Box::pin(work));
    runtime.shutdown_background();
    match ended {
        Ok(exit) => (exit, None),
        Err(error) => (Exit::from(&error), Some(error.to_string())),
    }
}
