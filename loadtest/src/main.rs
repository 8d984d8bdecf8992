//! Load for a pingup hub, over the wire only: what an agent could do, done by many at once.
//!
//! The road of a run: [`settings`] → a [`scenario`] (one file each) → [`hub`] (a running one, or a process of our
//! own) → [`fleet`] (agents registered with it) → [`lanes`] (the engine: connections that push, each a
//! [`client`]) → [`board`] and [`tally`] (counts and latencies) → [`report`] (a table for people, JSON for
//! programs) with [`verdict`]s (what must hold). Scenarios that break the hub push from a [`spool`] instead and
//! read everything back through the [`api`]; those about commands and fleets send a [`crew`] to work, whose agents live
//! as the real one does.
//!
//! Exit codes: 0 when every row that was sent is stored and everything holds that must, 1 when not or when the run
//! could not be made, 2 when nothing was missed but not everything was shown (or only under a load that is easier than
//! the table's), 64 for bad settings. Whatever goes wrong is one plain line on standard error.

mod answer;
mod api;
mod board;
mod body;
mod client;
mod crew;
mod disk;
mod draft;
mod error;
mod fleet;
mod hub;
mod lanes;
mod load_report;
mod machine;
mod measured;
mod memory;
mod open_files;
mod processor;
mod progress;
mod report;
mod request;
mod scenario;
mod schedule;
mod settings;
mod spool;
mod tally;
mod verdict;

use draft::Draft;
use error::LoadError;
use scenario::{Command, ceiling};
use settings::{Parsed, Run};
use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};
use verdict::Outcome;

/// `EX_USAGE` of BSD's sysexits: the call itself was wrong.
const EXIT_BAD_SETTINGS: u8 = 64;
/// Nothing was missed; but something that was to be shown was not measured.
const EXIT_NOT_SHOWN: u8 = 2;

fn main() -> ExitCode {
    match settings::parse(std::env::args_os()) {
        Ok(Parsed::Run(run)) => start(&run),
        Ok(Parsed::Shown(text)) => match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => fail(EXIT_BAD_SETTINGS, &error),
    }
}

/// Runs a scenario and tells how it went.
fn start(run: &Run) -> ExitCode {
    let draft = match run.json.as_deref().map(Draft::open) {
        Some(Err(error)) => return fail(EXIT_BAD_SETTINGS, &error),
        Some(Ok(draft)) => Some(draft),
        None => None,
    };
    open_files::raise_limit();
    if let Command::FarSide(far_side) = &run.scenario {
        return match far_side.hold() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(1, &error),
        };
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &LoadError::Runtime(error)),
    };
    if matches!(run.scenario, Command::Bare) {
        return match runtime.block_on(ceiling::serve()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(1, &error),
        };
    }
    let told = match runtime.block_on(run.scenario.run(&run.target, run.seed)) {
        Ok(told) => told,
        Err(error) => return fail(1, &error),
    };
    let written = told
        .write_table(&mut io::stdout().lock())
        .and_then(|()| draft.map_or(Ok(()), |draft| draft.finish(|file| told.write_json(file))));
    match written {
        Ok(()) => match told.outcome() {
            Outcome::Passed => ExitCode::SUCCESS,
            Outcome::NotShown => ExitCode::from(EXIT_NOT_SHOWN),
            Outcome::Failed => ExitCode::FAILURE,
        },
        Err(error) => fail(1, &format!("the report cannot be written: {error}")),
    }
}

fn fail(code: u8, error: &dyn Display) -> ExitCode {
    // A standard error that is gone leaves the exit code, which says enough.
    let _ = writeln!(io::stderr(), "pingup-loadtest: {error}");
    ExitCode::from(code)
}
