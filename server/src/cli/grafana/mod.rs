//! `grafana export`: all that a Grafana needs to show this hub, as files that it reads at its start.
//!
//! Written are a data source, dashboards and alert rules, the same rules for vmalert, and how a Prometheus scrapes the
//! hub's own figures. They stand in `deploy/` and are built in; here they are filled in with the hub's address, how
//! often agents measure, and a token if one is given.
//!
//! Refuses: an address with a password in it, and a token that is none. What somebody changed is left alone, and named.
//! Nothing is written before everything is checked. A token is never printed; the file that holds it is its owner's alone, the
//! others are for everyone to read.

mod files;
mod put;

use super::{CliError, address::Address, print};
use clap::Subcommand;
use files::{DATA_SOURCE, Filling};
use pingup_protocol::config::INTERVAL_SECONDS;
use put::Put;
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};
use zeroize::Zeroizing;

/// Bytes of a token's file.
const TOKEN_BYTES_MAX: u64 = 8 * 1024;

#[derive(Subcommand)]
pub(super) enum GrafanaCommand {
    /// Write the data source, the dashboards and the alert rules for a Grafana
    Export(ExportArguments),
}

#[derive(clap::Args)]
#[command(
    after_help = "For example:\n  pingup-server grafana export /etc/grafana --url http://hub.example:8080 \
                        --token-file viewer.token\nWhat each file is for: docs/grafana.md"
)]
pub(super) struct ExportArguments {
    /// The folder, made if need be: /etc/grafana where Grafana runs on this machine
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where Grafana reaches the hub: http://hub.example:8080
    #[arg(long, value_name = "URL")]
    url: String,
    /// A file with a token of role viewer, to be written into the data source [default: Grafana takes the token from
    /// PINGUP_GRAFANA_TOKEN in its environment]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How often the agents measure; the longest where they differ
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = interval)]
    interval: u64,
    /// Where Grafana sees DIR, if that is elsewhere, as in a container [default: DIR]
    #[arg(long, value_name = "PATH")]
    mounted_at: Option<PathBuf>,
    /// Overwrite also what was changed since it was written
    #[arg(long)]
    force: bool,
}

fn interval(text: &str) -> Result<u64, String> {
    let wanted = || {
        let (least, most) = (INTERVAL_SECONDS.start(), INTERVAL_SECONDS.end());
        format!("whole seconds from {least}s to {most}s expected, such as 30s or 1m")
    };
    let time = humantime::parse_duration(text).map_err(|_| wanted())?;
    let fits = time.subsec_nanos() == 0 && INTERVAL_SECONDS.contains(&time.as_secs());
    fits.then_some(time.as_secs()).ok_or_else(wanted)
}

pub(super) fn run(command: GrafanaCommand) -> Result<(), CliError> {
    let GrafanaCommand::Export(arguments) = command;
    print(&export(&arguments)?)
}

/// Writes what is asked for, and says what was written and what is to be done next.
fn export(arguments: &ExportArguments) -> Result<String, CliError> {
    let ExportArguments { folder, url, token_file, interval, mounted_at, force } = arguments;
    let address = Address::parse(url).map_err(|reason| CliError::Usage(format!("--url: {reason}")))?;
    let token = token_file.as_deref().map(read_token).transpose()?;
    let filling = Filling {
        address: &address,
        interval_seconds: *interval,
        dashboards: seen_at(folder, mounted_at.as_deref())?,
        token: token.as_deref().map(String::as_str),
    };
    let seldom = match filling.silent_after() {
        Some(seconds) => format!(
            "\nagents are silent after {}, since they measure that seldom; panels of single measurements have gaps",
            humantime::format_duration(Duration::from_secs(seconds))
        ),
        None => String::new(),
    };
    let Put { written, unchanged, left } = put::put(folder, &filling.files(), *force)?;
    let folder = folder.display();
    let left = match &left[..] {
        [] => String::new(),
        left => format!(
            "\nleft alone, since changed or not written by this: {}; --force overwrites, another folder takes both",
            left.join(", ")
        ),
    };
    let token = match token {
        Some(_) => format!(
            "the token is in {folder}/{DATA_SOURCE}, made for its owner alone; Grafana has to read it, too:\n  \
             chgrp grafana {folder}/{DATA_SOURCE} && chmod 640 {folder}/{DATA_SOURCE}"
        ),
        None => "Grafana takes the token from PINGUP_GRAFANA_TOKEN in its environment; this makes one:\n  \
                 pingup-server token create --role viewer --name grafana --ttl 365d"
            .to_owned(),
    };
    Ok(format!(
        "{folder}: {written} files written, {unchanged} unchanged{left}\n\
         the data source asks {address}/prometheus, and counts on a sample every {interval} s{seldom}\n\
         {token}\n\
         then start Grafana anew; its provisioning folder is {folder}/provisioning"
    ))
}

/// The token in the file at `path`. What is wrong with it is said without a word of it.
fn read_token(path: &Path) -> Result<Zeroizing<String>, CliError> {
    let wrong = |reason: &str| CliError::Failed(format!("{}: {reason}", path.display()));
    let cannot = |error: io::Error| wrong(&format!("cannot be read: {error}"));
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).map_err(cannot)?;
    // One byte more than is allowed tells a file that is too long.
    file.take(TOKEN_BYTES_MAX + 1).read_to_string(&mut text).map_err(cannot)?;
    let token = text.trim();
    if text.len() as u64 > TOKEN_BYTES_MAX || token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(wrong("a token expected, as `pingup-server token create --role viewer` prints it"));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

/// The folder of the dashboards as Grafana sees it.
fn seen_at(folder: &Path, mounted_at: Option<&Path>) -> Result<String, CliError> {
    let seen = match mounted_at {
        Some(path) if path.is_absolute() => path.to_owned(),
        Some(_) => return Err(CliError::Usage("--mounted-at: an absolute path expected".to_owned())),
        None => std::path::absolute(folder)
            .map_err(|error| CliError::Usage(format!("{}: {error}", folder.display())))?,
    };
    let dashboards = seen.join(files::DASHBOARDS).into_os_string().into_string();
    dashboards
        .map_err(|_| CliError::Usage("the folder's name must be UTF-8: it is written into a file".to_owned()))
}

#[cfg(test)]
mod tests;
