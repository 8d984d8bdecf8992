//! The master key's file: 32 random bytes that every other key comes from.
//!
//! Promises: it appears whole or not at all, synced to disk before anyone is given a key made from it, and
//! two processes that make it at once end up with the same. Refuses to read one that anybody but its owner
//! could have read, or that is not 32 bytes long.

use super::StorageError;
use pingup_protocol::keys::{KEY_BYTES, Secret};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};
use zeroize::Zeroizing;

/// Readable and writable by the owner, by nobody else.
const KEY_MODE: u32 = 0o600;

/// Makes the key unless there is one.
pub(super) fn create_if_missing(path: &Path) -> Result<(), StorageError> {
    if path.try_exists().map_err(StorageError::file("look for", path))? {
        return Ok(());
    }
    let draft = path.with_extension(format!("new.{}", std::process::id()));
    let placed = write_draft(&draft).and_then(|()| place(&draft, path));
    // The draft is a second name of the key, or the rest of a failure; either way it goes.
    let removed = fs::remove_file(&draft);
    placed.map_err(StorageError::file("create the master key", path))?;
    removed.map_err(StorageError::file("remove", draft))
}

fn write_draft(draft: &Path) -> io::Result<()> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(key.as_mut_slice()).map_err(io::Error::other)?;
    let mut file = File::options().write(true).create(true).truncate(true).mode(KEY_MODE).open(draft)?;
    file.write_all(key.as_slice())?;
    file.sync_all()
}

/// Gives the draft its name, unless somebody was faster: a link, unlike a rename, never replaces.
fn place(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Reads the key.
pub(super) fn read(path: &Path) -> Result<Secret, StorageError> {
    let file = File::open(path).map_err(StorageError::file("open the master key", path))?;
    let mode = file.metadata().map_err(StorageError::file("look at", path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StorageError::Folder(format!(
            "the master key {0} can be used by others (mode {mode:04o}); run `chmod 600 {0}`, and think about who may \
             have read it",
            path.display()
        )));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES + 1));
    // One byte more than a key has tells a longer file from a right one.
    let limit = KEY_BYTES as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(StorageError::file("read", path))?;
    Secret::from_slice(&bytes).ok_or_else(|| {
        StorageError::Folder(format!(
            "the master key {} is not {KEY_BYTES} bytes long; put the right file back from a backup: every agent's \
             key comes from it",
            path.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::Permissions, thread};

    #[test]
    fn made_once_and_the_same_for_everyone() -> Result<(), Box<dyn std::error::Error>> {
        let place = tempfile::tempdir()?;
        let path = place.path().join("master.key");
        create_if_missing(&path)?;
        let first = read(&path)?;
        create_if_missing(&path)?;
        assert_eq!(read(&path)?, first);
        assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, KEY_MODE);
        assert_eq!(fs::read_dir(place.path())?.count(), 1, "no draft stays behind");
        Ok(())
    }

    #[test]
    fn whoever_is_second_takes_what_the_first_made() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("master.key");
        let drafts: Vec<_> = (0..8).map(|n| folder.path().join(format!("draft.{n}"))).collect();
        drafts.iter().try_for_each(|draft| write_draft(draft))?;
        thread::scope(|scope| {
            let placing: Vec<_> = drafts.iter().map(|draft| scope.spawn(|| place(draft, &path))).collect();
            for one in placing {
                one.join().unwrap().unwrap();
            }
        });
        let key = fs::read(&path)?;
        assert_eq!(drafts.iter().filter(|draft| fs::read(draft).is_ok_and(|bytes| bytes == key)).count(), 1);
        Ok(())
    }

    #[test]
    fn a_key_that_others_can_read_or_of_another_length_is_refused() -> Result<(), Box<dyn std::error::Error>>
    {
        let place = tempfile::tempdir()?;
        let path = place.path().join("master.key");
        create_if_missing(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o640))?;
        assert!(read(&path).unwrap_err().to_string().contains("mode 0640"));
        fs::set_permissions(&path, Permissions::from_mode(KEY_MODE))?;
        for length in [0, 31, 33] {
            fs::write(&path, vec![7; length])?;
            assert!(read(&path).unwrap_err().to_string().contains("is not 32 bytes"), "{length}");
        }
        Ok(())
    }
}
