//! `join-token create`: lets a machine enrol, a number of times and for a while.
//!
//! The token's row goes straight into the records, beside a running hub or before the first one; the token is
//! printed once and cannot be had again. It alone stands on standard output, for whoever takes it from there; the whole
//! command for the new machine is said beside it, on standard error.

mod store;
#[cfg(test)]
mod tests;

use super::{CliError, PlaceArguments, no_random_bytes, print, records, said_or, token::ttl, user};
use crate::{
    address::Address,
    auth::operators::random_id,
    clock::Clock,
    joining::KeptSecret,
    reach::Reach,
    settings::{JoinTokenKeys, LISTEN},
    storage::DataFolder,
};
use clap::Subcommand;
use pingup_protocol::{
    enrol::JoinToken,
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    order::OperatorKey,
};
use std::{
    io::{self, Write},
    time::Duration,
};

/// Machines that may enrol with one token.
const USES_MAX: i64 = 1_000_000;
/// How long a token is good for unless said otherwise.
const TTL: Duration = Duration::from_secs(3_600);

#[derive(Subcommand)]
pub(super) enum JoinTokenCommand {
    /// Make a join token and print it
    Create(CreateArguments),
}

#[derive(clap::Args)]
pub(super) struct CreateArguments {
    /// How many machines may enrol with it [default: 1]
    #[arg(long, env = "PINGUP_USES", value_parser = clap::value_parser!(i64).range(1..=USES_MAX))]
    uses: Option<i64>,
    /// How long it is good for [default: 1h]
    #[arg(long, env = "PINGUP_TTL", value_name = "TIME", value_parser = ttl)]
    ttl: Option<Duration>,
    /// The id that the machine gets [default: one made by the hub]
    #[arg(long, env = "PINGUP_AGENT_ID", value_name = "ID", value_parser = AgentId::parse)]
    agent_id: Option<AgentId>,
    /// The agent whose place the machine takes
    #[arg(long, env = "PINGUP_REPLACE", value_name = "ID", value_parser = AgentId::parse)]
    replace: Option<AgentId>,
    /// The agent that the machine is, with keys anew: its id, labels and history stay, the keys it had are dead
    #[arg(long, env = "PINGUP_REKEY", value_name = "ID", value_parser = AgentId::parse)]
    rekey: Option<AgentId>,
    /// Where the agent reaches the hub, e.g. https://hub.example:8443 [default: what the hub noted when it started]
    #[arg(long, env = "PINGUP_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// An operator's public key, 'pok_…' and perhaps a name, for the command that is printed; one flag for each. In the file,
    /// the list operator_keys
    #[arg(long = "operator-key", value_name = "KEY", value_parser = str::parse::<OperatorKey>, conflicts_with = "token_only")]
    operator_keys: Vec<OperatorKey>,
    /// Print the token alone, not the command for the new machine beside it
    #[arg(long)]
    token_only: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) fn run(command: JoinTokenCommand, clock: &Clock) -> Result<(), CliError> {
    let JoinTokenCommand::Create(arguments) = command;
    let told = match arguments.token_only {
        true => None,
        false => Some((reach(&arguments)?, operator_keys(&arguments)?)),
    };
    let token = create(arguments, clock)?.to_text();
    print(&token)?;
    if let Some((reach, operator_keys)) = told {
        let ca_file = reach.ca_file.as_ref().map_or_else(String::new, |path| {
            format!("\nwho goes by a file instead of the pin (--hub-ca) copies {}", path.display())
        });
        // With standard error gone, the token is still what was asked for.
        let _ = writeln!(
            io::stderr(),
            "on the new machine, for as long as the token is good:\n  {}{ca_file}",
            reach.agent_command(&token, &operator_keys)
        );
    }
    Ok(())
}

/// How the new machine reaches the hub: as this command was told, else as the hub noted when it started, else as the file
/// says where none has started yet.
fn reach(arguments: &CreateArguments) -> Result<Reach, CliError> {
    let file = arguments.place.settings()?;
    let said = arguments.public_url.as_deref().or(file.public_url.as_deref());
    let public = said.map(Address::parse).transpose();
    let public = public.map_err(|reason| CliError::Usage(format!("--public-url: {reason}")))?;
    let noted = DataFolder::open(&file.data_dir()).ok().and_then(|folder| Reach::noted(&folder));
    Ok(match (noted, public) {
        (Some(noted), None) => noted,
        (Some(noted), Some(public)) => noted.at(&public),
        (None, public) => Reach::new(file.listen.unwrap_or(LISTEN), public.as_ref(), None),
    })
}

/// Whose orders the new machine is to want: as the flags say, else as the file does.
fn operator_keys(arguments: &CreateArguments) -> Result<Vec<OperatorKey>, CliError> {
    let keys = match arguments.operator_keys.is_empty() {
        false => arguments.operator_keys.clone(),
        true => of_file(&arguments.place.settings()?.join_token)?,
    };
    // The agent would refuse to start with it.
    let twice = keys.iter().enumerate().find(|(at, key)| keys[..*at].iter().any(|other| other.id == key.id));
    match twice {
        Some((_, key)) => Err(CliError::Usage(format!("--operator-key: {key} is named twice"))),
        None => Ok(keys),
    }
}

fn of_file(keys: &JoinTokenKeys) -> Result<Vec<OperatorKey>, CliError> {
    let parse = |line: &String| line.parse::<OperatorKey>();
    let read = keys.operator_keys.iter().flatten().map(parse).collect::<Result<_, _>>();
    read.map_err(|error| CliError::Usage(format!("[join_token] operator_keys: {error}")))
}

/// Checks what the file says, for commands that do not use it.
pub(super) fn check_keys(keys: &JoinTokenKeys) -> Result<(), CliError> {
    let place = PlaceArguments::default();
    let unsaid = CreateArguments {
        uses: None,
        ttl: None,
        agent_id: None,
        replace: None,
        rekey: None,
        public_url: None,
        operator_keys: Vec::new(),
        token_only: true,
        place,
    };
    of_file(keys)?;
    Order::new(unsaid, keys).map(drop)
}

/// What was asked for, by flags over the file over the defaults.
struct Order {
    uses: i64,
    ttl: Duration,
    agent_id: Option<AgentId>,
    replace: Option<AgentId>,
    rekey: Option<AgentId>,
}

impl Order {
    fn new(arguments: CreateArguments, file: &JoinTokenKeys) -> Result<Self, CliError> {
        const SECTION: &str = "join_token";
        let JoinTokenKeys { uses, ttl: file_ttl, agent_id, replace, rekey, .. } = file;
        let order = Self {
            uses: arguments.uses.or(*uses).unwrap_or(1),
            ttl: said_or(arguments.ttl, (SECTION, "ttl"), file_ttl.as_deref(), ttl)?.unwrap_or(TTL),
            agent_id: said_or(
                arguments.agent_id,
                (SECTION, "agent_id"),
                agent_id.as_deref(),
                AgentId::parse,
            )?,
            replace: said_or(arguments.replace, (SECTION, "replace"), replace.as_deref(), AgentId::parse)?,
            rekey: said_or(arguments.rekey, (SECTION, "rekey"), rekey.as_deref(), AgentId::parse)?,
        };
        if !(1..=USES_MAX).contains(&order.uses) {
            return Err(CliError::Usage(format!("[{SECTION}] uses: 1 to {USES_MAX} expected")));
        }
        if order.rekey.is_some() && (order.uses > 1 || order.agent_id.is_some() || order.replace.is_some()) {
            return Err(CliError::Usage(
                "--rekey is for one machine, which keeps its id: --uses is 1 with it, and there is no --agent-id or --replace"
                    .to_owned(),
            ));
        }
        if order.agent_id.is_some() && order.uses > 1 {
            return Err(CliError::Usage("--agent-id names one machine, so --uses is 1 with it".to_owned()));
        }
        if order.agent_id.is_some() && order.agent_id == order.replace {
            return Err(CliError::Usage(
                "--replace retires that id for good; give --agent-id another".to_owned(),
            ));
        }
        Ok(order)
    }
}

fn create(arguments: CreateArguments, clock: &Clock) -> Result<JoinToken, CliError> {
    let file = arguments.place.settings()?;
    let order = Order::new(arguments, &file.join_token)?;
    let folder = DataFolder::open_or_create(&file.data_dir())?.with_master(file.master());
    let token = JoinToken { token_id: random_id().map_err(no_random_bytes)?, secret: random_secret()? };
    let secret = KeptSecret::seal(&folder.master_or_create()?, &token.token_id, &token.secret)
        .map_err(|error| CliError::Failed(format!("the token cannot be sealed: {error}")))?;
    let (id, now, by) = (token.token_id.clone(), clock.now(), user::by());
    records::change(&folder, clock, move |connection| {
        store::insert(connection, (&id, &secret), &order, (&by, now))
    })?;
    Ok(token)
}

fn random_secret() -> Result<Secret, CliError> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(no_random_bytes)?;
    Ok(Secret::new(bytes))
}
