//! Names that last. What a file holds is on disk once the file is synced; that it is there, under its name, only once
//! its folder is: until then a crash may take a name back that was made or given, or bring one back that was taken.
//!
//! Whoever relies on a name comes after one of these has answered, and tests see that by the order of the calls that
//! [`Faults`] are told.

use super::{Faults, StorageError};
use std::{
    fs::{self, File},
    path::Path,
};

/// Makes names in `folder` last that came or went; it is the `call` of that name.
pub fn sync_folder(folder: &Path, faults: &Faults, call: &'static str) -> Result<(), StorageError> {
    faults.at_path(call, folder)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StorageError::file("sync", folder))
}

/// Gives a file that is synced the name `to`, which lasts; the `calls` are to rename, and to sync the folder. Where it
/// fails, either name may be the one that lasts.
pub fn rename(from: &Path, to: &Path, faults: &Faults, calls: [&'static str; 2]) -> Result<(), StorageError> {
    let [renamed, synced] = calls;
    faults.at_path(renamed, to)?;
    fs::rename(from, to).map_err(StorageError::file("rename", from))?;
    to.parent().map_or(Ok(()), |folder| sync_folder(folder, faults, synced))
}
