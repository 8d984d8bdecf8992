//! What the calls about the service are told: `install`, `uninstall`, `status`, `reset`.

use super::{
    Amendment, Call, SettingsError,
    arguments::{StateArguments, StatusArguments},
    default_state_dir, file,
    install_arguments::{InstallArguments, Place},
    values,
};
use crate::{
    install::{CONFIG, Init, Order, Root, STATE},
    join_token,
};
use pingup_protocol::enrol::JoinToken;
use std::path::{Path, PathBuf};

/// Where a join token stands that is given outright; the same as for `run`.
const TOKEN_VARIABLE: &str = "PINGUP_JOIN_TOKEN";

pub(super) fn install(flags: InstallArguments) -> Result<Call, SettingsError> {
    let init = match values::given(flags.init) {
        Some(name) => {
            let unknown =
                || SettingsError::of("init", format!("systemd, openrc or launchd expected, not {name:?}"));
            Some(Init::named(&name).ok_or_else(unknown)?)
        }
        None => None,
    };
    let common = flags.common;
    let mut settings = vec![Amendment::text("state_dir", STATE)];
    for (key, value) in [("hub", common.hub), ("name", common.name), ("interval", flags.interval)] {
        settings.extend(values::given(value).map(|value| Amendment::text(key, value.trim())));
    }
    if let Some(word) = values::given(common.insecure_http) {
        settings.push(Amendment::switch("insecure_http", values::switch("insecure-http", Some(&word))?));
    }
    for (key, words) in [
        ("hub_pin", values::guard("hub-pin", common.hub_pin)?),
        ("allow", values::list(flags.allow)),
        ("operator_keys", values::guard("operator-key", common.operator_keys)?),
        ("signed_actions", values::guard("signed-actions", common.signed_actions)?),
    ] {
        settings.extend(words.map(|words| Amendment::list(key, &words)));
    }
    let as_root = values::given(flags.actions_as_root);
    let actions_as_root = as_root.map(|word| values::switch("actions-as-root", Some(&word))).transpose()?;
    Ok(Call::Install(Box::new(Order {
        root: root(flags.place.root)?,
        init,
        dry_run: flags.place.dry_run,
        token: token(values::given(flags.join_token))?,
        settings,
        authorities: values::given(flags.hub_ca).map(PathBuf::from),
        actions_as_root,
    })))
}

pub(super) fn uninstall(place: Place, purge: bool) -> Result<Call, SettingsError> {
    Ok(Call::Uninstall { root: root(place.root)?, dry_run: place.dry_run, purge })
}

pub(super) fn status(flags: StatusArguments) -> Result<Call, SettingsError> {
    Ok(Call::Status { state_dir: state_dir(flags.folder)?, json: flags.json })
}

/// Where the state is that `flags` speak of: as they say, or the settings of the agent.
pub(super) fn state_dir(flags: StateArguments) -> Result<PathBuf, SettingsError> {
    let state_dir = match values::given(flags.state_dir) {
        Some(path) => Some(path),
        None => match config_or_installed(flags.config) {
            Some(path) => values::given(file::read(&path)?.state_dir),
            None => None,
        },
    };
    state_dir.map_or_else(default_state_dir, |path| Ok(path.into()))
}

/// The file that was named, or that of the installed agent, where there is one.
pub(super) fn config_or_installed(named: Option<PathBuf>) -> Option<PathBuf> {
    let named = named.filter(|path| !path.as_os_str().is_empty());
    named.or_else(|| Some(PathBuf::from(CONFIG)).filter(|path| path.exists()))
}

fn root(folder: Option<PathBuf>) -> Result<Root, SettingsError> {
    let Some(folder) = folder else { return Ok(Root::machine()) };
    match folder.canonicalize() {
        // However it was written: / is the machine itself.
        Ok(whole) if whole.is_dir() => Ok(Root::at(&whole)),
        _ => Err(SettingsError::of("root", format!("{} is no folder", folder.display()))),
    }
}

/// The join token from where it was said to be, never from an argument: those are for everyone to see.
fn token(source: Option<String>) -> Result<Option<JoinToken>, SettingsError> {
    let refused = |what: String| SettingsError::of("join-token", what);
    match source.as_deref() {
        None => super::join_token(std::env::var(TOKEN_VARIABLE).ok()),
        Some(literal) if literal.trim_start().starts_with("pjt_") => {
            let what = format!(
                "others can see a program's flags; give a file, - for stdin, or set {TOKEN_VARIABLE}"
            );
            Err(refused(what))
        }
        Some("-") => join_token::read(std::io::stdin(), Path::new("stdin"))
            .map(Some)
            .map_err(|error| refused(error.to_string())),
        Some(path) => std::fs::File::open(path)
            .map_err(|error| refused(format!("{path}: {error}")))
            .and_then(|file| {
                join_token::read(file, Path::new(path)).map_err(|error| refused(error.to_string()))
            })
            .map(Some),
    }
}
