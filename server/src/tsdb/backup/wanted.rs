//! Which files a backup is to have, and how each comes into it: shared where it never changes, else copied.

use super::{
    BackupError,
    files::{self, Content, copy, create_folder},
    parent,
};
use crate::{
    storage::{DataFolder, Journal, StorageError, inspect},
    tsdb::{Places, catalogue},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file that the backup is to have.
pub(super) struct Wanted {
    /// Below the data folder, and below the backup.
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// It never changes: it may be shared, and be kept from a backup that was cut off.
    pub(super) is_immutable: bool,
    /// What the catalogue knows of what is in it.
    pub(super) crc32: Option<u32>,
}

/// What belongs to the records that were copied to `records`: their parts, what of the journal is not in them, the master
/// key where it lies in the folder (as it lies there, sealed or not), and the keys of the hub's own certificate.
pub(super) fn wanted(folder: &DataFolder, records: &Path) -> Result<Vec<Wanted>, BackupError> {
    let connection = inspect::open_records(records)?;
    if inspect::records_state(&connection)?.missing > 0 {
        return Err(BackupError::Refused(
            "the records are not migrated; run `pingup-server migrate` or start the hub first".to_owned(),
        ));
    }
    let known = catalogue::load(&connection).map_err(StorageError::from)?;
    let places = Places::below(folder.path());
    let below = |path: &Path| path.strip_prefix(folder.path()).unwrap_or(path).to_owned();
    let mut wanted = Vec::new();
    for part in &known.parts {
        let path = places.parts.join(part.file());
        let found = bytes(&path)?;
        if found != part.bytes {
            let what = format!("it has {found} bytes, {} are expected", part.bytes);
            return Err(BackupError::Damaged { file: path, what });
        }
        wanted.push(Wanted { path: below(&path), bytes: found, is_immutable: true, crc32: part.crc32 });
    }
    // Listed once: all but the newest are finished, so none is longer than the next one takes up from.
    let segments = if places.journal.exists() { Journal::segments(&places.journal)? } else { Vec::new() };
    for segment in segments.into_iter().filter(|segment| *segment > known.sealed) {
        let path = Journal::path(&places.journal, segment);
        wanted.push(Wanted { path: below(&path), bytes: bytes(&path)?, is_immutable: false, crc32: None });
    }
    // Whoever pinned the hub's key, or trusts its authority, is to find the same hub after a restore.
    let tls = folder.tls_kept().into_iter().filter(|path| path.exists());
    for path in folder.masters_inside().into_iter().chain(tls) {
        wanted.push(Wanted { path: below(&path), bytes: bytes(&path)?, is_immutable: false, crc32: None });
    }
    Ok(wanted)
}

/// Brings a file into the backup, unless it is there; what is in it, and whether it is the data folder's file itself.
pub(super) fn bring(from: &Path, to: &Path, file: &Wanted) -> Result<(Content, bool), StorageError> {
    let (source, copied) = (from.join(&file.path), to.join(&file.path));
    create_folder(parent(&copied))?;
    if file.is_immutable {
        let is_file = copied.symlink_metadata().is_ok_and(|found| found.is_file());
        if is_file && !files::is_same(&source, &copied)? && files::sum(&source)? != files::sum(&copied)? {
            // Of another life of the hub, or damaged: numbers of parts begin anew where a folder does.
            fs::remove_file(&copied).map_err(StorageError::file("delete", &copied))?;
        }
        if copied.exists() || fs::hard_link(&source, &copied).is_ok() {
            let is_linked = files::is_same(&source, &copied)?;
            return Ok((files::content(to, &file.path)?, is_linked));
        }
    }
    Ok((copy(&source, to, &file.path, file.bytes)?, false))
}

fn bytes(path: &Path) -> Result<u64, StorageError> {
    Ok(path.metadata().map_err(StorageError::file("find", path))?.len())
}
