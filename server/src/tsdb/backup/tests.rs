//! Backups and restoring in one process: what is in them, what is refused, what is continued.

use super::*;
use crate::{
    storage::{DiskSpace, Duck, DuckSettings, Faults, Journal, Sqlite, scratch::Scratch},
    tsdb::{
        Opened, Places, Tier, Tsdb,
        record::OwnedRows,
        restore::restore,
        rows::{PointRow, SeriesId},
        testing::{Bench, NOW, points, samples},
    },
};
use std::os::unix::fs::PermissionsExt;

mod damage;

/// Samples 1 to 3 sealed, 4 and 5 in the journal.
fn used() -> Bench {
    let mut bench = Bench::new();
    bench.push("A", 1, 1..=3, NOW.plus_seconds(-60));
    bench.seal_all();
    bench.push("A", 1, 4..=5, NOW.plus_seconds(-50));
    bench
}

fn target(bench: &Bench, name: &str) -> PathBuf {
    bench.scratch.folder.path().parent().unwrap().join(name)
}

fn back_up_to(bench: &Bench, target: &Path) -> Result<Made, BackupError> {
    back_up(&bench.scratch.folder, target, NOW, &mut |_, _| {})
}

fn restore_to(backup: &Path, target: &Path) -> Result<Manifest, BackupError> {
    restore(backup, target, |_| Ok(()), &mut |_, _| {})
}

/// A data folder, opened as a hub would.
fn open(bench: &Bench, data: &Path) -> (Duck, Tsdb) {
    let folder = DataFolder::open(data).unwrap();
    let disk = DiskSpace::watch(data, 0).unwrap();
    let sqlite = Sqlite::open(&folder.sqlite_path(), disk.clone(), NOW).unwrap();
    let places = Places::below(data);
    places.create().unwrap();
    let readable = std::slice::from_ref(&places.parts);
    let engine = Duck::open(DuckSettings::default(), &places.scratch, readable).unwrap();
    let faults = Faults::none();
    let (clock, retention) = (bench.clock.clone(), bench.retention);
    let Opened { tsdb, .. } =
        Tsdb::open(places, sqlite, engine.clone(), clock, retention, disk, faults).unwrap();
    (engine, tsdb)
}

/// The numbers of all samples in a data folder.
fn seqs(bench: &Bench, data: &Path) -> Vec<u64> {
    let (engine, tsdb) = open(bench, data);
    let mut seqs: Vec<_> = samples(&engine, &tsdb.view()).iter().map(|row| row.stream.unwrap().1).collect();
    seqs.sort_unstable();
    seqs
}

#[test]
fn a_backup_restored_is_the_same_history_under_the_same_key() {
    let mut bench = used();
    let (backup, data) = (target(&bench, "backup"), target(&bench, "new"));
    let made = back_up_to(&bench, &backup).unwrap();
    assert!(made.linked_bytes > 0 && made.bytes > made.linked_bytes, "parts are shared: {made:?}");
    bench.push("A", 1, 6..=7, NOW.plus_seconds(-40));
    bench.seal_all();
    let mut told = Vec::new();
    let manifest = restore(&backup, &data, |_| Ok(()), &mut |done, all| told.push((done, all))).unwrap();
    assert_eq!(told.last(), Some(&(manifest.bytes() * 2, manifest.bytes() * 2)));
    assert_eq!(manifest.files.len(), made.files);
    assert_eq!(seqs(&bench, &data), [1, 2, 3, 4, 5]);
    let key = |folder: &Path| fs::read(folder.join("master.key")).unwrap();
    assert_eq!(key(&data), key(bench.scratch.folder.path()));
    for folder in [&backup, &data] {
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
    assert!(Manifest::read(&backup).is_ok(), "the backup stays");
    assert!(!with_suffix(&backup, PARTIAL).exists());
}

/// Points of three values, each the NaN that it is or none: sealed, merged, and in the journal.
#[test]
fn points_come_back_to_the_bit() {
    let mut bench = Bench::new();
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    let mut expected = Vec::new();
    for (hour, value) in (0..).zip([0.1, stale, f64::from_bits(0x7ff8_0000_0000_0007)]) {
        let at_ms = NOW.as_micros() / 1_000 - hour * 3_600_000;
        let point = PointRow { series: SeriesId::new(7), at_ms, value };
        expected.insert(0, point);
        bench.append(&OwnedRows { points: vec![point], ..OwnedRows::default() }).unwrap();
        if hour < 2 {
            bench.seal_all();
        }
    }
    let (backup, data) = (target(&bench, "backup"), target(&bench, "new"));
    back_up_to(&bench, &backup).unwrap();
    restore_to(&backup, &data).unwrap();
    assert_eq!(points(&open(&bench, &data).1.view()), expected);
    // Of a day that is over they become one file.
    bench.seal_all();
    bench.clock.advance(3 * 86_400);
    bench.compact_all();
    assert_eq!(bench.tsdb.view().parts.len(), 1);
    assert_eq!(bench.points(), expected);
}

#[test]
fn what_the_copied_catalogue_names_stays_until_it_is_copied() {
    let mut bench = used();
    let held = bench.scratch.folder.hold().unwrap();
    let before = bench.files();
    let journal = Places::below(bench.scratch.folder.path()).journal;
    bench.collect_garbage();
    let segments = Journal::segments(&journal).unwrap();
    for round in 0..8 {
        bench.push("A", 1, 6 + round..=6 + round, NOW.plus_seconds(-30));
        bench.seal_all();
    }
    bench.compact_all();
    bench.collect_garbage();
    // Also a hub that starts meanwhile leaves everything, and gives no number twice.
    bench.reopen();
    bench.push("A", 1, 20..=20, NOW.plus_seconds(-10));
    bench.seal_all();
    assert!(before.iter().all(|file| file.exists()), "parts stay");
    let still = Journal::segments(&journal).unwrap();
    assert!(
        segments.iter().all(|segment| still.contains(segment)),
        "segments stay: {segments:?} in {still:?}"
    );
    drop(held);
    bench.collect_garbage();
    let view = bench.tsdb.view();
    let listed = view.parts.iter().map(|part| part.path().to_owned()).collect();
    assert_eq!(bench.files(), listed);
    assert_eq!(Journal::segments(&journal).unwrap().len(), 1);
    let seqs: Vec<_> = bench.rows().iter().map(|row| row.stream.unwrap().1).collect();
    assert_eq!(seqs, (1..=13).chain([20]).collect::<Vec<_>>());
    assert!(view.parts.iter().any(|part| part.row().tier == Tier::Hour));
}

#[test]
fn names_that_cannot_be_and_folders_without_records_are_refused() {
    let bench = used();
    let backup = target(&bench, "backup");
    let said = |target: &Path| back_up_to(&bench, target).unwrap_err().to_string();
    assert!(said(&bench.scratch.folder.path().join("backup")).contains("inside the data folder"));
    assert!(said(Path::new("/")).contains("no name"));
    fs::create_dir(&backup).unwrap();
    assert!(said(&backup).contains("exists"));
    fs::remove_dir(&backup).unwrap();
    fs::write(bench.scratch.folder.duckdb_path(), "former").unwrap();
    assert!(said(&backup).contains("former version"));
    let empty = Scratch::new();
    let refused = back_up(&empty.folder, &backup, NOW, &mut |_, _| {}).unwrap_err();
    assert!(refused.to_string().contains("nothing to back up"), "{refused}");
    assert!(!backup.exists() && !with_suffix(&backup, PARTIAL).exists());
}

#[test]
fn a_backup_that_was_cut_off_is_continued() {
    let bench = used();
    let backup = target(&bench, "backup");
    let partial = with_suffix(&backup, PARTIAL);
    let parts = bench.files();
    let below = |file: &Path| partial.join(file.strip_prefix(bench.scratch.folder.path()).unwrap());
    let mut parts = parts.iter();
    let (kept, half) = (parts.next().unwrap(), parts.next().unwrap());
    for file in [kept, half] {
        fs::create_dir_all(below(file).parent().unwrap()).unwrap();
    }
    fs::copy(kept, below(kept)).unwrap();
    fs::write(with_suffix(&below(half), ".copying"), "half of it").unwrap();
    fs::write(below(half).with_file_name("gone.parquet"), "merged since").unwrap();
    fs::create_dir_all(partial.join("journal")).unwrap();
    fs::write(partial.join("journal/00000000000000000001.log"), "old").unwrap();
    fs::write(partial.join("pingup.db"), "old").unwrap();
    let held = lock(&partial).unwrap();
    assert!(back_up_to(&bench, &backup).unwrap_err().to_string().contains("another program"));
    drop(held);
    let made = back_up_to(&bench, &backup).unwrap();
    let kept_bytes = kept.metadata().unwrap().len();
    let all: u64 = bench.files().iter().map(|file| file.metadata().unwrap().len()).sum();
    assert_eq!(made.linked_bytes, all - kept_bytes, "what was there already is kept");
    restore_to(&backup, &target(&bench, "new")).unwrap();
    assert_eq!(seqs(&bench, &target(&bench, "new")), [1, 2, 3, 4, 5]);
    let mut files = Vec::new();
    let mut folders = vec![backup];
    while let Some(folder) = folders.pop() {
        for path in list(&folder).unwrap() {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    assert_eq!(files.len(), made.files + 1, "nothing is left over: {files:?}");
}

/// A part of another life of the hub, of the same name and size, is not taken for the hub's own.
#[test]
fn what_was_cut_off_is_trusted_only_if_it_is_the_same() {
    let bench = used();
    let backup = target(&bench, "backup");
    let part = bench.tsdb.view().parts[0].path().to_owned();
    let below = part.strip_prefix(bench.scratch.folder.path()).unwrap();
    let copied = with_suffix(&backup, PARTIAL).join(below);
    fs::create_dir_all(copied.parent().unwrap()).unwrap();
    fs::write(&copied, vec![0; fs::read(&part).unwrap().len()]).unwrap();
    back_up_to(&bench, &backup).unwrap();
    assert!(fs::read(backup.join(below)).unwrap() == fs::read(&part).unwrap());
}

#[test]
fn a_restore_that_was_cut_off_is_done_anew() {
    let bench = used();
    let (backup, data) = (target(&bench, "backup"), target(&bench, "new"));
    back_up_to(&bench, &backup).unwrap();
    let partial = with_suffix(&data, ".restoring");
    fs::create_dir_all(partial.join("journal")).unwrap();
    fs::write(partial.join("journal/00000000000000000099.log"), "from another backup").unwrap();
    fs::create_dir(&data).unwrap();
    restore_to(&backup, &data).unwrap();
    assert_eq!(seqs(&bench, &data), [1, 2, 3, 4, 5]);
    assert!(!partial.exists());
}

/// A hub of before did not overwrite what it deleted.
#[test]
fn what_free_pages_still_have_is_in_no_backup() {
    let bench = used();
    let (path, backup) = (bench.scratch.folder.sqlite_path(), target(&bench, "backup"));
    let deleted = b"of a row that was deleted, and is longer than what is written over it";
    let holds = |path: &Path| fs::read(path).unwrap().windows(deleted.len()).any(|some| some == deleted);
    let records = rusqlite::Connection::open(&path).unwrap();
    records
        .execute_batch(
            "PRAGMA secure_delete = OFF; CREATE TABLE short_lived (value BLOB); PRAGMA user_version = 77",
        )
        .unwrap();
    for _ in 0..200 {
        records.execute("INSERT INTO short_lived VALUES (?1)", [&deleted[..]]).unwrap();
    }
    records.execute("DROP TABLE short_lived", ()).unwrap();
    let _folded: i64 = records.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(0)).unwrap();
    assert!(holds(&path), "or this shows nothing");
    back_up_to(&bench, &backup).unwrap();
    let copied = backup.join("pingup.db");
    assert!(!holds(&copied));
    let copied = rusqlite::Connection::open(copied).unwrap();
    let version: i64 = copied.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 77, "what is no row goes with them");
}
