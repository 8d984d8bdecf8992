//! Backups: all that a hub needs to go on, copied beside a running one.
//!
//! Promises: everything that was answered before the backup began is in it, once. A folder of the name that was
//! asked for is a whole backup: until everything is in it and synced, it has the suffix [`PARTIAL`]. One that
//! was cut off is continued: files of the history that are there already are kept.
//!
//! How: the running hub deletes nothing while it is held. So the copy of the records says which parts and which
//! segments of the journal belong together, and all of them are still there. A segment that is written to
//! meanwhile is copied as far as it goes when it is listed; a record that is torn there was not answered yet.
//!
//! Refuses: a name that is taken, one inside the data folder, a folder without records, records that are not
//! migrated, a history of the former version that was not taken over, a part that is not as it is listed: of another
//! size or checksum, so that a damaged one is told while an older backup still has it whole.

mod files;
mod manifest;
mod records;
mod wanted;

pub use manifest::{Entry, MANIFEST, Manifest};
pub use records::open_beside;

pub(super) use files::{check, copy, create_folder, sync_folder};

use files::Content;
use wanted::{Wanted, bring, wanted};

use super::checksum::CHANGED;
use crate::storage::{DataFolder, MigrationError, StorageError, list};
use pingup_protocol::time::Timestamp;
use std::{
    collections::HashSet,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// What the name of a folder ends with until it is whole.
pub const PARTIAL: &str = ".partial";

/// Is told the bytes that are done and all there are.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Why there is no backup, or why it cannot be restored; the text is one line for people.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It was not asked for in a way that works.
    #[error("{0}")]
    Refused(String),
    /// A file is not what it should be.
    #[error("{} is damaged: {what}", file.display())]
    Damaged {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<MigrationError> for BackupError {
    fn from(error: MigrationError) -> Self {
        Self::Storage(error.into())
    }
}

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Files in it, the manifest not counted.
    pub files: usize,
    /// Their size together.
    pub bytes: u64,
    /// Of those, what is shared with the data folder (hard links).
    pub linked_bytes: u64,
}

/// Makes the backup `target` of the data folder.
pub fn back_up(
    folder: &DataFolder,
    target: &Path,
    now: Timestamp,
    progress: Progress<'_>,
) -> Result<Made, BackupError> {
    let target = look_at_target(folder, target)?;
    look_at_source(folder)?;
    let partial = with_suffix(&target, PARTIAL);
    create_folder(&partial)?;
    let _alone = lock(&partial)?;
    let _held = folder.hold()?;

    remove_changing(&partial)?;
    let records = partial.join(name(&folder.sqlite_path()));
    records::copy(&folder.sqlite_path(), &records)?;
    let wanted = wanted(folder, &records)?;
    remove_unwanted(&partial, &wanted)?;
    let mut made = Made { files: wanted.len() + 1, bytes: 0, linked_bytes: 0 };
    let all = wanted.iter().map(|file| file.bytes).sum();
    let mut manifest = Manifest::new(now);
    manifest.files.push(files::content(&partial, Path::new(name(&records)))?.entry);
    for file in wanted {
        let (Content { entry, crc32 }, is_linked) = bring(folder.path(), &partial, &file)?;
        if file.crc32.is_some_and(|expected| expected != crc32) {
            let damaged = folder.path().join(&file.path);
            return Err(BackupError::Damaged { file: damaged, what: CHANGED.to_owned() });
        }
        made.bytes += entry.bytes;
        made.linked_bytes += if is_linked { entry.bytes } else { 0 };
        manifest.files.push(entry);
        progress(made.bytes, all);
    }
    made.bytes += manifest.files[0].bytes;
    sync_folders(&partial, &manifest)?;
    manifest.write(&partial)?;
    finish(&partial, &target)?;
    Ok(made)
}

/// Gives a folder that is whole its name.
pub(super) fn finish(partial: &Path, target: &Path) -> Result<(), StorageError> {
    sync_folder(partial)?;
    fs::rename(partial, target).map_err(StorageError::file("rename", partial))?;
    sync_folder(parent(target))
}

/// `path` with something behind its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The folder that `path` lies in.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// This process alone writes there, until the answer is dropped.
pub(super) fn lock(folder: &Path) -> Result<File, BackupError> {
    let file = File::open(folder).map_err(StorageError::file("open", folder))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(BackupError::Refused(format!("another program is writing {}", folder.display())))
        }
        Err(TryLockError::Error(error)) => Err(StorageError::file("lock", folder)(error).into()),
    }
}

/// Where the backup will lie, behind links.
fn look_at_target(folder: &DataFolder, target: &Path) -> Result<PathBuf, BackupError> {
    let refused = |what: &str| Err(BackupError::Refused(format!("{} {what}", target.display())));
    let Some(name) = target.file_name() else { return refused("is no name for a backup") };
    if target.symlink_metadata().is_ok() {
        return refused("exists; a backup makes a folder of its own");
    }
    let parent = parent(target);
    let parent = parent.canonicalize().map_err(StorageError::file("find", parent))?;
    if parent.starts_with(folder.path()) {
        return refused("lies inside the data folder; name a place outside, best on another disk");
    }
    Ok(parent.join(name))
}

fn look_at_source(folder: &DataFolder) -> Result<(), BackupError> {
    let place = folder.path().display();
    if !folder.sqlite_path().exists() {
        return Err(BackupError::Refused(format!("there are no records in {place}: nothing to back up")));
    }
    if folder.duckdb_path().exists() {
        return Err(BackupError::Refused(format!(
            "{place} holds a history of the former version; run `pingup-server migrate` or start the hub first"
        )));
    }
    folder.master_form()?;
    Ok(())
}

/// Takes out of a backup that was cut off what is not the same next time.
fn remove_changing(partial: &Path) -> Result<(), StorageError> {
    for entry in list(partial)? {
        if entry.is_dir() && entry.file_name().is_none_or(|name| name != "history") {
            fs::remove_dir_all(&entry).map_err(StorageError::file("delete", &entry))?;
        } else if !entry.is_dir() {
            fs::remove_file(&entry).map_err(StorageError::file("delete", &entry))?;
        }
    }
    Ok(())
}

/// Takes out parts that there are no more, and halves of copies.
fn remove_unwanted(partial: &Path, wanted: &[Wanted]) -> Result<(), StorageError> {
    let wanted: HashSet<_> = wanted.iter().map(|file| partial.join(&file.path)).collect();
    let history = partial.join("history");
    if !history.exists() {
        return Ok(());
    }
    for tier in list(&history)?.into_iter().filter(|path| path.is_dir()) {
        for file in list(&tier)?.into_iter().filter(|path| !wanted.contains(path)) {
            fs::remove_file(&file).map_err(StorageError::file("delete", &file))?;
        }
    }
    Ok(())
}

/// Syncs every folder that files lie in.
pub(super) fn sync_folders(below: &Path, manifest: &Manifest) -> Result<(), StorageError> {
    let mut folders = HashSet::new();
    for entry in &manifest.files {
        let above = Path::new(&entry.path).ancestors().skip(1);
        folders.extend(above.map(|folder| below.join(folder)));
    }
    folders.iter().try_for_each(|folder| sync_folder(folder))
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// An error of reading a file, with its name.
pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> StorageError {
    StorageError::file("read", path)
}

#[cfg(test)]
mod tests;
