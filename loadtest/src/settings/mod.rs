//! Settings: flags and `PINGUP_…` variables in, checked values out; flags win over the environment.
//!
//! Each scenario declares its own flags in its own file; what they share is here: which hub, and where the
//! report goes. Nothing is opened here. A bad setting is one plain line; the token's text never gets into one.

mod hub_url;

pub(crate) use hub_url::Hub;

use crate::fleet::now;
use crate::scenario::Command;
use clap::{Args, Parser, error::ErrorKind};
use std::{ffi::OsString, fmt, path::PathBuf};

/// Agents of one run; each costs the hub a row and a key for good, so a slip of the finger should not make more.
pub(crate) const AGENTS_MAX: u64 = 1_000_000;
/// Connections of one run: what one address has ephemeral ports for, and some to spare.
pub(crate) const CONNECTIONS_MAX: u64 = 20_000;
/// Length of one run: a week.
pub(crate) const RUN_SECONDS_MAX: u64 = 7 * 24 * 3600;
/// Rows a second that a schedule can be asked for; far beyond what one machine sends.
pub(crate) const RATE_ROWS_MAX: u64 = 100_000_000;
/// Rounds, kills, queries: what is done over and over.
pub(crate) const TIMES_MAX: u64 = 100_000;

/// A bearer token. Secret: it does not print.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Bearer(String);

impl Bearer {
    /// Takes the text as a token, if a header can carry it.
    pub(crate) fn new(token: &str) -> Option<Self> {
        let fits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(token.to_owned()))
    }

    /// The text, for the header.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

/// Which hub a scenario loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// One that runs already.
    Running {
        /// Where it listens.
        hub: Hub,
        /// An operator's or admin's token.
        bearer: Bearer,
    },
    /// One of our own, started for the run.
    Own(OwnHub),
}

/// How to start a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnHub {
    /// The program; without it, `pingup-server` beside this one.
    pub(crate) server: Option<PathBuf>,
    /// A data folder to use and keep; without it, a fresh one that is removed afterwards.
    pub(crate) data_dir: Option<PathBuf>,
}

/// What a command line comes to.
pub(crate) enum Parsed {
    /// A run.
    Run(Box<Run>),
    /// Help or the version: to be printed, nothing else.
    Shown(String),
}

/// A scenario, the hub it is for, and the place of its report.
pub(crate) struct Run {
    /// What to do.
    pub(crate) scenario: Command,
    /// To which hub.
    pub(crate) target: Target,
    /// What everything random follows from.
    pub(crate) seed: u64,
    /// Where to write the report as JSON.
    pub(crate) json: Option<PathBuf>,
}

/// Why there can be no run with these settings.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    /// What the argument parser found.
    #[error("{0}")]
    Arguments(String),
    /// No hub can be reached by it.
    #[error("--hub {url}: {problem}")]
    Hub {
        /// What was given.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A hub that runs wants a token.
    #[error("--hub wants a --token; make one with `pingup-server token create --role operator`")]
    TokenMissing,
    /// Characters that no HTTP header takes.
    #[error("--token: this is no bearer token; make one with `pingup-server token create --role operator`")]
    Token,
    /// Two requests of one agent would be under way at once.
    #[error(
        "--connections {connections} is more than --agents {agents}: each connection needs an agent of its own"
    )]
    Connections {
        /// What was given.
        connections: usize,
        /// What was given.
        agents: usize,
    },
    /// It kills or disturbs the hub.
    #[error("{0} starts and stops a hub of its own: leave --hub away")]
    OwnHubOnly(&'static str),
    /// Something that does not go together.
    #[error("{0}")]
    Unfit(&'static str),
}

#[derive(Parser)]
#[command(name = "pingup-loadtest", version, about = "Load for a pingup hub, over the wire only")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: TargetArguments,
}

#[derive(Args)]
struct TargetArguments {
    /// A hub that runs already, e.g. http://127.0.0.1:8080 [default: start one for the run]
    #[arg(long, global = true, env = "PINGUP_HUB", value_name = "URL")]
    hub: Option<String>,
    /// An operator's or admin's token, for that hub
    #[arg(long, global = true, env = "PINGUP_TOKEN", value_name = "T", hide_env_values = true)]
    token: Option<String>,
    /// Send tokens in the clear to a hub that is not on this machine
    #[arg(long, global = true, env = "PINGUP_INSECURE_HTTP", value_name = "YES", num_args = 0..=1,
          require_equals = true, default_missing_value = "true",
          value_parser = clap::builder::BoolishValueParser::new())]
    insecure_http: Option<bool>,
    /// The hub's program [default: pingup-server beside this one]
    #[arg(long, global = true, env = "PINGUP_SERVER", value_name = "PATH")]
    server: Option<PathBuf>,
    /// The data folder of a hub started for the run; it is kept [default: a fresh one, removed afterwards]
    #[arg(long, global = true, env = "PINGUP_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// What everything random follows from, to repeat a run [default: the clock]
    #[arg(long, global = true, env = "PINGUP_SEED", value_name = "N")]
    seed: Option<u64>,
    /// Write the report to this file as well
    #[arg(long, global = true, env = "PINGUP_JSON", value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Reads a command line (with the program's name first) and the environment.
pub(crate) fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Parsed, SettingsError> {
    match Arguments::try_parse_from(line) {
        Ok(Arguments { command, target: given }) => {
            let target = given.target()?;
            command.check(&target)?;
            let seed = given.seed.unwrap_or_else(|| now().as_micros().unsigned_abs());
            Ok(Parsed::Run(Box::new(Run { scenario: command, target, seed, json: given.json })))
        }
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Ok(Parsed::Shown(error.render().to_string()))
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                Err(SettingsError::Arguments("say what to do, e.g. `ingest`; --help lists it all".to_owned()))
            }
            _ => Err(SettingsError::Arguments(one_line(&error.render().to_string()))),
        },
    }
}

impl TargetArguments {
    fn target(&self) -> Result<Target, SettingsError> {
        let Some(url) = &self.hub else {
            return Ok(Target::Own(OwnHub { server: self.server.clone(), data_dir: self.data_dir.clone() }));
        };
        let hub = Hub::read(url, self.insecure_http.unwrap_or(false))
            .map_err(|problem| SettingsError::Hub { url: url.clone(), problem })?;
        let token = self.token.as_deref().ok_or(SettingsError::TokenMissing)?;
        Ok(Target::Running { hub, bearer: Bearer::new(token).ok_or(SettingsError::Token)? })
    }
}

/// Each connection has agents of its own.
pub(crate) const fn check_connections(connections: usize, agents: usize) -> Result<(), SettingsError> {
    match connections > agents {
        true => Err(SettingsError::Connections { connections, agents }),
        false => Ok(()),
    }
}

/// Refuses a hub that is somebody else's.
pub(crate) const fn check_own(name: &'static str, target: &Target) -> Result<(), SettingsError> {
    match target {
        Target::Own(_) => Ok(()),
        Target::Running { .. } => Err(SettingsError::OwnHubOnly(name)),
    }
}

/// Reads a number from `LEAST` to `MOST`.
pub(crate) fn number<const LEAST: u64, const MOST: u64>(text: &str) -> Result<usize, String> {
    let read = text.parse::<u64>().ok().filter(|number| (LEAST..=MOST).contains(number));
    read.and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| format!("a number from {LEAST} to {MOST} expected"))
}

/// What the argument parser says, without its advice and on one line.
fn one_line(message: &str) -> String {
    let said = message.lines().map(str::trim).take_while(|line| !line.is_empty());
    let line = said.collect::<Vec<_>>().join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

#[cfg(test)]
mod tests;
