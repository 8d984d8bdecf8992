//! The master key's file: made once, read by its owner, sealed and opened.

use super::{
    secret::{MODE, place, write_synced},
    *,
};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    thread,
};

fn file(path: &Path) -> MasterFile {
    MasterFile::new(path.to_owned(), None).unwrap()
}

/// A key's place and a passphrase's.
fn places() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (key, passphrase) = (folder.path().join("master.key"), folder.path().join("passphrase"));
    write_synced(&passphrase, b"correct horse\n").unwrap();
    (folder, key, passphrase)
}

#[test]
fn made_once_and_the_same_for_everyone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    file(&path).create_if_missing().unwrap();
    let first = file(&path).read().unwrap();
    file(&path).create_if_missing().unwrap();
    assert_eq!(file(&path).read().unwrap(), first);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft stays behind");
}

#[test]
fn whoever_is_second_takes_what_the_first_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let drafts: Vec<_> = (0..8).map(|n| folder.path().join(format!("draft.{n}"))).collect();
    drafts.iter().for_each(|draft| write_synced(draft, random().unwrap().expose()).unwrap());
    thread::scope(|scope| {
        let placing: Vec<_> = drafts.iter().map(|draft| scope.spawn(|| place(draft, &path))).collect();
        for one in placing {
            one.join().unwrap().unwrap();
        }
    });
    let key = fs::read(&path).unwrap();
    assert_eq!(drafts.iter().filter(|draft| fs::read(draft).is_ok_and(|bytes| bytes == key)).count(), 1);
}

#[test]
fn a_key_that_others_can_read_or_of_another_length_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    file(&path).create_if_missing().unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    assert!(file(&path).read().unwrap_err().to_string().contains("mode 0640"));
    fs::set_permissions(&path, Permissions::from_mode(MODE)).unwrap();
    for length in [0, 31, 33, SEALED_BYTES, SEALED_BYTES + 9] {
        fs::write(&path, vec![7; length]).unwrap();
        assert!(file(&path).read().unwrap_err().to_string().contains("is not 32 bytes"), "{length}");
    }
}

#[test]
fn a_first_start_with_a_passphrase_makes_a_sealed_key() {
    let (_folder, key, passphrase) = places();
    let sealed = MasterFile::new(key.clone(), Some(&passphrase)).unwrap();
    sealed.create_if_missing().unwrap();
    assert_eq!(form(&key).unwrap(), MasterForm::Sealed);
    let secret = sealed.read().unwrap();
    assert!(file(&key).read().unwrap_err().to_string().contains("--master-passphrase-file"));
    write_synced(&passphrase, b"another").unwrap();
    let wrong = MasterFile::new(key.clone(), Some(&passphrase)).unwrap().read().unwrap_err().to_string();
    assert!(wrong.contains("the passphrase is wrong") && wrong.contains("master.key"), "{wrong}");
    write_synced(&passphrase, b"correct horse").unwrap();
    let without_newline = MasterFile::new(key, Some(&passphrase)).unwrap();
    assert_eq!(without_newline.read().unwrap(), secret, "a line's end is no part of it");
}

#[test]
fn sealing_and_unsealing_take_the_former_key_along_and_leave_nothing_plain() {
    let (folder, key, passphrase) = places();
    file(&key).create_if_missing().unwrap();
    let masters = file(&key).rotate().unwrap();
    assert!(masters.former.is_some() && masters.former.as_ref() != Some(&masters.current));
    let beside = folder.path().join("a-second-name");
    fs::hard_link(&key, &beside).unwrap();

    let with = MasterFile::new(key.clone(), Some(&passphrase)).unwrap();
    assert!(
        with.read().unwrap_err().to_string().contains("is not sealed"),
        "nobody thinks it is who named one"
    );
    with.seal().unwrap();
    with.seal().unwrap();
    assert_eq!(form(&key).unwrap(), MasterForm::Sealed);
    assert_eq!(form(&former(&key).unwrap()).unwrap(), MasterForm::Sealed);
    assert_eq!(fs::read(&beside).unwrap(), [0; KEY_BYTES], "what was there is overwritten");
    assert_eq!(with.read_all().unwrap(), masters);
    assert!(
        file(&key).seal().is_err() && file(&key).unseal().is_err(),
        "neither goes without the passphrase"
    );

    with.unseal().unwrap();
    with.unseal().unwrap();
    assert_eq!(file(&key).read_all().unwrap(), masters);
}

#[test]
fn a_sealed_key_is_rotated_into_a_sealed_one_and_the_former_one_destroyed() {
    let (_folder, key, passphrase) = places();
    let sealed = MasterFile::new(key.clone(), Some(&passphrase)).unwrap();
    sealed.create_if_missing().unwrap();
    let before = sealed.read().unwrap();
    let masters = sealed.rotate().unwrap();
    assert_eq!((form(&key).unwrap(), masters.former.as_ref()), (MasterForm::Sealed, Some(&before)));
    assert_eq!(sealed.read_all().unwrap(), masters);
    tidy(&key).unwrap();
    assert_eq!(sealed.read_all().unwrap(), masters, "nothing of a whole rotation is tidied away");
    destroy_former(&key).unwrap();
    assert_eq!((former(&key), sealed.read_all().unwrap().former), (None, None));
}

#[test]
fn a_draft_that_a_killed_command_left_goes_and_the_key_stays() {
    let (folder, key, _) = places();
    let beside = |name: &str| folder.path().join(name);
    let drafts = ["master.key.new.17", "master.key.former.new.18"];
    for draft in drafts {
        write_synced(&beside(draft), &[7; KEY_BYTES]).unwrap();
    }
    tidy(&key).unwrap();
    assert!(
        drafts.iter().all(|draft| beside(draft).exists()),
        "of one of them a key may be about to be made"
    );
    file(&key).create_if_missing().unwrap();
    let made = file(&key).read().unwrap();
    // Killed right after it was made: the draft is another name of the key.
    fs::hard_link(&key, beside("master.key.new.19")).unwrap();
    let others = ["master.key.new", "master.key.new.x", "other.new.17"];
    for other in others {
        write_synced(&beside(other), b"").unwrap();
    }
    fs::hard_link(beside(drafts[0]), beside("seen")).unwrap();
    tidy(&key).unwrap();
    tidy(&key).unwrap();
    assert!(!drafts.iter().chain(&["master.key.new.19"]).any(|draft| beside(draft).exists()));
    assert_eq!(fs::read(beside("seen")).unwrap(), [0; KEY_BYTES], "overwritten first");
    assert_eq!(file(&key).read().unwrap(), made);
    assert!(others.iter().all(|other| beside(other).exists()), "what is not ours stays");
}
