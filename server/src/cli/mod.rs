//! The command line: `serve`, `token`, `join-token`, `master-key`, `operator-key`, `order`, `migrate`, `check`, `backup`,
//! `restore`, `export`, `audit`, `grafana`; and `sql-engine`, which a hub calls for itself.
//!
//! What a command makes goes to standard output, everything else to standard error. Exit codes are a
//! contract: 0 done; 1 it could not be done; 64 it was asked for wrongly, which is said in one plain line
//! before anything was opened. Files that any command makes are their owner's alone.

mod arguments;
mod audit;
mod backup;
mod check;
mod export;
mod grafana;
mod join_token;
mod master_key;
mod migrate;
mod operator_key;
mod order;
mod passphrase;
mod progress;
mod records;
mod serve;
#[cfg(test)]
mod tests;
mod token;
mod user;

use self::arguments::{PlaceArguments, SettingsArguments, said_or};
use crate::{
    app::AppError,
    clock::Clock,
    settings::SettingsError,
    sql,
    storage::StorageError,
    tsdb::{TsdbError, backup::BackupError, export::ExportError},
};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use pingup_protocol::plain;
use rustix::fs::Mode;
use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

/// It was asked for wrongly (`EX_USAGE` of BSD's sysexits).
const EXIT_USAGE: u8 = 64;

/// The pingup hub: verifies, stores, commands, answers.
#[derive(Parser)]
#[command(name = "pingup-server", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the hub
    Serve(SettingsArguments),
    /// Operators' tokens: make one, list them, revoke them
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Tokens that let machines enrol: make one
    #[command(subcommand)]
    JoinToken(join_token::JoinTokenCommand),
    /// The key that every other key comes from: change it, seal its file. With no hub running
    #[command(subcommand)]
    MasterKey(master_key::MasterKeyCommand),
    /// Keys that operators sign orders with: make one on your own machine, never on the hub's
    #[command(subcommand)]
    OperatorKey(operator_key::OperatorKeyCommand),
    /// Sign an order, and send it to a hub or print it; on your own machine
    Order(order::OrderArguments),
    /// Bring the databases to what this program needs, with no hub running; `serve` does it by itself
    Migrate(SettingsArguments),
    /// Look at everything in the data folder and say what there is; nothing is changed unless it is told to
    Check(check::CheckArguments),
    /// Copy everything that a hub needs into a new folder, beside a running hub or without one
    Backup(backup::BackupArguments),
    /// Make a data folder from a backup: --data-dir names it, and it must be missing or empty
    Restore(backup::RestoreArguments),
    /// Write an agent's samples as CSV or Parquet, beside a running hub or without one
    Export(export::ExportArguments),
    /// What was done to this hub, and by whom: check that its record is whole, or write it out
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// What a Grafana needs to show this hub: data source, dashboards, alert rules
    #[command(subcommand)]
    Grafana(grafana::GrafanaCommand),
    /// Answer one question of a hub, on standard input and output
    #[command(name = sql::engine::SUBCOMMAND, hide = true)]
    SqlEngine,
}

/// Why a command did not do what it was to do; the text is one line for people.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    History(#[from] TsdbError),
    #[error("{0}")]
    Failed(String),
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    /// Everything was said already.
    #[error("trouble was found")]
    Trouble,
}

impl CliError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings(_) | Self::Usage(_) => ExitCode::from(EXIT_USAGE),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Does what `arguments` (the program's name first) ask for.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Whatever is made from here on, keys and databases, is for its owner.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    match parse(arguments).and_then(|parsed| parsed.map_or(Ok(()), |arguments| run(arguments.command))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error gone, the exit code is what can still be said.
            let _ = writeln!(
                io::stderr(),
                "pingup-server: {}",
                plain::line(&error.to_string().replace('\n', " "))
            );
            error.exit_code()
        }
    }
}

fn run(command: Command) -> Result<(), CliError> {
    let clock = Clock::system();
    match command {
        Command::Serve(arguments) => serve::serve(arguments.resolve()?),
        Command::Token(command) => token::run(command, &clock),
        Command::JoinToken(command) => join_token::run(command, &clock),
        Command::MasterKey(command) => master_key::run(command, &clock),
        Command::OperatorKey(command) => operator_key::run(command),
        Command::Order(arguments) => order::run(arguments, &clock),
        Command::Migrate(arguments) => migrate::migrate(&arguments.resolve()?, &clock),
        Command::Check(arguments) => check::run(&arguments, &clock),
        Command::Backup(arguments) => backup::backup(&arguments, &clock),
        Command::Restore(arguments) => backup::restore(&arguments, &clock),
        Command::Export(arguments) => export::export(arguments, &clock),
        Command::Audit(command) => audit::run(command, &clock),
        Command::Grafana(command) => grafana::run(command),
        Command::SqlEngine => Ok(sql::engine::serve(io::stdin(), io::stdout())?),
    }
}

/// Reads the arguments; `None` when they asked for help or the version, which has then been printed.
fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Arguments>, CliError> {
    let parsed = Arguments::command()
        .try_get_matches_from(arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    match parsed {
        Ok(arguments) => Ok(Some(arguments)),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            print(&error.render().to_string())?;
            Ok(None)
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Err(CliError::Usage("a subcommand is missing; see --help".to_owned()))
        }
        Err(error) => Err(CliError::Usage(one_line(&error.render().to_string()))),
    }
}

/// The parser's first paragraph on one line: what is wrong, without the usage that follows it.
fn one_line(message: &str) -> String {
    let paragraph: Vec<_> = message.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let line = paragraph.join(" ");
    format!("{}; see --help", line.strip_prefix("error: ").unwrap_or(&line))
}

/// Writes what a command makes.
fn print(text: &str) -> Result<(), CliError> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        output.write_all(b"\n")?;
    }
    Ok(output.flush()?)
}

/// The system has none.
fn no_random_bytes(error: getrandom::Error) -> CliError {
    CliError::Failed(format!("no random bytes: {error}"))
}
