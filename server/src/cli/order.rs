//! `order`: signs what agents are to do with an operator's own key, and posts it to a hub, or prints the body for whoever
//! posts it. It runs where the key is: on the operator's machine, without a data folder.
//!
//! Agents are named one by one, never by a selector: then a hub would say who is meant, and it is the hub that is not trusted
//! here.

mod body;
mod post;
mod trust;

use super::{CliError, operator_key, passphrase, print};
use crate::address::Address;
use crate::{clock::Clock, settings::Span};
use pingup_protocol::{ids::AgentId, pin::Pin};
use post::{Hub, post};
use std::{net::IpAddr, path::PathBuf};
use trust::Trust;
use zeroize::Zeroizing;

/// Where the token stands unless it is in a file; a flag would show it to everyone on the machine.
const TOKEN_VARIABLE: &str = "PINGUP_TOKEN";

#[derive(clap::Args)]
#[command(
    after_help = "For example:\n  pingup-server order exec --agent web-1 --key ada.pingup-key --hub https://hub.example:8443 -- systemctl \
                  reload nginx\n  pingup-server order restart_service --agents-file web.txt --key ada.pingup-key -- nginx > body.json"
)]
pub(super) struct OrderArguments {
    /// What to do: exec, restart_service, run_discovery …
    #[arg(value_name = "ACTION")]
    action: String,
    /// Of exec, the program and its arguments; of restart_service, the service
    #[arg(last = true, value_name = "WORD")]
    words: Vec<String>,
    /// The parameters of any action, as a JSON object
    #[arg(long, value_name = "JSON", conflicts_with = "words")]
    params: Option<String>,
    /// Who is to do it; once for each
    #[arg(long = "agent", value_name = "ID", value_parser = AgentId::parse, required_unless_present = "agents_file")]
    agents: Vec<AgentId>,
    /// A file with ids of agents, one a line
    #[arg(long, value_name = "FILE")]
    agents_file: Option<PathBuf>,
    /// The key to sign with, as `operator-key create` wrote it
    #[arg(long, env = "PINGUP_OPERATOR_KEY_FILE", value_name = "FILE")]
    key: PathBuf,
    /// A file with the key's passphrase in its first line, or - for standard input [default: it is asked for]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// For how long it may be begun. A stolen hub can hold it back for as long, also if you cancel it: keep it short
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = span)]
    expires_in: Span,
    /// How long it may run [default: what the action says]
    #[arg(long, value_name = "TIME", value_parser = span)]
    timeout: Option<Span>,
    #[command(flatten)]
    hub: HubArguments,
}

/// Where it goes, if it is sent at all.
#[derive(clap::Args)]
struct HubArguments {
    /// The hub to send it to [default: the body is printed, for `curl --data @FILE HUB/api/v1/commands`]
    #[arg(long, env = "PINGUP_HUB", value_name = "URL")]
    hub: Option<String>,
    /// A file with a token of role operator [default: PINGUP_TOKEN holds the token]
    #[arg(long, value_name = "FILE", requires = "hub")]
    token_file: Option<PathBuf>,
    /// The certificates, in PEM, of who may vouch for the hub [default: the system's]
    #[arg(long, alias = "ca-file", value_name = "FILE", conflicts_with = "hub_pin")]
    hub_ca: Option<PathBuf>,
    /// The hub's own key, as it prints it: sha256//…
    #[arg(long, alias = "pin", value_name = "PIN", value_parser = pin)]
    hub_pin: Option<Pin>,
    /// Speak plain HTTP to a hub that is not on this machine
    #[arg(long)]
    insecure_http: bool,
}

fn span(text: &str) -> Result<Span, String> {
    text.parse::<Span>().map_err(|error| error.to_string())
}

fn pin(text: &str) -> Result<Pin, String> {
    text.parse::<Pin>().map_err(|error| error.to_string())
}

pub(super) fn run(arguments: OrderArguments, clock: &Clock) -> Result<(), CliError> {
    let OrderArguments {
        action,
        words,
        params,
        agents,
        agents_file,
        key,
        passphrase_file,
        expires_in,
        timeout,
        hub,
    } = arguments;
    // All that can be wrong is said before a passphrase is asked for.
    let task = body::Task::read(action, words, params.as_deref(), timeout)?;
    let agents = body::agents(agents, agents_file.as_deref())?;
    let hub = hub.read()?;
    let ask = || match &passphrase_file {
        Some(file) => passphrase::from_file(file),
        None => passphrase::ask(&format!("the passphrase of {}", key.display()), false),
    };
    let (key, _) = operator_key::open(&key, ask)?;
    let body = body::signed(&task, &agents, &key, expires_in, clock.now())?;
    match hub {
        None => print(&body.to_string()),
        Some(hub) => print(&post(&hub, &body)?),
    }
}

impl HubArguments {
    fn read(self) -> Result<Option<Hub>, CliError> {
        let Some(text) = self.hub.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
        let address = Address::parse(&text).map_err(|what| CliError::Usage(format!("--hub: {what}")))?;
        if address.scheme == "http" && !self.insecure_http && !is_local(&address) {
            let what = "--hub: on the way over plain HTTP others can read the token; https:// expected, or --insecure-http";
            return Err(CliError::Usage(what.to_owned()));
        }
        let token = match &self.token_file {
            Some(file) => passphrase::from_file(file)?,
            None => Zeroizing::new(std::env::var(TOKEN_VARIABLE).unwrap_or_default()),
        };
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            let what = format!("a token of role operator is needed: --token-file FILE, or {TOKEN_VARIABLE}");
            return Err(CliError::Usage(what));
        }
        let trust = match (self.hub_pin, self.hub_ca) {
            (Some(pin), _) => Trust::Pin(pin),
            (None, Some(file)) => Trust::File(file),
            (None, None) => Trust::System,
        };
        Ok(Some(Hub { address, token, trust }))
    }
}

fn is_local(address: &Address) -> bool {
    let Ok(authority) = address.authority.parse::<http::uri::Authority>() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
