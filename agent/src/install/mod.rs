//! Becoming a service of this machine, and ceasing to be one.
//!
//! `install` writes the program, its settings, the service and the state folder, each whole and only where it
//! differs, and then has the service manager start it; a second one updates. It keeps a list of what it made, and
//! `uninstall` removes that and nothing else; the state stays unless it is told otherwise. Below another folder
//! than `/` files are all there is: no service manager is spoken to.
//!
//! A join token goes into the state folder, closed to others, where the agent uses it once and removes it: it is in
//! no unit, no settings and no list of processes.

mod authorities;
mod files;
mod init;
mod layout;
mod program;
mod steps;
mod teller;
mod uninstall;

pub use init::Init;
pub use layout::{CONFIG, Root, STATE};
pub use steps::state as service_state;
pub use uninstall::{installed_init, uninstall};

use crate::{
    exit::Exit,
    join_token,
    settings::{Amendment, SettingsError, amended},
    state::StateError,
    transport::AuthoritiesError,
};
use files::{Change, Content, Item};
use layout::PROGRAM;
use pingup_protocol::enrol::JoinToken;
use program::program;
use std::{
    collections::BTreeSet,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use teller::Teller;

/// What `install` is to do.
#[derive(Debug)]
pub struct Order {
    /// Below which folder.
    pub root: Root,
    /// For which service manager; the one that is found without it.
    pub init: Option<Init>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// What to enrol with.
    pub token: Option<JoinToken>,
    /// Settings to write; what is not named stays as it is.
    pub settings: Vec<Amendment>,
    /// The file of authorities that certify the hub, where one was named.
    pub authorities: Option<PathBuf>,
    /// Whether actions are to run as root; as it is without it.
    pub actions_as_root: Option<bool>,
}

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Not root.
    #[error("this changes /etc and /var: call it as root, or for another folder with --root DIR")]
    NotRoot,
    /// No service manager.
    #[error("no service manager that is known here was found; name one: --init systemd, openrc or launchd")]
    NoInit,
    /// launchd has no settings for it.
    #[error("actions-as-root: not with {0}; the plist's UserName says who the agent is")]
    NoActions(&'static str),
    /// A token for a machine that has used one.
    #[error(
        "this machine is enrolled already (identity.json in {STATE}): the join token is of no use to it, and nothing was \
         changed. To update the service, leave the token away. To enrol anew, stop the agent, call `pingup-agent reset`, \
         and then this again; a token of `pingup-server join-token create --replace ID` puts it in the place of the agent \
         that it was"
    )]
    Enrolled,
    /// Settings that `run` would refuse.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The hub's authorities cannot be used.
    #[error("hub-ca: {0}")]
    Authorities(#[from] AuthoritiesError),
    /// The state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file system would not.
    #[error("{path}: {error}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// A command of the service manager failed.
    #[error("`{command}` {what}")]
    Step {
        /// Which.
        command: String,
        /// What came of it.
        what: String,
    },
}

impl InstallError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }
}

impl From<&InstallError> for Exit {
    fn from(error: &InstallError) -> Self {
        match error {
            InstallError::NotRoot
            | InstallError::NoInit
            | InstallError::NoActions(_)
            | InstallError::Enrolled
            | InstallError::Authorities(_)
            | InstallError::Settings(_) => Self::Usage,
            InstallError::State(_) | InstallError::Io { .. } | InstallError::Step { .. } => Self::Io,
        }
    }
}

/// Makes this program a service, or says what it would do.
pub async fn install(order: Order) -> Result<(), InstallError> {
    let Order { root, dry_run, .. } = &order;
    may_change(root, *dry_run)?;
    let init = order.init.or_else(|| Init::detect(root)).ok_or(InstallError::NoInit)?;
    let items = items(&order, init)?;
    let teller = Teller { dry_run: *dry_run };
    teller.steps(root, init.before()).await?;
    let mut made = uninstall::read_made(root)?;
    for item in &items {
        let change = if *dry_run { item.change(root)? } else { item.put(root)? };
        teller.tell(item, change)?;
        if change == Change::Made && !dry_run && uninstall::is_removable(&item.path) {
            made.insert(item.path.clone());
            // At once: what comes next may fail.
            uninstall::write_made(root, &made)?;
        }
    }
    if let (Some(false), Some((path, _))) = (order.actions_as_root, init.actions()) {
        teller.remove(root, path)?;
        if made.remove(path) && !dry_run {
            uninstall::write_made(root, &made)?;
        }
    }
    teller.steps(root, init.start()).await?;
    match (dry_run, root.is_machine()) {
        (true, _) => teller.say("nothing was changed"),
        (false, true) => {
            teller.say("installed; `pingup-agent status` says how it does, `doctor` what it lacks")
        }
        (false, false) => teller.say("written; the service manager was not spoken to"),
    }
}

/// Root is needed for the machine itself; whoever only looks changes nothing.
fn may_change(root: &Root, dry_run: bool) -> Result<(), InstallError> {
    let may = dry_run || !root.is_machine() || rustix::process::geteuid().is_root();
    may.then_some(()).ok_or(InstallError::NotRoot)
}

/// Everything that is to be there, folders before what is in them.
fn items(order: &Order, init: Init) -> Result<Vec<Item>, InstallError> {
    let root = &order.root;
    let (program, copied) = program(root)?;
    let text =
        |path: &str, mode, text: String| Item { path: path.into(), mode, content: Content::Text(text) };
    let mut items = vec![Item { path: STATE.into(), mode: 0o700, content: Content::Folder }];
    let mut amendments = order.settings.clone();
    if let Some(from) = &order.authorities {
        let place = authorities::place(root, from)?;
        amendments.push(place.amendment);
        items.extend(place.copy);
    }
    let (settings, mode) = settings(root, &amendments)?;
    items.push(text(CONFIG, mode, settings));
    if let Some(from) = copied {
        items.push(Item { path: PROGRAM.into(), mode: 0o755, content: Content::Program(from) });
    }
    items.push(text(init.service_path(), init.service_mode(), init.service().replace(PROGRAM, &program)));
    match (order.actions_as_root, init.actions()) {
        (Some(true), Some((path, what))) => items.push(text(path, 0o644, what.to_owned())),
        (Some(true), None) => return Err(InstallError::NoActions(init.name())),
        _ => {}
    }
    if let Some(token) = &order.token {
        // It would not be used, and whoever gave it wants something that would not come to pass.
        if root.path(STATE).join("identity.json").exists() {
            return Err(InstallError::Enrolled);
        }
        let path = format!("{STATE}/{}", join_token::FILE);
        items.push(Item { path, mode: 0o600, content: Content::Secret(token.to_text()) });
    }
    Ok(items)
}

/// The settings as they will stand, checked as `run` checks them, and the mode of their file.
fn settings(root: &Root, amendments: &[Amendment]) -> Result<(String, u32), InstallError> {
    let path = root.path(CONFIG);
    let (before, mode) = match std::fs::read_to_string(&path) {
        Ok(text) => {
            let metadata = std::fs::metadata(&path).map_err(InstallError::io(&path))?;
            (Some(text), metadata.mode() & 0o777)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (None, 0o644),
        Err(error) => return Err(InstallError::io(&path)(error)),
    };
    Ok((amended(before.as_deref(), amendments)?, mode))
}

/// Paths that were made.
type Made = BTreeSet<String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_deploy_names_the_paths_that_are_used() {
        for init in Init::ALL {
            let service = init.service();
            assert!(service.contains(PROGRAM) && service.contains(CONFIG), "{}", init.name());
            assert!(
                !service.contains("pjt_") && !service.to_lowercase().contains("token"),
                "{}",
                init.name()
            );
        }
        assert!(
            Init::Systemd.service().contains("StateDirectory=pingup-agent\n")
                && STATE.ends_with("/pingup-agent")
        );
        assert_eq!(Path::new(layout::MADE).parent(), Path::new(CONFIG).parent(), "it is there once that is");
    }
}
