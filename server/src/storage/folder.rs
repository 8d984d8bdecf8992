//! The data folder: where everything lies, and the lock that gives it to one hub alone.
//!
//! It is made for its owner only (0700). The lock is the operating system's, on `hub.lock`: it ends with the
//! process, however that ends, so nothing is ever left to clean up. Whoever reads the history beside a hub locks the
//! folder itself: a file for that would be whoever's came first, and root's backup must not shut the hub's user out.

mod masters;
mod tls_keys;

pub use tls_keys::TlsKeys;

use super::{MasterPlace, StorageError};
use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Readable, writable and searchable by the owner, by nobody else.
const FOLDER_MODE: u32 = 0o700;

/// Of the hub's own certificate: who signs it, as a file that clients may trust.
pub const CA_FILE: &str = "ca.pem";
/// The key of that.
pub const CA_KEY: &str = "ca.key";
/// The hub's key, by which pins know it.
pub const HUB_KEY: &str = "hub.key";

/// A folder that exists and is the hub's to use.
#[derive(Clone, Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Where the master key lies, and what opens it.
    master: MasterPlace,
}

/// This process alone runs on the folder, until this is dropped.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl DataFolder {
    /// Takes the folder, making it first where it is missing.
    pub fn open_or_create(path: &Path) -> Result<Self, StorageError> {
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(path)
            .map_err(StorageError::file("create the data folder", path))?;
        Self::open(path)
    }

    /// Takes a folder that must exist.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        // DuckDB and statvfs must not depend on the working directory staying what it is.
        let path = path.canonicalize().map_err(StorageError::file("open the data folder", path))?;
        if !path.is_dir() {
            return Err(StorageError::Folder(format!(
                "{} is no folder; name another data folder",
                path.display()
            )));
        }
        Ok(Self { path, master: MasterPlace::default() })
    }

    /// The same folder, whose master key lies there.
    #[must_use]
    pub fn with_master(self, master: MasterPlace) -> Self {
        Self { master, ..self }
    }

    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The records.
    pub fn sqlite_path(&self) -> PathBuf {
        self.path.join("pingup.db")
    }

    /// The history.
    pub fn duckdb_path(&self) -> PathBuf {
        self.path.join("analytics.duckdb")
    }

    /// Where the hub keeps a certificate of its own.
    pub fn tls_path(&self) -> PathBuf {
        self.path.join("tls")
    }

    /// What of that cannot be made again: pins and trusted files would be true no more.
    pub fn tls_kept(&self) -> [PathBuf; 3] {
        [CA_FILE, CA_KEY, HUB_KEY].map(|name| self.tls_path().join(name))
    }

    /// What a hub notes of how it is reached, for the other commands.
    pub fn reach_path(&self) -> PathBuf {
        self.path.join("reach.json")
    }

    /// Who but the owner can get at the folder, as mode bits; 0 is right.
    pub fn exposed_mode(&self) -> Result<u32, StorageError> {
        let found = self.path.metadata().map_err(StorageError::file("look at", &self.path))?;
        Ok(found.permissions().mode() & 0o077)
    }

    /// What the hub that runs on the folder says of itself; `None` when none runs. Changes nothing.
    pub fn running_hub(&self) -> Result<Option<String>, StorageError> {
        let path = self.lock_path();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StorageError::file("open", path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(holder(&mut file))),
            Err(TryLockError::Error(error)) => Err(StorageError::file("look at the lock", path)(error)),
        }
    }

    /// Keeps the running hub from deleting files of the history until the answer is dropped; waits for it to
    /// finish what it is deleting. For backups and exports beside it.
    pub fn hold(&self) -> Result<Hold, StorageError> {
        let folder = self.to_hold()?;
        folder.lock_shared().map_err(StorageError::file("lock", &self.path))?;
        Ok(Hold { _folder: folder })
    }

    /// The right to delete files of the history, unless somebody holds them.
    pub fn try_hold_alone(&self) -> Result<Option<Hold>, StorageError> {
        let folder = self.to_hold()?;
        match folder.try_lock() {
            Ok(()) => Ok(Some(Hold { _folder: folder })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(StorageError::file("lock", &self.path)(error)),
        }
    }

    fn to_hold(&self) -> Result<File, StorageError> {
        File::open(&self.path).map_err(StorageError::file("open", &self.path))
    }

    fn lock_path(&self) -> PathBuf {
        self.path.join("hub.lock")
    }

    /// Takes the folder for this process alone; refuses at once when another hub has it.
    pub fn lock(&self) -> Result<FolderLock, StorageError> {
        let path = self.lock_path();
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StorageError::file("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held_by_another(&mut file, &self.path)),
            Err(TryLockError::Error(error)) => return Err(StorageError::file("lock", &path)(error)),
        }
        write_own_pid(&mut file).map_err(StorageError::file("write", &path))?;
        Ok(FolderLock { _file: file })
    }
}

/// What lies in a folder.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let entries = fs::read_dir(folder).map_err(StorageError::file("list", folder))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
    paths.map_err(StorageError::file("list", folder))
}

/// Files of the history stay, or may go, until this is dropped.
#[derive(Debug)]
pub struct Hold {
    _folder: File,
}

fn write_own_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

fn held_by_another(file: &mut File, folder: &Path) -> StorageError {
    StorageError::Folder(format!(
        "another hub ({}) uses {}; stop it first, or name another data folder",
        holder(file),
        folder.display()
    ))
}

fn holder(file: &mut File) -> String {
    /// More than a process number needs.
    const PID_BYTES_MAX: u64 = 20;
    let mut pid = String::new();
    match file.take(PID_BYTES_MAX).read_to_string(&mut pid) {
        Ok(1..) => format!("pid {}", pid.trim()),
        Ok(0) | Err(_) => "pid unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests;
