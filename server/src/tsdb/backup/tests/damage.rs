//! Files that are not as they were written: named, neither backed up nor restored.

use super::*;

#[test]
fn a_part_that_is_not_as_it_is_listed_is_named() {
    let bench = used();
    let part = bench.files().into_iter().next().unwrap();
    fs::write(&part, "short").unwrap();
    match back_up_to(&bench, &target(&bench, "backup")) {
        Err(BackupError::Damaged { file, .. }) => assert_eq!(file, part),
        other => panic!("{other:?}"),
    }
}

/// Puts a copy with one other byte in the place of a file, which may be shared.
fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(file).unwrap();
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_part_that_the_disk_changed_is_named_and_not_backed_up() {
    let bench = used();
    let whole = target(&bench, "whole");
    back_up_to(&bench, &whole).unwrap();
    let part = bench.files().into_iter().next().unwrap();
    flip(&part);
    let refused = back_up_to(&bench, &target(&bench, "backup")).unwrap_err();
    assert!(matches!(&refused, BackupError::Damaged { file, .. } if *file == part), "{refused}");
    // Listed by a program that made no checksums, it is taken as it is.
    let forget = "UPDATE parts SET crc32 = NULL";
    rusqlite::Connection::open(bench.scratch.folder.sqlite_path()).unwrap().execute(forget, []).unwrap();
    back_up_to(&bench, &target(&bench, "backup")).unwrap();
    restore_to(&target(&bench, "backup"), &target(&bench, "damaged")).unwrap();
    restore_to(&whole, &target(&bench, "new")).unwrap();
    assert_eq!(seqs(&bench, &target(&bench, "new")), [1, 2, 3, 4, 5]);
}

/// A manifest tells what was copied; the records tell what was written.
#[test]
fn a_part_that_was_damaged_before_it_was_backed_up_is_not_restored() {
    let bench = used();
    let (backup, data) = (target(&bench, "backup"), target(&bench, "new"));
    back_up_to(&bench, &backup).unwrap();
    let mut manifest = Manifest::read(&backup).unwrap();
    let part = manifest.files.iter_mut().find(|entry| entry.path.ends_with(".parquet")).unwrap();
    let file = backup.join(&part.path);
    flip(&file);
    *part = files::content(&backup, Path::new(&part.path)).unwrap().entry;
    manifest.write(&backup).unwrap();
    let refused = restore_to(&backup, &data).unwrap_err();
    assert!(matches!(&refused, BackupError::Damaged { file: named, .. } if *named == file), "{refused}");
    assert!(!data.exists() && !with_suffix(&data, ".restoring").exists());
}

#[test]
fn a_backup_that_lacks_a_part_is_not_restored() {
    let bench = used();
    let (backup, data) = (target(&bench, "backup"), target(&bench, "new"));
    back_up_to(&bench, &backup).unwrap();
    let mut manifest = Manifest::read(&backup).unwrap();
    let lost = manifest.files.iter().position(|entry| entry.path.ends_with(".parquet")).unwrap();
    let lost = manifest.files.remove(lost).path;
    fs::remove_file(backup.join(&lost)).unwrap();
    manifest.write(&backup).unwrap();
    let refused = restore_to(&backup, &data).unwrap_err();
    assert!(refused.to_string().contains(&lost), "{refused}");
    assert!(!data.exists());
}

#[test]
fn one_wrong_byte_anywhere_is_refused_before_anything_is_written() {
    let bench = used();
    let (backup, data) = (target(&bench, "backup"), target(&bench, "new"));
    back_up_to(&bench, &backup).unwrap();
    for entry in Manifest::read(&backup).unwrap().files {
        let file = backup.join(&entry.path);
        let whole = fs::read(&file).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 0x10;
        // A part is shared with the data folder: another file takes its place.
        fs::remove_file(&file).unwrap();
        for bytes in [&damaged[..], &whole[1..]] {
            fs::write(&file, bytes).unwrap();
            let refused = restore_to(&backup, &data).unwrap_err();
            assert!(refused.to_string().contains(&entry.path), "{refused}");
        }
        fs::remove_file(&file).unwrap();
        assert!(restore_to(&backup, &data).unwrap_err().to_string().contains(&entry.path));
        fs::write(&file, whole).unwrap();
    }
    assert!(!data.exists() && !with_suffix(&data, ".restoring").exists());
    restore_to(&backup, &data).unwrap();
    assert!(restore_to(&backup, &data).unwrap_err().to_string().contains("not empty"));
    fs::remove_file(backup.join(MANIFEST)).unwrap();
    assert!(restore_to(&backup, &target(&bench, "other")).unwrap_err().to_string().contains("is no backup"));
}
