//! The manifest: what a backup holds, written last.

use super::{BackupError, files};
use crate::storage::StorageError;
use pingup_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{Read, Write},
    path::{Component, Path},
};

/// Its file in the backup.
pub const MANIFEST: &str = "manifest.json";
/// The form that this program writes and reads.
const VERSION: u32 = 1;
/// What is read of one at most: that of some hundred thousand files.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The manifest's own form.
    pub version: u32,
    /// The program that made the backup.
    pub program: String,
    /// When it began.
    pub made: Timestamp,
    /// Every file but the manifest.
    pub files: Vec<Entry>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place below the backup, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of what is in it, in hexadecimal.
    pub sha256: String,
}

impl Manifest {
    pub(super) fn new(made: Timestamp) -> Self {
        Self { version: VERSION, program: env!("CARGO_PKG_VERSION").to_owned(), made, files: Vec::new() }
    }

    /// Writes it into the backup and syncs it.
    pub(super) fn write(&self, backup: &Path) -> Result<(), StorageError> {
        let path = backup.join(MANIFEST);
        let failed = StorageError::file("write", &path);
        let write = || {
            let mut file = files::create(&path)?;
            file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        };
        write().map_err(failed)
    }

    /// Reads that of the backup; refuses what this program did not write.
    pub fn read(backup: &Path) -> Result<Self, BackupError> {
        let path = backup.join(MANIFEST);
        let damaged = |what: String| BackupError::Damaged { file: path.clone(), what };
        if !path.exists() {
            return Err(BackupError::Refused(format!(
                "{} is no backup: there is no {MANIFEST} in it",
                backup.display()
            )));
        }
        let mut text = String::new();
        let file = File::open(&path).map_err(StorageError::file("open", &path))?;
        file.take(MANIFEST_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(|error| damaged(error.to_string()))?;
        let manifest: Self = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if manifest.version != VERSION {
            return Err(BackupError::Refused(format!(
                "{} is of version {}; this program reads {VERSION}",
                path.display(),
                manifest.version
            )));
        }
        match manifest.files.iter().find(|entry| !stays_below(&entry.path)) {
            Some(entry) => Err(damaged(format!("it names {:?}", entry.path))),
            None => Ok(manifest),
        }
    }

    /// The size of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|entry| entry.bytes).sum()
    }
}

/// Whether a path names something below where it begins, and nothing else.
fn stays_below(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_back_and_never_leaves_its_folder() {
        let place = tempfile::tempdir().unwrap();
        assert!(matches!(Manifest::read(place.path()), Err(BackupError::Refused(_))));
        let mut manifest = Manifest::new(Timestamp::from_micros(7));
        let entry = |path: &str| Entry { path: path.to_owned(), bytes: 3, sha256: "00".to_owned() };
        manifest.files = vec![entry("history/raw/a.parquet"), entry("master.key")];
        manifest.write(place.path()).unwrap();
        assert_eq!(Manifest::read(place.path()).unwrap(), manifest);
        assert_eq!(manifest.bytes(), 6);
        for outside in ["", "/etc/passwd", "../x", "a/../../x", "./a"] {
            let outside = Manifest { files: vec![entry(outside)], ..manifest.clone() };
            outside.write(place.path()).unwrap();
            assert!(matches!(Manifest::read(place.path()), Err(BackupError::Damaged { .. })), "{outside:?}");
        }
        Manifest { version: 2, ..manifest }.write(place.path()).unwrap();
        assert!(matches!(Manifest::read(place.path()), Err(BackupError::Refused(_))));
    }
}
