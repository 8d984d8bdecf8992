//! `token create`: a bearer token for an operator, a scraper or a sender.
//!
//! It is signed under a key that comes from the master key, so this works before the first `serve` and beside
//! a running hub. In the records it leaves that it was made, never what it is.

use super::{CliError, PlaceArguments, print, said_or, user};
use crate::{
    audit::store::record,
    auth::{Role, token::Tokens},
    clock::Clock,
    deed::{Act, Deed},
    settings::{Span, TokenKeys},
    storage::{DataFolder, DiskSpace, Sqlite, StorageError},
};
use clap::{
    Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use std::time::Duration;

/// Bytes of the name that stands in a token and beside what its holder changes.
const NAME_BYTES_MAX: usize = 128;
/// The longest that a token may live, days. It cannot be called back, so not for ever.
const TTL_DAYS_MAX: u64 = 3_650;
/// How long one lives unless said otherwise.
const TTL: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The words for what a token can allow.
const ROLES: [&str; Role::ALL.len()] = {
    let [scrape, writer, viewer, operator, admin] = Role::ALL;
    [scrape.as_str(), writer.as_str(), viewer.as_str(), operator.as_str(), admin.as_str()]
};

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token and print it
    Create(CreateArguments),
}

#[derive(clap::Args)]
pub(super) struct CreateArguments {
    /// What it allows: scrape and writer one thing each, viewer to see, operator and admin to change
    #[arg(long, env = "PINGUP_ROLE", value_parser = PossibleValuesParser::new(ROLES).try_map(|word| role(&word)))]
    role: Option<Role>,
    /// Whose it is, as it will stand beside what they change [default: the role]
    #[arg(long, env = "PINGUP_NAME", value_parser = name)]
    name: Option<String>,
    /// How long it lives [default: 30d]
    #[arg(long, env = "PINGUP_TTL", value_name = "TIME", value_parser = ttl)]
    ttl: Option<Duration>,
    #[command(flatten)]
    place: PlaceArguments,
}

fn role(word: &str) -> Result<Role, String> {
    Role::from_word(word).ok_or_else(|| format!("one of {} expected, not {word:?}", ROLES.join(", ")))
}

fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!("1 to {NAME_BYTES_MAX} bytes without control characters expected"));
    }
    Ok(text.to_owned())
}

/// Reads how long a token of either kind is to live.
pub(super) fn ttl(text: &str) -> Result<Duration, String> {
    let ttl = text.parse::<Span>().map_err(|error| error.to_string())?.get();
    let longest = Duration::from_secs(TTL_DAYS_MAX * 24 * 3_600);
    if ttl < Duration::from_secs(1) || ttl > longest {
        return Err(format!("1s to {TTL_DAYS_MAX}d expected"));
    }
    Ok(ttl)
}

pub(super) fn run(command: TokenCommand, clock: &Clock) -> Result<(), CliError> {
    let TokenCommand::Create(arguments) = command;
    print(&create(arguments, clock)?)
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
    let ttl = said_or(arguments.ttl, ("token", "ttl"), file_ttl.as_deref(), ttl)?.unwrap_or(TTL);

    let folder = DataFolder::open_or_create(&file.data_dir())?;
    let tokens = Tokens::new(&folder.master_or_create()?);
    let name = name.unwrap_or_else(|| role.as_str().to_owned());
    let seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
    let (now, id) = (clock.now(), random_id()?);
    let token = tokens
        .issue_operator(&name, role, seconds, now, &id)
        .map_err(|error| CliError::Failed(error.to_string()))?;
    // The reserve is for the hub's own safety; here the disk itself says when it is full.
    let sqlite = Sqlite::open(&folder.sqlite_path(), DiskSpace::watch(folder.path(), 0)?, now)?;
    let by = user::by();
    sqlite.reclaim_blocking(move |connection| {
        let deed = Deed::new(Act::TokenCreated, &by, now)
            .on(&id)
            .with("name", name)
            .with("role", role.as_str())
            .with("expiresAt", now.plus_seconds(seconds).to_string());
        record(connection, &deed).map_err(StorageError::from)
    })?;
    Ok(token)
}

/// Characters of a made identifier: 95 bits' worth.
const ID_CHARS: usize = 16;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random letters and digits, each as likely as the other.
pub(super) fn random_id() -> Result<String, CliError> {
    let mut id = String::with_capacity(ID_CHARS);
    while id.len() < ID_CHARS {
        let mut bytes = [0; 2 * ID_CHARS];
        getrandom::fill(&mut bytes).map_err(|error| CliError::Failed(format!("no random bytes: {error}")))?;
        // Six bits make 64 values; the two beyond the alphabet are thrown away rather than folded in.
        let letters =
            bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63))).map(|&b| char::from(b));
        id.extend(letters.take(ID_CHARS - id.len()));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::{enrol::is_token_id, time::Timestamp};

    #[test]
    fn a_token_works_before_there_is_anything_and_is_the_running_hubs_too() {
        let place = tempfile::tempdir().unwrap();
        let data_dir = place.path().join("new");
        let clock = Clock::fixed(Timestamp::from_micros(1_800_000_000_000_000));
        let arguments = CreateArguments {
            role: Some(Role::Operator),
            name: None,
            ttl: Some(Duration::from_secs(60)),
            place: PlaceArguments { config: None, data_dir: Some(data_dir.clone()) },
        };
        let token = create(arguments, &clock).unwrap();
        let tokens = Tokens::new(&DataFolder::open(&data_dir).unwrap().master().unwrap());
        assert_eq!(
            tokens.check_operator(&token, clock.now()).map(|(operator, _)| operator.role),
            Ok(Role::Operator)
        );
        clock.advance(60);
        assert!(tokens.check_operator(&token, clock.now()).is_err());
    }

    #[test]
    fn made_ids_may_name_join_tokens_and_differ() {
        let (one, other) = (random_id().unwrap(), random_id().unwrap());
        assert!(is_token_id(&one) && one.len() == ID_CHARS && one != other, "{one} {other}");
    }

    #[test]
    fn lifetimes_and_names_have_bounds() {
        assert_eq!(ttl("1s"), Ok(Duration::from_secs(1)));
        assert!(ttl("0s").is_err() && ttl("11y").is_err() && ttl("soon").is_err());
        assert!(
            name("ada").is_ok()
                && name("").is_err()
                && name("a\nb").is_err()
                && name(&"x".repeat(129)).is_err()
        );
    }
}
