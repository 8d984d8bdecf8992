//! Load for a pingup hub, over the wire only: what an agent could do, done by many at once.
//!
//! The road of a run: [`settings`] → a scenario (one file each; [`ingest`] is the first) → [`fleet`] (agents
//! registered with the hub) → [`client`] (one keep-alive connection) → [`tally`] (counts and latencies) →
//! [`report`] (a table for people, JSON for programs).
//!
//! Exit codes: 0 when every row that was sent is stored, 1 when rows were lost or refused or the run could
//! not be made, 64 for bad settings. Whatever goes wrong is one plain line on standard error.

mod client;
mod draft;
mod fleet;
mod ingest;
mod open_files;
mod progress;
mod report;
mod schedule;
mod settings;
mod tally;

use draft::Draft;
use settings::{IngestSettings, Parsed};
use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

/// `EX_USAGE` of BSD's sysexits: the call itself was wrong.
const EXIT_BAD_SETTINGS: u8 = 64;

fn main() -> ExitCode {
    match settings::parse(std::env::args_os()) {
        Ok(Parsed::Ingest(settings)) => ingest(&settings),
        Ok(Parsed::Shown(text)) => match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => fail(EXIT_BAD_SETTINGS, &error),
    }
}

/// Runs the ingest scenario and tells how it went.
fn ingest(settings: &IngestSettings) -> ExitCode {
    let draft = match settings.json.as_deref().map(Draft::open) {
        Some(Err(error)) => return fail(EXIT_BAD_SETTINGS, &error),
        Some(Ok(draft)) => Some(draft),
        None => None,
    };
    open_files::raise_limit();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ingest::IngestError::Runtime)
        .and_then(|runtime| runtime.block_on(ingest::run(settings)));
    let report = match outcome {
        Ok(report) => report,
        Err(error) => return fail(1, &error),
    };
    let written = report
        .write_table(&mut io::stdout().lock())
        .and_then(|()| draft.map_or(Ok(()), |draft| draft.finish(|file| report.write_json(file))));
    match written {
        Ok(()) if report.passed() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => fail(1, &format!("the report cannot be written: {error}")),
    }
}

fn fail(code: u8, error: &dyn Display) -> ExitCode {
    // A standard error that is gone leaves the exit code, which says enough.
    let _ = writeln!(io::stderr(), "pingup-loadtest: {error}");
    ExitCode::from(code)
}
