//! The state directory: everything that the agent must not forget, readable by its user only.
//!
//! One agent at a time: the lock is held as long as the program runs, and goes with it, however it ends.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Mode of the directory and those in it.
const DIRECTORY_MODE: u32 = 0o700;
/// Mode of every file in it.
const FILE_MODE: u32 = 0o600;

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another agent holds the lock.
    #[error("another agent is at work in {0}; give this one a state directory of its own")]
    InUse(PathBuf),
    /// The file system would not.
    #[error("cannot use {path}: {error}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// A file of ours that we cannot have written.
    #[error("{path} is damaged ({reason}); `pingup-agent doctor` says what to do")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl StateError {
    /// An I/O error, with the path that it concerns.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }
}

/// The directory, locked.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Makes the directory where it is missing, closes it to others, and takes the lock.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        make_directory(path)?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(FILE_MODE)
            .open(&lock_path)
            .map_err(StateError::io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(StateError::Io { path: lock_path, error }),
        }
    }

    /// The path of `name` in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A directory in it, made where it is missing.
    pub fn subdirectory(&self, name: &str) -> Result<PathBuf, StateError> {
        let path = self.join(name);
        make_directory(&path)?;
        Ok(path)
    }
}

/// Whether an agent holds the lock of `directory`. Taken for a moment where none does, so an agent that starts in this
/// moment may find it held.
pub fn is_held(directory: &Path) -> io::Result<bool> {
    let lock = match File::open(directory.join("lock")) {
        Ok(lock) => lock,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn make_directory(path: &Path) -> Result<(), StateError> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path).map_err(StateError::io(path))?;
    fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE)).map_err(StateError::io(path))
}

/// Opens a file for appending, made where it is missing, for this user only.
pub fn open_for_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(FILE_MODE).open(path)
}

/// Puts `bytes` at `path` so that after a crash either the old or the new content is there, whole.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let temporary = path.with_extension("tmp");
    let write = || {
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(true).mode(FILE_MODE).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), sync_directory)
    };
    write().map_err(StateError::io(path))
}

/// Puts `bytes` at `path` so that who reads sees the old or the new content, whole. A crash may lose both: for what can
/// be told anew, and is written often.
pub fn write_lightly(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let temporary = path.with_extension("tmp");
    let write = || {
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(true).mode(FILE_MODE).open(&temporary)?;
        file.write_all(bytes)?;
        fs::rename(&temporary, path)
    };
    write().map_err(StateError::io(path))
}

/// Makes what was created, renamed or removed in `path` survive a crash.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Reads the JSON file at `path`; `None` when there is none.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StateError::Io { path: path.to_owned(), error }),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| StateError::Damaged { path: path.to_owned(), reason: error.to_string() })
}

/// Writes `value` as JSON with [`write_durably`].
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), StateError> {
    let bytes = serde_json::to_vec(value).map_err(|error| StateError::io(path)(error.into()))?;
    write_durably(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_closed_to_others_and_taken_once() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b");
        let state = StateDir::open(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert!(matches!(StateDir::open(&path), Err(StateError::InUse(_))));
        assert!(is_held(&path).unwrap());

        write_durably(&state.join("x.json"), b"{}").unwrap();
        assert_eq!(mode(&state.join("x.json")), 0o600);
        drop(state);
        assert!(!is_held(&path).unwrap() && !is_held(home.path()).unwrap());
        StateDir::open(&path).unwrap();
    }

    #[test]
    fn damage_is_told_from_absence() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("x.json");
        assert!(matches!(read_json::<u64>(&path), Ok(None)));
        write_durably(&path, b"17").unwrap();
        assert!(matches!(read_json::<u64>(&path), Ok(Some(17))));
        write_durably(&path, b"seventeen").unwrap();
        assert!(matches!(read_json::<u64>(&path), Err(StateError::Damaged { .. })));
    }
}
