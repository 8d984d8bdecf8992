//! `token create`, `list` and `revoke`: bearer tokens for operators, scrapers and senders.
//!
//! Their rows are written straight into the records, before the first `serve` and beside a running hub, which hears of
//! them within a second. A token is printed once; what is kept is no use for making it again.

mod list;

use super::{CliError, PlaceArguments, print, records, said_or, user};
use crate::{
    audit::store::record,
    auth::{
        Operator, Role,
        operators::{
            Fresh, NAME_BYTES_MAX, TTL_SECONDS_MAX, is_name,
            store::{self, CreateError, Row},
        },
        token::Tokens,
    },
    clock::Clock,
    deed::{Act, By},
    settings::{Span, TokenKeys},
    storage::{DataFolder, StorageError},
};
use clap::{
    Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;
use std::time::Duration;

/// The words for what a token can allow.
const ROLES: [&str; Role::ALL.len()] = {
    let [scrape, writer, viewer, operator, admin] = Role::ALL;
    [scrape.as_str(), writer.as_str(), viewer.as_str(), operator.as_str(), admin.as_str()]
};

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token and print it
    Create(CreateArguments),
    /// Say which tokens there are, and who used them last
    List(ListArguments),
    /// Make tokens good for nothing, within a second; a hub may be running
    Revoke(RevokeArguments),
}

#[derive(clap::Args)]
pub(super) struct CreateArguments {
    /// What it allows. scrape: GET /metrics; writer: to write series; viewer: to read; operator: also to order and configure;
    /// admin: also to remove, and tokens
    #[arg(long, env = "PINGUP_ROLE", value_parser = PossibleValuesParser::new(ROLES).try_map(|word| role(&word)))]
    role: Option<Role>,
    /// Whose it is, as it will stand beside what they change [default: the role]
    #[arg(long, env = "PINGUP_NAME", value_parser = name)]
    name: Option<String>,
    /// How long it lives [default: 12h for operator and admin, else 30d]
    #[arg(long, env = "PINGUP_TTL", value_name = "TIME", value_parser = ttl)]
    ttl: Option<Duration>,
    #[command(flatten)]
    place: PlaceArguments,
}

#[derive(clap::Args)]
pub(super) struct ListArguments {
    /// Also those that expired or were revoked
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

#[derive(clap::Args)]
pub(super) struct RevokeArguments {
    /// Those of these ids, which `token list` tells
    #[arg(value_name = "ID", required_unless_present = "name", conflicts_with = "name")]
    ids: Vec<String>,
    /// All that are good and have this name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    place: PlaceArguments,
}

fn role(word: &str) -> Result<Role, String> {
    Role::from_word(word).ok_or_else(|| format!("one of {} expected, not {word:?}", ROLES.join(", ")))
}

fn name(text: &str) -> Result<String, String> {
    if !is_name(text) {
        return Err(format!(
            "1 to {NAME_BYTES_MAX} bytes without control characters or turns of direction expected"
        ));
    }
    Ok(text.to_owned())
}

/// Reads how long a token of either kind is to live.
pub(super) fn ttl(text: &str) -> Result<Duration, String> {
    let ttl = text.parse::<Span>().map_err(|error| error.to_string())?.get();
    if ttl < Duration::from_secs(1) || ttl > Duration::from_secs(TTL_SECONDS_MAX.unsigned_abs()) {
        return Err(format!("1s to {}d expected", TTL_SECONDS_MAX / (24 * 3_600)));
    }
    Ok(ttl)
}

pub(super) fn run(command: TokenCommand, clock: &Clock) -> Result<(), CliError> {
    match command {
        TokenCommand::Create(arguments) => print(&create(arguments, clock)?),
        TokenCommand::List(arguments) => print(&list(&arguments, clock)?),
        TokenCommand::Revoke(arguments) => print(&revoke(arguments, clock)?),
    }
}

/// Checks what the file says, for commands that do not use it.
pub(super) fn check_keys(keys: &TokenKeys) -> Result<(), CliError> {
    said_or(None, ("token", "role"), keys.role.as_deref(), role)?;
    said_or(None, ("token", "name"), keys.name.as_deref(), name)?;
    said_or(None, ("token", "ttl"), keys.ttl.as_deref(), ttl)?;
    Ok(())
}

fn create(arguments: CreateArguments, clock: &Clock) -> Result<String, CliError> {
    let file = arguments.place.settings()?;
    let TokenKeys { role: file_role, name: file_name, ttl: file_ttl } = &file.token;
    let role = said_or(arguments.role, ("token", "role"), file_role.as_deref(), role)?
        .ok_or_else(|| CliError::Usage(format!("--role is needed: one of {}", ROLES.join(", "))))?;
    let name = said_or(arguments.name, ("token", "name"), file_name.as_deref(), name)?;
    let ttl = said_or(arguments.ttl, ("token", "ttl"), file_ttl.as_deref(), ttl)?;

    let folder = DataFolder::open_or_create(&file.data_dir())?.with_master(file.master());
    let tokens = Tokens::new(&folder.master_or_create()?);
    let whose = Operator { name: name.unwrap_or_else(|| role.as_str().to_owned()), role };
    let seconds =
        ttl.map_or(role.ttl_seconds(), |ttl| i64::try_from(ttl.as_secs()).unwrap_or(TTL_SECONDS_MAX));
    let now = clock.now();
    let fresh =
        Fresh::write(&tokens, whose, seconds, now).map_err(|error| CliError::Failed(error.to_string()))?;
    let row = Row::new(&fresh.token, fresh.digest(), None);
    let by = user::by();
    records::change(&folder, clock, move |connection| {
        store::create(connection, &row, now)?;
        Ok(record(connection, &row.deed(Act::TokenCreated, &by, now)).map_err(StorageError::from)?)
    })?;
    Ok(fresh.text)
}

fn list(arguments: &ListArguments, clock: &Clock) -> Result<String, CliError> {
    let folder = arguments.place.folder()?;
    let rows =
        records::change(
            &folder,
            clock,
            |connection| Ok(store::all(connection).map_err(StorageError::from)?),
        )?;
    Ok(list::table(rows, arguments.all, clock.now()))
}

/// Says in a line each what was revoked. Where one of several is not there, none is.
fn revoke(arguments: RevokeArguments, clock: &Clock) -> Result<String, CliError> {
    let RevokeArguments { ids, name, place } = arguments;
    let folder = place.folder()?;
    let (now, by) = (clock.now(), user::by());
    records::change(&folder, clock, move |connection| {
        let ids = match &name {
            None => ids,
            Some(name) => store::named(connection, name, now).map_err(StorageError::from)?,
        };
        if ids.is_empty() {
            return Err(CliError::Failed("no token of that name is good; see `token list --all`".to_owned()));
        }
        ids.iter().map(|id| revoke_one(connection, id, &by, now)).collect()
    })
}

fn revoke_one(connection: &Connection, id: &str, by: &By, now: Timestamp) -> Result<String, CliError> {
    let revoked = store::revoke(connection, id, None, now).map_err(StorageError::from)?;
    let Some((row, is_new)) = revoked else {
        return Err(CliError::Failed(format!(
            "there is no token {id:?}, and nothing was revoked; see `token list --all`"
        )));
    };
    // Again is no deed.
    if is_new {
        record(connection, &row.deed(Act::TokenRevoked, by, now)).map_err(StorageError::from)?;
    }
    Ok(format!("revoked {} ({}, {})\n", row.id, row.role.as_str(), row.name))
}

impl From<CreateError> for CliError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::TooMany => Self::Failed(error.to_string()),
            CreateError::Storage(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &std::path::Path) -> PlaceArguments {
        PlaceArguments { data_dir: Some(folder.to_owned()), ..PlaceArguments::default() }
    }

    fn make(folder: &std::path::Path, name: &str, clock: &Clock) -> String {
        let ttl = Some(Duration::from_secs(60));
        let name = Some(name.to_owned());
        create(CreateArguments { role: Some(Role::Operator), name, ttl, place: place(folder) }, clock)
            .unwrap()
    }

    #[test]
    fn tokens_are_made_listed_and_revoked_before_there_is_a_hub() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("new");
        let clock = Clock::fixed(Timestamp::from_micros(1_800_000_000_000_000));
        let made = make(&folder, "ada", &clock);
        let tokens = Tokens::new(&DataFolder::open(&folder).unwrap().master().unwrap());
        let (token, has_key) = tokens.read_operator(&made).unwrap();
        assert!(
            has_key
                && token.operator.role == Role::Operator
                && token.expires_at == clock.now().plus_seconds(60)
        );
        make(&folder, "bob", &clock);
        make(&folder, "bob", &clock);

        let listed = |all| list(&ListArguments { all, place: place(&folder) }, &clock).unwrap();
        assert!(listed(false).contains(&token.id) && !listed(false).contains(&made), "{}", listed(false));
        let revoke = |ids: &[&str], name: Option<&str>| {
            let ids = ids.iter().map(|&id| id.to_owned()).collect();
            revoke(RevokeArguments { ids, name: name.map(str::to_owned), place: place(&folder) }, &clock)
        };
        assert!(revoke(&[&token.id, "nobody"], None).unwrap_err().to_string().contains("nobody"));
        assert!(listed(false).contains(&token.id), "all or none");
        assert_eq!(revoke(&[&token.id], None).unwrap(), format!("revoked {} (operator, ada)\n", token.id));
        assert!(!listed(false).contains(&token.id) && listed(true).contains("revoked"));
        assert_eq!(revoke(&[], Some("bob")).unwrap().lines().count(), 2);
        assert!(revoke(&[], Some("bob")).is_err(), "none is left");
    }

    #[test]
    fn lifetimes_and_names_have_bounds() {
        assert_eq!(ttl("1s"), Ok(Duration::from_secs(1)));
        assert!(ttl("0s").is_err() && ttl("11y").is_err() && ttl("soon").is_err());
        assert!(name("ada").is_ok() && name("Ада Λ 阿").is_ok());
        for bad in ["", "a\nb", "\u{1b}[2J", "a\u{202e}b", "a\u{2028}b", "oidc:ada", &"x".repeat(129)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
