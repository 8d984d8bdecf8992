//! The command line: `serve`, `token`, `join-token`, `master-key`, `operator-key`, `order`, `migrate`, `check`, `backup`,
//! `restore`, `export`, `audit`, `grafana`; and `sql-engine`, which a hub calls for itself.
//!
//! What a command makes goes to standard output, everything else to standard error. Exit codes are a
//! contract: 0 done; 1 it could not be done; 64 it was asked for wrongly, which is said in one plain line
//! before anything was opened. Files that any command makes are their owner's alone.

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
mod token;
mod user;

use crate::{
    app::AppError,
    clock::Clock,
    settings::{Layer, Settings, SettingsError},
    sql,
    storage::{DataFolder, StorageError},
    tsdb::{TsdbError, backup::BackupError, export::ExportError},
};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use pingup_protocol::plain;
use rustix::fs::Mode;
use std::{
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    path::PathBuf,
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
    /// Operators' tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Tokens that let machines enrol
    #[command(subcommand)]
    JoinToken(join_token::JoinTokenCommand),
    /// The key that every other key comes from
    #[command(subcommand)]
    MasterKey(master_key::MasterKeyCommand),
    /// Keys that operators sign orders with, for their own machines
    #[command(subcommand)]
    OperatorKey(operator_key::OperatorKeyCommand),
    /// Sign an order, and send it to a hub or print it; for an operator's own machine
    Order(order::OrderArguments),
    /// Bring the databases to what this program needs; `serve` does it by itself
    Migrate(SettingsArguments),
    /// Look at everything in the data folder and say what there is; nothing is changed unless it is told to
    Check(check::CheckArguments),
    /// Copy everything that a hub needs into a new folder, beside a running hub or without one
    Backup(backup::BackupArguments),
    /// Make a data folder from a backup
    Restore(backup::RestoreArguments),
    /// Write an agent's samples as CSV or Parquet, beside a running hub or without one
    Export(export::ExportArguments),
    /// What was done to this hub, and whether the record of it is whole
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// What a Grafana needs to show this hub
    #[command(subcommand)]
    Grafana(grafana::GrafanaCommand),
    /// Answer one question of a hub, on standard input and output
    #[command(name = sql::engine::SUBCOMMAND, hide = true)]
    SqlEngine,
}

/// Everything that can be set.
#[derive(clap::Args)]
struct SettingsArguments {
    /// A TOML file with settings
    #[arg(long, env = "PINGUP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    layer: Layer,
}

/// Where the data is, for commands that need to know no more.
#[derive(Default, clap::Args)]
struct PlaceArguments {
    /// A TOML file with settings, of which data_dir and those of the master key count here
    #[arg(long, env = "PINGUP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder [default: ./data]
    #[arg(long, env = "PINGUP_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    master: MasterArguments,
}

/// Where the master key is, and what opens it.
#[derive(Clone, Default, clap::Args)]
struct MasterArguments {
    /// The master key's file [default: master.key in the data folder]
    #[arg(long, env = "PINGUP_MASTER_KEY_FILE", value_name = "FILE")]
    master_key_file: Option<PathBuf>,
    /// A file with the passphrase that the master key is sealed with
    #[arg(long, env = "PINGUP_MASTER_PASSPHRASE_FILE", value_name = "FILE")]
    master_passphrase_file: Option<PathBuf>,
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

/// What a flag says, else what its key in the file's `section` says, read in the same way.
fn said_or<T, E: Display>(
    flag: Option<T>,
    (section, key): (&str, &str),
    value: Option<&str>,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, CliError> {
    let from_file = |text| read(text).map_err(|error| CliError::Usage(format!("[{section}] {key}: {error}")));
    flag.map_or_else(|| value.map(from_file).transpose(), |flag| Ok(Some(flag)))
}

impl SettingsArguments {
    fn resolve(self) -> Result<Settings, CliError> {
        // The whole file counts, also what only other commands would use.
        let file = self.config.as_deref().map(Layer::from_file).transpose()?.unwrap_or_default();
        token::check_keys(&file.token)?;
        join_token::check_keys(&file.join_token)?;
        Ok(Settings::resolve(self.layer, self.config.as_deref())?)
    }
}

impl PlaceArguments {
    /// What the file says, with what was named over it.
    fn settings(&self) -> Result<Layer, CliError> {
        let file = self.config.as_deref().map(Layer::from_file).transpose()?.unwrap_or_default();
        let MasterArguments { master_key_file, master_passphrase_file } = self.master.clone();
        let data_dir = self.data_dir.clone();
        let said = Layer { data_dir, master_key_file, master_passphrase_file, ..Layer::default() };
        Ok(said.over(file))
    }

    /// The data folder, which must be there.
    fn folder(&self) -> Result<DataFolder, CliError> {
        let said = self.settings()?;
        Ok(DataFolder::open(&said.data_dir())?.with_master(said.master()))
    }

    fn data_dir(&self) -> Result<PathBuf, CliError> {
        Ok(self.settings()?.data_dir())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(arguments: &[&str]) -> String {
        let words = ["pingup-server"].iter().chain(arguments).map(OsString::from);
        match parse(words) {
            Err(CliError::Usage(line)) => line,
            _ => panic!("{arguments:?} should have been refused"),
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn wrong_usage_is_one_line_that_names_it() {
        for (arguments, named) in [
            (&[][..], "subcommand"),
            (&["token"], "subcommand"),
            (&["serf"], "serf"),
            (&["serve", "--prot"], "--prot"),
            (&["serve", "--listen", "here"], "here"),
            (&["serve", "--retention-raw", "long"], "a time such as"),
            (&["token", "create", "--role", "god"], "god"),
            (&["token", "revoke"], "ID"),
            (&["token", "revoke", "t", "--name", "n"], "--name"),
            (&["join-token", "create", "--uses", "0"], "--uses"),
            (&["join-token", "create", "--agent-id", "a/b"], "a/b"),
            (&["join-token", "create", "--rekey", "a/b"], "a/b"),
            (&["master-key"], "subcommand"),
            (&["serve", "--key-rotation", "often"], "or off"),
            (&["operator-key", "create", "--name", "two words"], "name"),
            (&["operator-key", "create", "--no-passphrase", "--passphrase-file", "-"], "--no-passphrase"),
            (&["order", "ping"], "--key"),
            (&["order", "ping", "--key", "k"], "--agent"),
            (&["order", "ping", "--key", "k", "--agent", "a/b"], "a/b"),
            (&["order", "exec", "--key", "k", "--agent", "a", "--params", "{}", "--", "true"], "--params"),
            (&["check", "--yes"], "--drop-damaged"),
            (&["backup"], "DIR"),
            (&["restore"], "DIR"),
            (&["export", "--format", "csv"], "--agent"),
            (&["export", "--agent", "A", "--format", "xls"], "xls"),
            (&["export", "--agent", "A", "--format", "csv", "--from", "then"], "then"),
            (&["audit"], "subcommand"),
            (&["audit", "verify", "--expect", "7"], "COUNT:HASH"),
            (&["audit", "export", "--format", "xls"], "xls"),
            (&["grafana"], "subcommand"),
            (&["grafana", "export", "D"], "--url"),
            (&["grafana", "export", "--url", "http://hub"], "DIR"),
            (&["grafana", "export", "D", "--url", "http://hub", "--interval", "0s"], "whole seconds"),
        ] {
            let line = usage(arguments);
            assert!(
                line.contains(named) && !line.contains('\n') && !line.starts_with("error"),
                "{arguments:?}: {line}"
            );
        }
    }

    #[test]
    fn insecure_http_is_a_flag_that_may_also_be_denied() {
        for (arguments, said) in [
            (&["serve"][..], None),
            (&["serve", "--insecure-http"], Some(true)),
            (&["serve", "--insecure-http=no"], Some(false)),
        ] {
            let words = ["pingup-server"].iter().chain(arguments).map(OsString::from);
            let Ok(Some(Arguments { command: Command::Serve(parsed) })) = parse(words) else {
                panic!("{arguments:?}")
            };
            assert_eq!(parsed.layer.insecure_http, said);
        }
    }
}
