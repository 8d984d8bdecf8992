//! Ceasing to be a service: what install made goes, what it found stays, and so does the state unless it is to go.

use super::{
    InstallError, Made, Root, Teller,
    init::Init,
    layout::{AUTHORITIES, CONFIG, LOG, MADE, PRIVATE_STATE, PROGRAM, STATE},
    may_change,
};
use crate::state::{StateError, is_held};
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Bytes of the list that are read: a few paths.
const MADE_BYTES_MAX: u64 = 16 * 1024;

/// Whether `path` is one that install makes, and uninstall may remove: whatever else the list names is not touched.
pub(super) fn is_removable(path: &str) -> bool {
    let of = |init: &Init| {
        path == init.service_path() || init.actions().is_some_and(|(actions, _)| path == actions)
    };
    [PROGRAM, CONFIG, AUTHORITIES].contains(&path) || Init::ALL.iter().any(of)
}

/// What install made.
pub(super) fn read_made(root: &Root) -> Result<Made, InstallError> {
    let path = root.path(MADE);
    let file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Made::new()),
        Err(error) => return Err(InstallError::io(&path)(error)),
    };
    let mut text = String::new();
    let read = io::Read::read_to_string(&mut io::Read::take(file, MADE_BYTES_MAX), &mut text);
    read.map_err(InstallError::io(&path))?;
    Ok(text.lines().filter(|line| is_removable(line)).map(str::to_owned).collect())
}

/// Keeps what install made.
pub(super) fn write_made(root: &Root, made: &Made) -> Result<(), InstallError> {
    let path = root.path(MADE);
    let text: String = made.iter().map(|path| format!("{path}\n")).collect();
    let mut file = fs::File::create(&path).map_err(InstallError::io(&path))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(InstallError::io(&path))
}

/// The service manager that the agent was installed for, if it was.
pub fn installed_init(root: &Root) -> Option<Init> {
    Init::ALL.into_iter().find(|init| root.path(init.service_path()).exists())
}

/// Removes what install made below `root`, or says what it would do; with `purge` the state as well.
pub async fn uninstall(root: Root, dry_run: bool, purge: bool) -> Result<(), InstallError> {
    may_change(&root, dry_run)?;
    let made = read_made(&root)?;
    let teller = Teller { dry_run };
    let init = Init::ALL.into_iter().find(|init| made.contains(init.service_path()));
    if let Some(init) = init {
        teller.steps(&root, init.stop()).await?;
    }
    // Only the link's own name: below another folder it may lead out of it.
    let state = root.path(STATE);
    if purge && is_held(&state).map_err(InstallError::io(&state))? {
        return Err(StateError::InUse(state).into());
    }
    for path in &made {
        teller.remove(&root, path)?;
    }
    teller.remove(&root, MADE)?;
    if !dry_run {
        remove_empty(&root)?;
    }
    if let Some(init) = init {
        teller.steps(&root, init.forget()).await?;
    }
    match (purge, made.is_empty()) {
        (true, _) => purge_state(&root, &teller),
        (false, true) => teller.say("nothing is here that install made"),
        (false, false) => teller.say(&format!("{STATE} stays; --purge removes it as well")),
    }
}

/// Folders that were made for a file, once nothing is in them.
fn remove_empty(root: &Root) -> Result<(), InstallError> {
    for file in [Init::Systemd.actions().map_or(CONFIG, |(path, _)| path), CONFIG] {
        let folder = root.path(file).parent().map(Path::to_owned).unwrap_or_default();
        match fs::remove_dir(&folder) {
            Ok(()) => {}
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {}
            Err(error) => return Err(InstallError::io(&folder)(error)),
        }
    }
    Ok(())
}

fn purge_state(root: &Root, teller: &Teller) -> Result<(), InstallError> {
    for path in [STATE, PRIVATE_STATE, LOG] {
        let target = root.path(path);
        let Ok(metadata) = fs::symlink_metadata(&target) else { continue };
        if teller.dry_run {
            teller.say(&format!("{:<13}{path}", "would remove"))?;
            continue;
        }
        // A link is removed, never followed.
        let removed = match metadata.is_dir() {
            true => fs::remove_dir_all(&target),
            false => fs::remove_file(&target),
        };
        removed.map_err(InstallError::io(&target))?;
        teller.say(&format!("{:<13}{path}", "removed"))?;
    }
    teller.say("the hub still knows this agent, where it was enrolled: remove it there as well")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_was_tampered_with_names_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let root = Root::at(home.path());
        fs::create_dir_all(root.path("/etc/pingup-agent")).unwrap();
        fs::write(root.path(MADE), format!("/etc/passwd\n../../x\n{CONFIG}\n\n")).unwrap();
        assert_eq!(read_made(&root).unwrap(), Made::from([CONFIG.to_owned()]));
    }

    #[test]
    fn what_install_makes_can_be_removed() {
        for path in [PROGRAM, CONFIG, AUTHORITIES, Init::Systemd.service_path(), Init::OpenRc.service_path()]
        {
            assert!(is_removable(path), "{path}");
        }
        assert!(!is_removable("/etc") && !is_removable(STATE));
    }
}
