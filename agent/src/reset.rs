//! `pingup-agent reset`: a machine whose state is a copy becomes one that can enrol as an agent of its own.
//!
//! What the agent knew is moved aside, nothing is deleted. A cloned disk has the original's machine id as well, under which
//! the hub enrols nobody else: so a salt is left behind, which is mixed into what is told of that id from then on.
//!
//! The mark of a copy goes last: a reset that was cut short leaves a state that says nothing to the hub, and is
//! finished by another one.

use crate::{
    clock::machine_time,
    copied,
    exit::Exit,
    state::{StateDir, StateError, read_json, sync_directory, write_json},
    transport::{Failure, nonce},
};
use std::{
    fs::{self, DirBuilder},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, lchown},
    path::{Path, PathBuf},
};

/// The salt's name in the state folder.
const SALT: &str = "machine-salt.json";
/// What is moved aside, in this order.
const PARTS: [&str; 9] = [
    crate::keys::FILE,
    crate::keys::FORMER_FILE,
    "spool",
    "journal.json",
    "results",
    "config.json",
    crate::discover::FILE,
    crate::status::FILE,
    copied::FILE,
];

/// Why a state was not reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// An agent works with it.
    #[error("an agent is at work in {0}; stop it first (`systemctl stop pingup-agent`), and call this again")]
    AtWork(PathBuf),
    /// The folder cannot be used.
    #[error("{0}; call this as root, or as the user that the agent runs as")]
    State(StateError),
    /// No salt can be made.
    #[error("{0}")]
    Salt(#[from] Failure),
    /// It was done, and nobody could be told.
    #[error("cannot write to stdout: {0}")]
    Print(io::Error),
}

impl From<StateError> for ResetError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::InUse(path) => Self::AtWork(path),
            error => Self::State(error),
        }
    }
}

impl From<&ResetError> for Exit {
    fn from(_: &ResetError) -> Self {
        Self::Io
    }
}

/// What is mixed into the machine's id, if this state was ever reset.
pub fn salt(state: &StateDir) -> Result<Option<String>, StateError> {
    read_json(&state.join(SALT))
}

/// Resets the state in `folder`, and says what was done.
pub fn reset(folder: &Path) -> Result<Exit, ResetError> {
    let state = StateDir::open(folder)?;
    let (aside, moved) = set_aside(folder, &state)?;
    let first = match moved.as_slice() {
        [] => format!("nothing of an agent was in {}", folder.display()),
        moved => {
            format!("moved to {}: {}. Delete it once nobody needs it", aside.display(), moved.join(", "))
        }
    };
    let text = format!(
        "{first}.\nThis machine is no agent now. When it starts with a join token it enrols as an agent of its own, beside the \
         one that it was a copy of:\n  pingup-server join-token create                on the hub; not with --replace, which \
         removes the original\n  pingup-agent install --join-token FILE         here; or PINGUP_JOIN_TOKEN for run\n"
    );
    io::stdout().write_all(text.as_bytes()).map_err(ResetError::Print)?;
    Ok(Exit::Done)
}

/// Moves everything into a new folder, and leaves a new salt; the folder and what is in it.
fn set_aside(folder: &Path, state: &StateDir) -> Result<(PathBuf, Vec<&'static str>), ResetError> {
    let now = machine_time().to_string().replace(':', "-");
    let aside = state.join(&format!("before-reset-{now}"));
    let salt = nonce()?;
    DirBuilder::new().mode(0o700).create(&aside).map_err(StateError::io(&aside))?;
    // Made where nobody else can have put a link in its way: whoever calls this may be root in another's folder.
    let new_salt = aside.join("new-salt.json");
    write_json(&new_salt, &salt)?;
    shift(&state.join(SALT), &aside.join(SALT))?;
    shift(&new_salt, &state.join(SALT))?;
    let synced =
        || sync_directory(&aside).and_then(|()| sync_directory(folder)).map_err(StateError::io(folder));
    synced()?;
    let mut moved = Vec::new();
    for part in PARTS {
        if part == copied::FILE {
            synced()?;
        }
        if shift(&state.join(part), &aside.join(part))? {
            moved.push(part);
        }
    }
    synced()?;
    own_as_folder(folder, &[&aside, &state.join(SALT), &state.join("lock")])
        .map_err(StateError::io(folder))?;
    Ok((aside, moved))
}

/// Moves what is at `from`; whether anything was.
fn shift(from: &Path, to: &Path) -> Result<bool, StateError> {
    match fs::rename(from, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StateError::io(from)(error)),
    }
}

/// What root made in the agent's folder is the agent's.
fn own_as_folder(folder: &Path, made: &[&Path]) -> io::Result<()> {
    let owner = fs::metadata(folder)?;
    for path in made {
        if fs::symlink_metadata(path)?.uid() != owner.uid() {
            lchown(path, Some(owner.uid()), Some(owner.gid()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_a_token_that_waits_is_moved_and_each_reset_leaves_another_salt() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path();
        let fill = || {
            for part in PARTS {
                fs::write(folder.join(part), part).unwrap();
            }
        };
        fill();
        fs::write(folder.join(crate::join_token::FILE), "x").unwrap();
        let state = StateDir::open(folder).unwrap();
        assert_eq!(salt(&state).unwrap(), None);
        let (first, moved) = set_aside(folder, &state).unwrap();
        assert_eq!(moved, PARTS);
        assert!(PARTS.iter().all(|part| fs::read_to_string(first.join(part)).unwrap() == *part));
        assert!(folder.join(crate::join_token::FILE).exists());
        let left = salt(&state).unwrap().unwrap();

        fill();
        let (second, moved) = set_aside(folder, &state).unwrap();
        assert_eq!(moved, PARTS);
        assert_ne!(salt(&state).unwrap().unwrap(), left);
        assert!(
            second != first && second.join(SALT).exists() && first.join("spool").exists(),
            "nothing is deleted"
        );
    }

    /// As after a power cut in the middle.
    #[test]
    fn a_reset_that_was_cut_short_leaves_a_copy_and_is_finished_by_another() {
        let home = tempfile::tempdir().unwrap();
        let state = StateDir::open(home.path()).unwrap();
        copied::mark(home.path(), "x", machine_time()).unwrap();
        fs::create_dir(home.path().join("spool")).unwrap();
        let (_, moved) = set_aside(home.path(), &state).unwrap();
        assert_eq!(moved, ["spool", copied::FILE]);
        assert_eq!(copied::found(home.path()).unwrap(), None);
    }

    #[test]
    fn an_agent_at_work_is_not_reset() {
        let home = tempfile::tempdir().unwrap();
        let _state = StateDir::open(home.path()).unwrap();
        let refused = reset(home.path()).unwrap_err().to_string();
        assert!(refused.contains("stop it first"), "{refused}");
    }
}
