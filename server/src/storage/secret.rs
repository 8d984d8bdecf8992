//! Files that hold a secret: they appear whole or not at all, synced, for their owner alone, and what was in them is
//! overwritten before it goes.
//!
//! Refuses to read one that anybody but its owner could have read, or that is longer than it may be.

use super::StorageError;
use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Readable and writable by the owner, by nobody else.
pub(super) const MODE: u32 = 0o600;

/// Reads `what`, which nobody but its owner may be able to read. One byte more than `bytes_max` tells a longer file.
pub(super) fn read(what: &str, path: &Path, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    let file = File::open(path).map_err(|error| StorageError::file("open", path)(error))?;
    let mode = file.metadata().map_err(StorageError::file("look at", path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StorageError::Folder(format!(
            "{what} {0} can be used by others (mode {mode:04o}); run `chmod 600 {0}`, and think about who may have read \
             it",
            path.display()
        )));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(StorageError::file("read", path))?;
    Ok(bytes)
}

/// Makes the file, unless somebody is faster: then theirs stays.
pub(super) fn create(what: &'static str, path: &Path, content: &[u8]) -> Result<(), StorageError> {
    let draft = draft_of(path);
    let placed = write_synced(&draft, content).and_then(|()| place(&draft, path));
    // The draft is a second name of the secret, or the rest of a failure; either way it goes.
    let removed = fs::remove_file(&draft);
    placed.map_err(StorageError::file(what, path))?;
    removed.map_err(StorageError::file("remove", draft))
}

/// Puts other content in the place of a file, whole or not at all, and overwrites what was there.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), StorageError> {
    let mut before = File::options().write(true).open(path).map_err(StorageError::file("open", path))?;
    let draft = draft_of(path);
    let written = write_synced(&draft, content).and_then(|()| fs::rename(&draft, path));
    written.map_err(StorageError::file("replace", path))?;
    sync_parent(path)?;
    wipe(&mut before).map_err(StorageError::file("overwrite what was", path))
}

pub(super) fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).mode(MODE).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Gives the draft its name, unless somebody was faster: a link, unlike a rename, never replaces.
pub(super) fn place(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(parent(path))?.sync_all()
}

/// Overwrites a file and takes its name away, if it is there.
pub(super) fn destroy(path: &Path) -> Result<(), StorageError> {
    let mut file = match File::options().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StorageError::file("open", path)(error)),
    };
    wipe(&mut file).map_err(StorageError::file("overwrite", path))?;
    fs::remove_file(path).map_err(StorageError::file("remove", path))?;
    sync_parent(path)
}

/// Overwrites all of a file.
fn wipe(file: &mut File) -> io::Result<()> {
    let bytes = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    file.rewind()?;
    file.write_all(&vec![0; bytes])?;
    file.sync_all()
}

/// Takes away drafts of these files, which whoever was killed while it wrote them left: one may be the secret itself, in
/// the clear. Not while there is no secret: then one may just be about to be made of its draft. The first of `paths` is
/// the one that must be there.
pub(super) fn remove_drafts(paths: &[&Path]) -> Result<(), StorageError> {
    let Some(path) = paths.first() else { return Ok(()) };
    let Some(in_force) = inode(path) else { return Ok(()) };
    let folder = parent(path);
    let names: Vec<_> = paths.iter().map(|path| with_suffix(path, DRAFT)).collect();
    // A secret outside the data folder may lie where nothing is listed; it opens all the same.
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let draft = entry.map_err(StorageError::file("look into", folder))?.path();
        if !names.iter().any(|name| is_draft(&draft, name)) {
            continue;
        }
        match inode(&draft) == Some(in_force) {
            // A second name of the secret: its bytes must stay.
            true => fs::remove_file(&draft).map_err(StorageError::file("remove", &draft))?,
            false => destroy(&draft)?,
        }
    }
    Ok(())
}

/// What stands between a file's name and the number of the process that writes its draft.
const DRAFT: &str = ".new.";

fn draft_of(path: &Path) -> PathBuf {
    with_suffix(path, &format!("{DRAFT}{}", std::process::id()))
}

/// Whether this is `name` with the number of a process behind it.
fn is_draft(path: &Path, name: &Path) -> bool {
    let (Some(found), Some(name)) = (path.file_name(), name.file_name()) else { return false };
    let number = found.as_bytes().strip_prefix(name.as_bytes());
    number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// Tells two names of one file.
pub(super) fn inode(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|found| (found.dev(), found.ino()))
}

pub(super) fn sync_parent(path: &Path) -> Result<(), StorageError> {
    let folder = parent(path);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StorageError::file("sync", folder))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_destroyed_or_replaced_is_overwritten_first() {
        let folder = tempfile::tempdir().unwrap();
        let (file, beside) = (folder.path().join("a"), folder.path().join("beside"));
        create("create", &file, b"one").unwrap();
        fs::hard_link(&file, &beside).unwrap();
        replace(&file, b"another").unwrap();
        assert_eq!((fs::read(&file).unwrap(), fs::read(&beside).unwrap()), (b"another".into(), vec![0; 3]));
        fs::remove_file(&beside).unwrap();
        fs::hard_link(&file, &beside).unwrap();
        destroy(&file).unwrap();
        destroy(&file).unwrap();
        assert!(!file.exists());
        assert_eq!(fs::read(beside).unwrap(), [0; 7]);
    }

    #[test]
    fn what_is_there_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        create("create", &file, b"one").unwrap();
        create("create", &file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"one");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft stays behind");
    }

    #[test]
    fn what_is_longer_is_told_by_one_byte_more() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        create("create", &file, &[7; 99]).unwrap();
        assert_eq!(read("it", &file, 99).unwrap().len(), 99);
        assert_eq!(read("it", &file, 9).unwrap().len(), 10);
    }
}
