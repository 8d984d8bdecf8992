//! Keys that follow the master key, whoever is killed on the way.

use super::*;
use crate::storage::{MasterForm, MasterPlace};
use std::fs;

const KEY: &[u8] = b"-----BEGIN PRIVATE KEY-----";

/// A data folder with a master key and both keys in the clear, and the same folder with a passphrase named.
fn places() -> (tempfile::TempDir, DataFolder, DataFolder) {
    let place = tempfile::tempdir().unwrap();
    let plain = DataFolder::open_or_create(&place.path().join("data")).unwrap();
    plain.master_or_create().unwrap();
    fs::create_dir(plain.tls_path()).unwrap();
    for path in paths(&plain) {
        TlsKeys::default().create(&path, KEY).unwrap();
    }
    let passphrase = place.path().join("passphrase");
    secret::create("create", &passphrase, b"correct horse\n").unwrap();
    let master = MasterPlace { file: None, passphrase_file: Some(passphrase) };
    let with = plain.clone().with_master(master);
    (place, plain, with)
}

fn paths(folder: &DataFolder) -> [PathBuf; 2] {
    [HUB_KEY, CA_KEY].map(|name| folder.tls_path().join(name))
}

fn are_sealed(folder: &DataFolder) -> [bool; 2] {
    paths(folder).map(|path| sealed::is_sealed(&fs::read(path).unwrap()))
}

#[test]
fn they_are_sealed_and_unsealed_with_the_master_key_and_nothing_plain_stays() {
    let (_place, plain, with) = places();
    let lock = plain.lock().unwrap();
    let beside: Vec<_> = paths(&plain).iter().map(|path| path.with_extension("beside")).collect();
    paths(&plain).iter().zip(&beside).for_each(|(path, beside)| fs::hard_link(path, beside).unwrap());
    for _ in 0..2 {
        with.seal_master(&lock).unwrap();
        assert_eq!((with.master_form().unwrap(), are_sealed(&with)), (MasterForm::Sealed, [true; 2]));
    }
    assert!(beside.iter().all(|path| fs::read(path).unwrap() == [0; KEY.len()]), "it is overwritten");
    for path in paths(&with) {
        assert_eq!(*with.tls_keys().unwrap().read(&path).unwrap(), KEY);
        let refused = plain.tls_keys().unwrap().read(&path).unwrap_err().to_string();
        assert!(refused.contains("is sealed; name the file with the passphrase"), "{refused}");
        assert!(!plain.tls_keys().unwrap().can_read(&path).unwrap());
    }
    assert!(plain.unseal_master(&lock).is_err(), "not without the passphrase");
    for _ in 0..2 {
        with.unseal_master(&lock).unwrap();
        assert_eq!((with.master_form().unwrap(), are_sealed(&with)), (MasterForm::Plain, [false; 2]));
    }
    assert!(paths(&plain).iter().all(|path| fs::read(path).unwrap() == KEY));
}

#[test]
fn killed_between_any_two_files_a_start_with_the_passphrase_puts_them_right() {
    for sealed_already in [&[][..], &[0], &[1], &[0, 1]] {
        let (_place, plain, with) = places();
        let lock = plain.lock().unwrap();
        let keys = with.tls_keys().unwrap();
        // As `seal` leaves it that was killed after the master key, and `unseal` that was killed before it; or one of a
        // version that sealed nothing else.
        with.seal_master(&lock).unwrap();
        for (at, path) in paths(&with).iter().enumerate() {
            if !sealed_already.contains(&at) {
                keys.unseal(path).unwrap();
            }
            // And what it was about to write.
            fs::write(path.with_extension("key.new.17"), KEY).unwrap();
            fs::write(path.with_extension("new"), KEY).unwrap();
        }
        with.masters(&lock).unwrap();
        with.follow_master(&keys, &lock).unwrap();
        assert_eq!(are_sealed(&with), [true; 2], "{sealed_already:?}");
        assert!(paths(&with).iter().all(|path| *keys.read(path).unwrap() == KEY));
        assert_eq!(fs::read_dir(with.tls_path()).unwrap().count(), 2, "no draft of it stays");
        // And the same commands go on from there.
        with.unseal_master(&lock).unwrap();
        assert_eq!(are_sealed(&with), [false; 2]);
    }
}

#[test]
fn a_rotation_of_the_master_key_leaves_them_as_they_are() {
    let (_place, _plain, with) = places();
    let lock = with.lock().unwrap();
    with.seal_master(&lock).unwrap();
    let before = paths(&with).map(|path| fs::read(path).unwrap());
    with.rotate_master(&lock).unwrap();
    with.destroy_former_master().unwrap();
    assert_eq!(paths(&with).map(|path| fs::read(path).unwrap()), before);
    assert!(paths(&with).iter().all(|path| *with.tls_keys().unwrap().read(path).unwrap() == KEY));
}

#[test]
fn one_does_not_stand_in_for_the_other_nor_a_long_file_for_a_key() {
    let (_place, _plain, with) = places();
    let lock = with.lock().unwrap();
    with.seal_master(&lock).unwrap();
    let [hub, ca] = paths(&with);
    fs::rename(&ca, &hub).unwrap();
    let refused = with.tls_keys().unwrap().read(&hub).unwrap_err().to_string();
    assert!(refused.contains("hub.key") && refused.contains("the passphrase is wrong"), "{refused}");
    fs::write(&hub, vec![b'x'; FILE_BYTES_MAX + 1]).unwrap();
    assert!(with.tls_keys().unwrap().read(&hub).unwrap_err().to_string().contains("longer than"));
}
