//! What the program was called to do, as its arguments say it.

use super::{
    Draft, Settings, SettingsError,
    arguments::{Arguments, Subcommand},
    run, scan, service,
};
use crate::{
    install::{Order, Root},
    scan::Plan,
};
use clap::{Parser, error::ErrorKind};
use std::path::PathBuf;

/// What the program was called to do.
pub enum Call {
    /// Print this (help, the version), and no more.
    Print(String),
    /// Be an agent.
    Run(Box<Settings>),
    /// Print one sample.
    Sample,
    /// Print one scan.
    Scan {
        /// Of what.
        plan: Plan,
        /// As JSON.
        json: bool,
    },
    /// Become a service.
    Install(Box<Order>),
    /// Cease to be one.
    Uninstall {
        /// Below which folder.
        root: Root,
        /// Only say what would be done.
        dry_run: bool,
        /// The state as well.
        purge: bool,
    },
    /// Say how the agent does whose state is there.
    Status {
        /// The state folder.
        state_dir: PathBuf,
        /// As JSON.
        json: bool,
    },
    /// Make a state that is a copy one that can enrol.
    Reset {
        /// The state folder.
        state_dir: PathBuf,
    },
    /// Examine what an agent needs.
    Doctor {
        /// The settings, as far as they hold.
        draft: Box<Draft>,
        /// As JSON.
        json: bool,
    },
}

/// Reads the program's arguments, its environment and the file that they name.
pub fn read() -> Result<Call, SettingsError> {
    match Arguments::try_parse() {
        Ok(arguments) => call(arguments.subcommand),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Call::Print(error.to_string()))
        }
        Err(error) => Err(SettingsError(one_line(&error))),
    }
}

fn call(subcommand: Subcommand) -> Result<Call, SettingsError> {
    match subcommand {
        Subcommand::Run(flags) => run(*flags).map(|settings| Call::Run(Box::new(settings))),
        Subcommand::Sample => Ok(Call::Sample),
        Subcommand::Scan(flags) => {
            let json = flags.json;
            Ok(Call::Scan { plan: scan::plan(flags)?, json })
        }
        Subcommand::Install(flags) => service::install(*flags),
        Subcommand::Uninstall { place, purge } => service::uninstall(place, purge),
        Subcommand::Status(flags) => service::status(flags),
        Subcommand::Reset(folder) => Ok(Call::Reset { state_dir: service::state_dir(folder)? }),
        Subcommand::Doctor { settings, json } => {
            Ok(Call::Doctor { draft: Box::new(Draft::of(*settings)), json })
        }
    }
}

/// clap's message without its usage block, on one line.
fn one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "say what to do: run, sample, scan, install, uninstall, status, doctor or reset (--help says more)"
            .to_owned();
    }
    let text = error.to_string();
    let message = text.split("\n\nUsage:").next().unwrap_or_default();
    let message = message.split("\n\nFor more information").next().unwrap_or_default();
    let words: Vec<&str> = message.split_whitespace().collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}
