//! Restoring: a backup becomes the data folder of a hub.
//!
//! What was answered after the backup is not in it, and the hub gives numbers from where it was then. Whoever
//! restores amends the records, so that no number is given to two things.
//!
//! Promises: every file is checked against the manifest, and every part against the records that list it, before
//! anything is written, and the new folder has its
//! name only when all of it is there and synced. The backup stays as it is.
//!
//! Refuses: a folder that holds anything, above all that of a running hub; a backup of which a byte is wrong.

use super::{
    Places,
    backup::{
        BackupError, Manifest, Progress, check, copy, create_folder, finish, lock, parent, sync_folders,
        with_suffix,
    },
    catalogue,
    checksum::CHANGED,
};
use crate::storage::{DataFolder, StorageError, inspect};
use rusqlite::Connection;
use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What the name of a folder ends with until it is whole.
const RESTORING: &str = ".restoring";

/// Makes the data folder `target` from the backup, and says what is in it. `amend` is for the restored records.
pub fn restore(
    backup: &Path,
    target: &Path,
    amend: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    progress: Progress<'_>,
) -> Result<Manifest, BackupError> {
    let target = look_at_target(target)?;
    let manifest = Manifest::read(backup)?;
    // Each byte is read twice: to check it, and to copy it.
    let (mut done, all) = (0, manifest.bytes() * 2);
    let mut found = HashMap::new();
    for entry in &manifest.files {
        found.insert(PathBuf::from(&entry.path), check(backup, entry)?);
        done += entry.bytes;
        progress(done, all);
    }
    check_parts(backup, &found)?;
    let partial = with_suffix(&target, RESTORING);
    create_folder(&partial)?;
    let _alone = lock(&partial)?;
    for entry in &manifest.files {
        let path = Path::new(&entry.path);
        create_folder(parent(&partial.join(path)))?;
        let source = backup.join(path);
        if copy(&source, &partial, path, entry.bytes)?.entry != *entry {
            return Err(BackupError::Damaged {
                file: source,
                what: "it changes while it is read".to_owned(),
            });
        }
        done += entry.bytes;
        progress(done, all);
    }
    remove_others(&partial, &manifest)?;
    amend_records(&DataFolder::open(&partial)?.sqlite_path(), amend)?;
    sync_folders(&partial, &manifest)?;
    finish(&partial, &target)?;
    Ok(manifest)
}

/// Refuses parts that are not as the backup's own records list them: one that was damaged when the backup was made, by
/// a program that did not look. `found` are the checksums of all files.
fn check_parts(backup: &Path, found: &HashMap<PathBuf, u32>) -> Result<(), BackupError> {
    let records = inspect::open_records(&DataFolder::open(backup)?.sqlite_path())?;
    if inspect::records_state(&records)?.missing > 0 {
        // Of a former version, which knew no checksums.
        return Ok(());
    }
    let known = catalogue::load(&records).map_err(StorageError::from)?;
    let below = Places::below(Path::new("")).parts;
    for part in &known.parts {
        let path = below.join(part.file());
        let what = match (part.crc32, found.get(&path)) {
            (_, None) => "it is listed in the backup's records and is not there",
            (Some(expected), Some(found)) if expected != *found => CHANGED,
            _ => continue,
        };
        return Err(BackupError::Damaged { file: backup.join(path), what: what.to_owned() });
    }
    Ok(())
}

fn amend_records(
    path: &Path,
    amend: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<(), StorageError> {
    let connection = Connection::open(path)?;
    amend(&connection)?;
    connection.close().map_err(|(_, error)| error)?;
    File::open(path).and_then(|file| file.sync_all()).map_err(StorageError::file("sync", path))
}

/// Where the data folder will lie. An empty one may be there.
fn look_at_target(target: &Path) -> Result<PathBuf, BackupError> {
    let refused = |what: &str| Err(BackupError::Refused(format!("{} {what}", target.display())));
    let Some(name) = target.file_name() else { return refused("is no name for a data folder") };
    let above = parent(target);
    create_folder(above)?;
    let above = above.canonicalize().map_err(StorageError::file("find", above))?;
    let Ok(found) = target.symlink_metadata() else { return Ok(above.join(name)) };
    if !found.is_dir() {
        return refused("is there and no folder; name another data folder");
    }
    let mut entries = fs::read_dir(target).map_err(StorageError::file("list", target))?;
    if entries.next().is_some() {
        return refused("is not empty; move it away or name another data folder");
    }
    let device = above.metadata().map_err(StorageError::file("look at", &above))?.dev();
    if found.dev() != device {
        return refused("is where a disk begins; name a folder below it");
    }
    Ok(above.join(name))
}

/// Takes out what an earlier try left behind.
fn remove_others(partial: &Path, manifest: &Manifest) -> Result<(), StorageError> {
    let listed: HashSet<_> = manifest.files.iter().map(|entry| partial.join(&entry.path)).collect();
    let mut folders = vec![partial.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(StorageError::file("list", &folder))? {
            let path = entry.map_err(StorageError::file("list", &folder))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if !listed.contains(&path) {
                fs::remove_file(&path).map_err(StorageError::file("delete", &path))?;
            }
        }
    }
    Ok(())
}
