//! Another master key takes the place of the one in force, which stays beside it as the former one.
//!
//! Three steps, each whole or not at all. Whoever dies between two leaves the old key in force ([`tidy`] takes away what
//! came of it) or the new one: never none, and never a new one without the old beside it.
//!
//! ```text
//! master.key              master.key.next       master.key.former
//! old                     –                     –                    before
//! old                     new                   –                    after `write_next`: nobody was given a key from it
//! old                     new                   old (a second name)  after `keep_former`
//! new                     –                     old                  after `take_next`
//! ```

use super::{
    KEY_BYTES, StorageError, read_content,
    secret::{destroy, inode, sync_parent, with_suffix, write_synced},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the former master key lies.
pub(super) fn former_path(key: &Path) -> PathBuf {
    with_suffix(key, ".former")
}

fn next_path(key: &Path) -> PathBuf {
    with_suffix(key, ".next")
}

/// Puts a file of this content in the place of `key`, which becomes the former one.
pub(super) fn rotate(key: &Path, content: &[u8]) -> Result<(), StorageError> {
    write_next(key, content)?;
    keep_former(key)?;
    take_next(key)
}

fn write_next(key: &Path, content: &[u8]) -> Result<(), StorageError> {
    let next = next_path(key);
    write_synced(&next, content).map_err(StorageError::file("write", &next))?;
    sync_parent(key)
}

fn keep_former(key: &Path) -> Result<(), StorageError> {
    let former = former_path(key);
    fs::hard_link(key, &former).map_err(StorageError::file("create", &former))?;
    sync_parent(key)
}

fn take_next(key: &Path) -> Result<(), StorageError> {
    fs::rename(next_path(key), key).map_err(StorageError::file("replace", key))?;
    sync_parent(key)
}

/// Takes away what a rotation left that was cut short. For whoever has the folder alone.
pub(super) fn tidy(key: &Path) -> Result<(), StorageError> {
    let former = former_path(key);
    if inode(key).is_some() && inode(key) == inode(&former) {
        // A second name of the key in force: its bytes must stay.
        fs::remove_file(&former).map_err(StorageError::file("remove", &former))?;
        sync_parent(key)?;
    }
    if former.exists() && is_wiped(&read_content(&former)?) {
        destroy(&former)?;
    }
    destroy(&next_path(key))
}

/// Whether this was a key's file, and is none any more: whoever destroyed it died before its name was gone.
fn is_wiped(content: &[u8]) -> bool {
    content.len() < KEY_BYTES || content.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: [u8; 32] = [1; 32];
    const NEW: [u8; 32] = [2; 32];

    fn with_key() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("master.key");
        write_synced(&key, &OLD).unwrap();
        (folder, key)
    }

    #[test]
    fn cut_short_anywhere_it_leaves_the_old_key_or_the_new_one_with_the_old_beside_it() {
        type Step = fn(&Path) -> Result<(), StorageError>;
        let steps: [Step; 3] = [|key| write_next(key, &NEW), keep_former, take_next];
        for done in 0..=steps.len() {
            let (folder, key) = with_key();
            steps[..done].iter().for_each(|step| step(&key).unwrap());
            tidy(&key).unwrap();
            tidy(&key).unwrap();
            let former = fs::read(former_path(&key)).ok();
            let found = fs::read(&key).unwrap();
            match done {
                3 => assert_eq!((&found[..], former.as_deref()), (&NEW[..], Some(&OLD[..]))),
                _ => assert_eq!((&found[..], former), (&OLD[..], None), "after {done} steps"),
            }
            let files = fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(files, if done == 3 { 2 } else { 1 }, "nothing else stays");
            // And from there it goes on.
            if done < 3 {
                rotate(&key, &NEW).unwrap();
                assert_eq!(
                    (fs::read(&key).unwrap(), fs::read(former_path(&key)).unwrap()),
                    (NEW.into(), OLD.into())
                );
            }
        }
    }

    #[test]
    fn a_former_key_whose_destroyer_died_in_between_is_gone() {
        for wiped in [&[][..], &[7; KEY_BYTES - 1], &[0; KEY_BYTES], &[0; 97]] {
            let (_folder, key) = with_key();
            write_synced(&former_path(&key), wiped).unwrap();
            tidy(&key).unwrap();
            assert!(!former_path(&key).exists(), "{} bytes", wiped.len());
            assert_eq!(fs::read(&key).unwrap(), OLD);
        }
        let (_folder, key) = with_key();
        write_synced(&former_path(&key), &NEW).unwrap();
        tidy(&key).unwrap();
        assert_eq!(fs::read(former_path(&key)).unwrap(), NEW, "one that is a key stays");
    }
}
