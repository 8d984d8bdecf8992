//! Settings: flags and `PINGUP_…` variables in, checked values out; flags win over the environment.
//!
//! Nothing is opened here. A bad setting is one plain line; the token's text never gets into one.

use clap::{Args, Parser, Subcommand, error::ErrorKind, value_parser};
use http::{HeaderValue, Uri};
use pingup_protocol::limits::BATCH_SAMPLES_MAX;
use std::{ffi::OsString, net::IpAddr, path::PathBuf, time::Duration};

/// Agents of one run; each costs the hub a row and a key for good, so a slip of the finger should not make more.
const AGENTS_MAX: u64 = 1_000_000;
/// Connections of one run: what one address has ephemeral ports for, and some to spare.
const CONNECTIONS_MAX: u64 = 20_000;
/// Length of one run: a week.
const RUN_SECONDS_MAX: u64 = 7 * 24 * 3600;
/// Rows a second that a schedule can be asked for; far beyond what one machine sends.
const RATE_ROWS_MAX: u64 = 100_000_000;

/// Where the hub listens. Plain HTTP/1.1: what is measured is the hub, not somebody's TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hub {
    /// Name or address, without an IPv6 address's brackets.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// The value of the `Host` header.
    pub(crate) authority: HeaderValue,
}

impl Hub {
    /// The hub's URL as people write it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", String::from_utf8_lossy(self.authority.as_bytes()))
    }
}

/// What the ingest scenario was asked to do.
pub(crate) struct IngestSettings {
    /// Where the hub listens.
    pub(crate) hub: Hub,
    /// `Bearer <token>` of an operator; marked sensitive, so that it does not print.
    pub(crate) bearer: HeaderValue,
    /// Agents to register.
    pub(crate) agents: usize,
    /// Connections to hold; at most one an agent.
    pub(crate) connections: usize,
    /// How long to push.
    pub(crate) duration: Duration,
    /// Samples in one request.
    pub(crate) batch: usize,
    /// Rows a second over all connections; none: as fast as answers come.
    pub(crate) rate: Option<u64>,
    /// Where to write the report as JSON.
    pub(crate) json: Option<PathBuf>,
}

/// What a command line comes to.
pub(crate) enum Parsed {
    /// A run of the ingest scenario.
    Ingest(IngestSettings),
    /// Help or the version: to be printed, nothing else.
    Shown(String),
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
    /// Characters that no HTTP header takes.
    #[error("--token: this is no bearer token; make one with `pingup-server token create --role operator`")]
    Token,
    /// Two requests of one agent would be under way at once.
    #[error(
        "--connections {connections} is more than --agents {agents}: each connection needs an agent of its own"
    )]
    Connections {
        /// What was given.
        connections: u64,
        /// What was given.
        agents: u64,
    },
}

#[derive(Parser)]
#[command(name = "pingup-loadtest", version, about = "Load for a pingup hub, over the wire only")]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Register agents and push signed samples; exit code 0 when every row was accepted, 1 otherwise
    Ingest(IngestArguments),
}

#[derive(Args)]
struct IngestArguments {
    /// Where the hub listens, e.g. http://127.0.0.1:8080
    #[arg(long, env = "PINGUP_HUB", value_name = "URL")]
    hub: String,
    /// An operator's or admin's token
    #[arg(long, env = "PINGUP_TOKEN", value_name = "T", hide_env_values = true)]
    token: String,
    /// Agents to register; they stay in the hub's list
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", value_parser = value_parser!(u64).range(1..=AGENTS_MAX))]
    agents: u64,
    /// Keep-alive connections, each with its share of the agents and one request in flight
    #[arg(long, env = "PINGUP_CONNECTIONS", value_name = "N",
          value_parser = value_parser!(u64).range(1..=CONNECTIONS_MAX))]
    connections: u64,
    /// How long to push
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    seconds: u64,
    /// Samples in one request
    #[arg(long, env = "PINGUP_BATCH", value_name = "N", default_value_t = 1,
          value_parser = value_parser!(u64).range(1..=BATCH_SAMPLES_MAX as u64))]
    batch: u64,
    /// Rows a second in total, on a schedule; without it, each connection sends as fast as it is answered
    #[arg(long, env = "PINGUP_RATE", value_name = "N", value_parser = value_parser!(u64).range(1..=RATE_ROWS_MAX))]
    rate: Option<u64>,
    /// Write the report to this file as well
    #[arg(long, env = "PINGUP_JSON", value_name = "FILE")]
    json: Option<PathBuf>,
    /// Send tokens in the clear to a hub that is not on this machine
    #[arg(long, env = "PINGUP_INSECURE_HTTP", value_name = "YES", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = clap::builder::BoolishValueParser::new())]
    insecure_http: Option<bool>,
}

/// Reads a command line (with the program's name first) and the environment.
pub(crate) fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Parsed, SettingsError> {
    match Arguments::try_parse_from(line) {
        Ok(Arguments { scenario: Scenario::Ingest(given) }) => given.check().map(Parsed::Ingest),
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

impl IngestArguments {
    fn check(self) -> Result<IngestSettings, SettingsError> {
        if self.connections > self.agents {
            return Err(SettingsError::Connections { connections: self.connections, agents: self.agents });
        }
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", self.token)).map_err(|_| SettingsError::Token)?;
        bearer.set_sensitive(true);
        Ok(IngestSettings {
            hub: read_hub(&self.hub, self.insecure_http.unwrap_or(false))?,
            bearer,
            agents: count(self.agents),
            connections: count(self.connections),
            duration: Duration::from_secs(self.seconds),
            batch: count(self.batch),
            rate: self.rate,
            json: self.json,
        })
    }
}

/// A count whose range was checked to be far below what any platform can address.
fn count(checked: u64) -> usize {
    usize::try_from(checked).unwrap_or(usize::MAX)
}

fn read_hub(url: &str, insecure_http: bool) -> Result<Hub, SettingsError> {
    let bad = |problem| SettingsError::Hub { url: url.to_owned(), problem };
    let uri: Uri = url.parse().map_err(|_| bad("a URL such as http://127.0.0.1:8080 expected"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err(bad("only plain http is spoken here; load the hub beside its TLS proxy"));
        }
        _ => return Err(bad("a URL such as http://127.0.0.1:8080 expected")),
    }
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| bad("it names no host"))?;
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(bad("the hub's routes start at the root: leave the path away"));
    }
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if !insecure_http && !is_loopback(&host) {
        return Err(bad(
            "tokens would cross the network in the clear; if that is meant, add --insecure-http",
        ));
    }
    let port = uri.port_u16().unwrap_or(80);
    let authority = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    let authority = HeaderValue::from_str(&authority).map_err(|_| bad("it names no host"))?;
    Ok(Hub { host, port, authority })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What the argument parser says, without its advice and on one line.
fn one_line(message: &str) -> String {
    let said = message.lines().map(str::trim).take_while(|line| !line.is_empty());
    let line = said.collect::<Vec<_>>().join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(flags: &str) -> Result<IngestSettings, SettingsError> {
        let line = format!("pingup-loadtest ingest {flags}");
        match parse(line.split(' ').map(OsString::from))? {
            Parsed::Ingest(settings) => Ok(settings),
            Parsed::Shown(text) => panic!("only shown: {text}"),
        }
    }

    fn refused(flags: &str) -> String {
        given(flags).err().unwrap_or_else(|| panic!("{flags} was taken")).to_string()
    }

    const COUNTS: &str = "--token t --agents 10 --connections 2 --seconds 3";

    #[test]
    fn a_whole_line_is_read() {
        let settings = given(&format!("--hub http://[::1]:9 {COUNTS} --batch 50 --rate 7")).unwrap();
        assert_eq!((settings.hub.host.as_str(), settings.hub.port), ("::1", 9));
        assert_eq!(settings.hub.url(), "http://[::1]:9");
        assert_eq!((settings.agents, settings.connections, settings.batch), (10, 2, 50));
        assert_eq!((settings.rate, settings.duration), (Some(7), Duration::from_secs(3)));
        assert!(settings.bearer.is_sensitive());
    }

    #[test]
    fn hubs_that_cannot_be_meant_are_refused() {
        for (url, word) in [
            ("https://127.0.0.1", "plain http"),
            ("127.0.0.1:8080", "expected"),
            ("http://127.0.0.1/api", "root"),
            ("http://192.0.2.7", "--insecure-http"),
            ("http://localhost.example.org", "--insecure-http"),
        ] {
            let line = refused(&format!("--hub {url} {COUNTS}"));
            assert!(line.contains(word) && line.contains(url), "{line}");
        }
        assert!(given(&format!("--hub http://192.0.2.7 {COUNTS} --insecure-http")).is_ok());
        assert!(given(&format!("--hub http://localhost {COUNTS}")).is_ok());
    }

    #[test]
    fn refusals_are_one_line_and_keep_the_token_to_themselves() {
        for flags in [
            "--hub http://localhost",
            "--hub http://localhost --token t --agents x --connections 1 --seconds 1",
            "--hub http://localhost --token t --agents 1 --connections 2 --seconds 1",
            "--hub http://localhost --token t --agents 1 --connections 1 --seconds 0",
            "--hub http://localhost --token t --agents 1 --connections 1 --seconds 1 --batch 10001",
            "--hub http://localhost --token t\u{7f}secret --agents 1 --connections 1 --seconds 1",
            "--nonsense",
        ] {
            let line = refused(flags);
            assert!(!line.contains('\n') && !line.contains("secret") && !line.is_empty(), "{line:?}");
        }
    }
}
