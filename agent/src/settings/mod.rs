//! The agent's own settings: flags win over environment over file; parsed once, checked before anything is
//! opened, a bad one ending the program with exit code 64 and one plain line.
//!
//! What the hub configures is another matter ([`crate::config`]) and can only narrow what stands here.

mod amend;
mod arguments;
mod bounds;
mod call;
mod common_arguments;
mod draft;
mod file;
mod hub_url;
mod install_arguments;
mod labels_file;
mod scan;
mod service;
mod trust;
mod values;

pub use amend::{Amendment, amended};
pub use call::{Call, read};
pub use draft::Draft;
pub use hub_url::{HubUrl, HubUrlError};
pub use labels_file::LabelsFile;
pub use scan::ScanSettings;
pub use trust::Trust;

use crate::{execute::AllowList, exit::Exit, orders::Signers, spool::Bounds};
use arguments::RunArguments;
use bounds::{allow, interval, join_token, signers, spool_bounds};
use pingup_protocol::{enrol::JoinToken, labels::Labels};
use std::{path::PathBuf, time::Duration};
use tracing::level_filters::LevelFilter;

/// Characters of a name for people.
const NAME_CHARS_MAX: usize = 128;

/// A setting that is missing or wrong: one line that says which, and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl SettingsError {
    pub(crate) fn of(name: &str, what: impl std::fmt::Display) -> Self {
        Self(format!("{name}: {what}"))
    }
}

impl From<&SettingsError> for Exit {
    fn from(_: &SettingsError) -> Self {
        Self::Usage
    }
}

/// Everything that `run` needs to know.
#[derive(Debug)]
pub struct Settings {
    /// Where the hub is.
    pub hub: HubUrl,
    /// By what it is known.
    pub trust: Trust,
    /// What to enrol with, needed while the state is empty.
    pub join_token: Option<JoinToken>,
    /// Where the agent keeps what it must not forget.
    pub state_dir: PathBuf,
    /// Between two samples.
    pub interval: Duration,
    /// A name for people, given at enrolment.
    pub name: Option<String>,
    /// The actions that may run.
    pub allow: AllowList,
    /// Whose orders count, and for what.
    pub signers: Signers,
    /// How much may wait for the hub.
    pub spool: Bounds,
    /// What a scan looks at, unless the hub or a command says otherwise.
    pub scan: ScanSettings,
    /// Where SSH reaches this machine, as told to the hub.
    pub ssh: SshAccess,
    /// By what the hub may group this machine.
    pub labels: Labels,
    /// Where they may change while the agent works.
    pub labels_file: Option<LabelsFile>,
    /// What is logged.
    pub log: LevelFilter,
}

/// Where SSH reaches this machine, where somebody said so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshAccess {
    /// Name or address.
    pub host: Option<String>,
    /// Port.
    pub port: Option<u16>,
    /// User.
    pub user: Option<String>,
}

fn run(flags: RunArguments) -> Result<Settings, SettingsError> {
    let Some(path) = flags.config.clone().filter(|path| !path.as_os_str().is_empty()) else {
        return check(flags);
    };
    let labels_file = Some(LabelsFile::new(path.clone(), flags.labels.clone()));
    let settings = check(flags.or(file::read(&path)?))?;
    Ok(Settings { labels_file, ..settings })
}

fn check(texts: RunArguments) -> Result<Settings, SettingsError> {
    let insecure_http = values::switch("insecure-http", texts.common.insecure_http.as_deref())?;
    let hub = values::given(texts.common.hub).ok_or_else(|| {
        SettingsError(
            "hub: where is it? --hub https://HOST:PORT, or PINGUP_HUB, or hub = \"…\" in a file".into(),
        )
    })?;
    let name = values::given(texts.common.name);
    if name.as_deref().is_some_and(|name| name.chars().count() > NAME_CHARS_MAX) {
        return Err(SettingsError::of("name", format!("at most {NAME_CHARS_MAX} characters expected")));
    }
    let hub = HubUrl::parse(&hub, insecure_http).map_err(|e| SettingsError::of("hub", e))?;
    Ok(Settings {
        trust: Trust::of(&hub, texts.common.hub_pin, texts.hub_ca)?,
        hub,
        join_token: join_token(texts.join_token)?,
        state_dir: match values::given(texts.state_dir) {
            Some(path) => path.into(),
            None => default_state_dir()?,
        },
        interval: interval(texts.interval)?,
        name,
        allow: allow(texts.allow)?,
        signers: signers(texts.common.operator_keys, texts.common.signed_actions)?,
        spool: spool_bounds(texts.spool_bytes_max, texts.spool_age_max)?,
        scan: scan::settings(texts.scan_networks, texts.ports.as_deref(), texts.scan_rate)?,
        ssh: SshAccess {
            host: values::given(texts.ssh_host),
            port: values::number("ssh-port", texts.ssh_port, 1..=u16::MAX)?,
            user: values::given(texts.ssh_user),
        },
        labels: values::labels(texts.labels)?,
        labels_file: None,
        log: values::level(values::given(texts.log))?,
    })
}

/// `/var/lib/pingup-agent` for root, else below the user's own state directory.
fn default_state_dir() -> Result<PathBuf, SettingsError> {
    if rustix::process::geteuid().is_root() {
        return Ok("/var/lib/pingup-agent".into());
    }
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|base| base.join("pingup-agent"))
        .ok_or_else(|| SettingsError::of("state-dir", "none can be told without HOME; name one"))
}

#[cfg(test)]
mod tests {
    use super::{
        arguments::{Arguments, Subcommand},
        *,
    };
    use clap::Parser;

    /// What `run` says to these flags and this file.
    fn refusal(flags: &[&str], text: &str) -> String {
        let said =
            ["pingup-agent", "run", "--hub", "https://h", "--state-dir", "/nowhere"].iter().chain(flags);
        let Subcommand::Run(said) = Arguments::try_parse_from(said).unwrap().subcommand else {
            unreachable!()
        };
        check(said.or(file::parse(text).unwrap())).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_empty_entry_never_switches_a_guard_off() {
        for (key, flag) in [
            ("operator_keys", "--operator-key"),
            ("signed_actions", "--signed-actions"),
            ("hub_pin", "--hub-pin"),
        ] {
            let told = format!("{}: an empty entry", flag.trim_start_matches('-'));
            for list in [r#"[""]"#, r#"["  "]"#, r#"["", ""]"#, r#"["", "x"]"#] {
                let refused = refusal(&[], &format!("{key} = {list}"));
                assert!(refused.starts_with(&told) && !refused.contains('\n'), "{list}: {refused}");
            }
            // As a flag, and as a variable that is set and empty: they are read alike.
            assert!(refusal(&[flag, ""], "").starts_with(&told));
            assert!(refusal(&[flag, " "], "").starts_with(&told));
            // Nor does it give way to what the file says.
            assert!(refusal(&[flag, ""], &format!("{key} = [\"x\"]")).starts_with(&told));
            assert_eq!(refusal(&[], &format!("{key} = []")), "");
        }
        assert_eq!(refusal(&["--allow", ""], ""), "", "an empty list of what may run takes nothing away");
    }
}
