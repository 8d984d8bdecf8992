//! `check`: opens everything read-only and says what it finds. 0 when all is well, 1 when there is trouble. What it does
//! about damage, when it is told to: `drop`.
//!
//! One line a finding, `ok` or `trouble` first, so that people and scripts can both read it. A finding that
//! something is not there yet is no trouble: the first `serve` makes it.

mod drop;
mod history;
mod parts;
mod records;

use super::{CliError, PlaceArguments, print};
use crate::{
    clock::Clock,
    storage::{DataFolder, MasterForm, StorageError, inspect::SchemaState},
    tls::{self, Inspected},
    tsdb::Places,
};
use pingup_protocol::plain;
use std::{
    fmt::{Display, Write},
    fs,
    path::Path,
};

#[derive(clap::Args)]
pub(super) struct CheckArguments {
    /// Say what would be lost without the damaged files of the history, where no backup has them; with no hub running
    #[arg(long)]
    drop_damaged: bool,
    /// With --drop-damaged: move them into history/damaged, and go on without them
    #[arg(long, requires = "drop_damaged")]
    yes: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    lines: String,
    has_trouble: bool,
}

impl Findings {
    fn well(&mut self, what: &str, found: impl Display) {
        self.line("ok", what, found);
    }

    fn trouble(&mut self, what: &str, found: impl Display) {
        self.has_trouble = true;
        self.line("trouble", what, found);
    }

    fn line(&mut self, word: &str, what: &str, found: impl Display) {
        // Engines may say things on several lines.
        let found = found.to_string().replace('\n', " ");
        let _infallible = writeln!(self.lines, "{word:<8} {what}: {}", plain::line(&found));
    }
}

pub(super) fn run(arguments: &CheckArguments, clock: &Clock) -> Result<(), CliError> {
    match arguments.drop_damaged {
        true => drop::drop_damaged(&arguments.place.data_dir()?, arguments.yes, clock),
        false => check(&arguments.place.folder()?),
    }
}

fn check(folder: &DataFolder) -> Result<(), CliError> {
    let findings = look(folder)?;
    print(&findings.lines)?;
    if findings.has_trouble { Err(CliError::Trouble) } else { Ok(()) }
}

fn look(folder: &DataFolder) -> Result<Findings, StorageError> {
    let mut findings = Findings::default();
    look_at_folder(folder, &mut findings)?;
    look_at_master(folder, &mut findings);
    look_at_certificate(folder, &mut findings);
    let hub = folder.running_hub()?;
    findings.well("hub", hub.as_ref().map_or("not running".to_owned(), |hub| format!("running, {hub}")));

    let records = folder.sqlite_path();
    if look_at_file("pingup.db", &records, &mut findings)
        && tell(records::look(&records, &mut findings), "pingup.db", &mut findings)
    {
        let _held = folder.hold()?;
        tell(history::look(&records, &Places::below(folder.path()), &mut findings), "history", &mut findings);
    }
    let former = folder.duckdb_path();
    if former.exists() {
        findings.well(
            "history",
            format_args!(
                "{} is of the former version; the next `serve` or `migrate` takes it over",
                former.display()
            ),
        );
    }
    Ok(findings)
}

/// What ended a look early is a finding too; whether it came to its end.
fn tell(looked: Result<(), StorageError>, what: &str, findings: &mut Findings) -> bool {
    match looked {
        Ok(()) => true,
        Err(error) => {
            findings.trouble(what, error);
            false
        }
    }
}

fn look_at_folder(folder: &DataFolder, findings: &mut Findings) -> Result<(), StorageError> {
    let path = folder.path().display();
    if folder.exposed_mode()? == 0 {
        findings.well("data folder", path);
    } else {
        findings.trouble("data folder", format_args!("{path} is open to others; run `chmod 700 {path}`"));
    }
    Ok(())
}

fn look_at_master(folder: &DataFolder, findings: &mut Findings) {
    if !folder.master_path().exists() {
        return findings.well("master key", "not there yet");
    }
    match folder.master_form() {
        Ok(MasterForm::Plain) => findings.well("master key", "32 bytes, its owner's alone"),
        Ok(MasterForm::Sealed) => findings.well("master key", "sealed with a passphrase, its owner's alone"),
        Err(error) => findings.trouble("master key", error),
    }
}

fn look_at_certificate(folder: &DataFolder, findings: &mut Findings) {
    let inspect = |keys| tls::inspect(&folder.tls_path(), &keys).map_err(|error| error.to_string());
    match folder.tls_keys().map_err(|error| error.to_string()).and_then(inspect) {
        // A hub without one of its own needs no word.
        Ok(None) => {}
        Ok(Some(Inspected::Opened(pin))) => {
            findings.well("tls", format_args!("the hub's own certificate, {pin}"));
        }
        Ok(Some(Inspected::Sealed)) => {
            findings.well("tls", "the hub's own certificate, its keys sealed with a passphrase");
        }
        Err(error) => findings.trouble("tls", error),
    }
}

/// Tells a database's size, the log beside it included; whether it is there at all.
fn look_at_file(what: &str, path: &Path, findings: &mut Findings) -> bool {
    let Ok(file) = fs::metadata(path) else {
        findings.well(what, "not there yet");
        return false;
    };
    let log = ["-wal", ".wal"].iter().find_map(|suffix| {
        let mut log = path.as_os_str().to_owned();
        log.push(suffix);
        fs::metadata(log).ok()
    });
    findings.well(what, format_args!("{} bytes, log {} bytes", file.len(), log.map_or(0, |log| log.len())));
    true
}

/// Tells how far a database has been migrated; whether its tables can be looked at.
fn look_at_schema(what: &str, state: SchemaState, findings: &mut Findings) -> bool {
    match state.missing {
        0 => findings.well(what, format_args!("version {}", state.known)),
        missing => findings.well(
            what,
            format_args!(
                "version {} of {}; the next `serve` or `migrate` does the rest",
                state.known - missing,
                state.known
            ),
        ),
    }
    state.missing == 0
}

#[cfg(test)]
mod tests;
