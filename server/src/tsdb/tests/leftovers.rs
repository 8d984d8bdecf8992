//! What is left of a hub that was killed is swept at start; what another `pingup.db` does not know is not.

use super::model::check_files;
use crate::{
    storage::{Faults, Sqlite, StorageError},
    tsdb::{
        Opened, Places, Tsdb, TsdbError,
        leftovers::Leftovers,
        testing::{Bench, NOW, RETENTION},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const DAY: i64 = 86_400;

/// Two sealed segments of yesterday, files that nobody needs deleted.
fn used() -> Bench {
    let mut bench = Bench::new();
    for boot in 1..=2 {
        bench.push("a", boot, 1..=5, NOW.plus_seconds(-DAY));
        bench.seal_all();
    }
    bench.collect_garbage();
    bench
}

/// A copy of the records as they are now.
fn copy_of_records(bench: &Bench) -> PathBuf {
    let copy = bench.scratch.folder.path().join("older.db");
    let records = rusqlite::Connection::open(bench.scratch.folder.sqlite_path()).unwrap();
    records.execute("VACUUM INTO ?", [copy.to_str().unwrap()]).unwrap();
    copy
}

/// Opens the history beside the bench's own, by the records at `path`, which are made where they are missing.
fn open_with(bench: &Bench, path: &Path) -> Result<Opened, TsdbError> {
    open_at(bench, path, Places::below(bench.scratch.folder.path()))
}

fn open_at(bench: &Bench, path: &Path, places: Places) -> Result<Opened, TsdbError> {
    let disk = bench.scratch.disk.clone();
    let sqlite = Sqlite::open(path, disk.clone(), NOW).unwrap();
    Tsdb::open(places, sqlite, bench.engine.clone(), bench.clock.clone(), RETENTION, disk, Faults::none())
}

fn everything(bench: &Bench) -> Vec<PathBuf> {
    let journal = fs::read_dir(bench.scratch.folder.path().join("journal")).unwrap();
    let mut all: Vec<_> = journal.map(|entry| entry.unwrap().path()).collect();
    all.extend(bench.files());
    all.sort();
    all
}

/// It does not start, says `why`, and leaves everything where it is.
fn refused(bench: &Bench, records: &Path, why: &str) {
    let before = everything(bench);
    let refused = open_with(bench, records).unwrap_err();
    let TsdbError::Storage(StorageError::Folder(said)) = &refused else { panic!("{refused:?}") };
    assert!(said.contains(why) && said.contains("put the pingup.db back"), "{said}");
    assert_eq!(everything(bench), before, "nothing is deleted");
}

#[test]
fn a_lost_pingup_db_deletes_nothing() {
    let bench = used();
    let records = bench.scratch.folder.path().join("new.db");
    refused(&bench, &records, "goes on at segment 3, not 1");
    // Nor if the journal is gone as well.
    let (journal, aside) =
        (bench.scratch.folder.path().join("journal"), bench.scratch.folder.path().join("aside"));
    fs::rename(&journal, &aside).unwrap();
    fs::create_dir(&journal).unwrap();
    refused(&bench, &records, "the journal has no segment 1");
    fs::remove_dir(&journal).unwrap();
    fs::rename(&aside, &journal).unwrap();
    // Without them it goes on.
    for file in bench.files() {
        fs::remove_file(file).unwrap();
    }
    assert!(open_with(&bench, &records).is_ok());
}

/// What was taken over never was in the journal, so that nothing else tells.
#[test]
fn a_lost_pingup_db_deletes_nothing_that_was_taken_over() {
    let bench = Bench::new();
    let folder = bench.scratch.folder.path();
    let (part, aside) = (
        folder.join("history/raw/2026-11-21-0000000001.parquet"),
        folder.join("analytics.duckdb.taken-over"),
    );
    fs::write(&part, "taken over").unwrap();
    fs::write(&aside, "the former history").unwrap();
    let records = folder.join("new.db");
    refused(&bench, &records, "does not know that");
    rusqlite::Connection::open(&records).unwrap().execute("INSERT INTO former VALUES (1, 0)", []).unwrap();
    drop(open_with(&bench, &records).unwrap());
    assert!(!part.exists(), "left over from taking it over");
}

#[test]
fn an_older_pingup_db_deletes_nothing_that_was_sealed_after_it() {
    let mut bench = used();
    let older = copy_of_records(&bench);
    bench.push("a", 3, 1..=5, NOW);
    bench.seal_all();
    bench.collect_garbage();
    refused(&bench, &older, "goes on at segment 4, not 3");
}

#[test]
fn an_older_pingup_db_deletes_nothing_that_was_merged_or_let_go_after_it() {
    let bench = used();
    let older = copy_of_records(&bench);
    bench.clock.advance(DAY);
    bench.compact_all();
    bench.collect_garbage();
    refused(&bench, &older, "is listed there and missing");
    bench.clock.advance(35 * DAY);
    bench.retain_all();
    bench.collect_garbage();
    refused(&bench, &older, "is listed there and missing");
    // As long as what it lists is there too, what it does not list is in that.
    let bench = used();
    let older = copy_of_records(&bench);
    bench.clock.advance(DAY);
    bench.compact_all();
    let rows = bench.rows();
    let Opened { tsdb, .. } = open_with(&bench, &older).unwrap();
    assert_eq!(crate::tsdb::testing::samples(&bench.engine, &tsdb.view()), rows);
}

#[test]
fn a_newer_pingup_db_deletes_no_segment_that_it_says_is_sealed() {
    let mut bench = used();
    let folder = bench.scratch.folder.path().to_owned();
    bench.push("a", 3, 1..=5, NOW);
    let (journal, older) = (folder.join("journal"), folder.join("older"));
    fs::create_dir(&older).unwrap();
    for entry in fs::read_dir(&journal).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, older.join(path.file_name().unwrap())).unwrap();
    }
    bench.seal_all();
    bench.collect_garbage();
    fs::remove_dir_all(&journal).unwrap();
    fs::rename(&older, &journal).unwrap();
    refused(&bench, &bench.scratch.folder.sqlite_path(), "the journal has no segment 4");
}

/// Parts that were named and not listed, merged and not deleted, let go and not deleted; and segments.
#[test]
fn what_a_killed_hub_leaves_is_swept() {
    let mut bench = used();
    let named = bench.files().into_iter().next().unwrap().with_file_name("2027-01-14-0000000099.parquet");
    fs::write(named, "half a part").unwrap();
    let held = bench.scratch.folder.hold().unwrap();
    bench.push("a", 3, 1..=5, NOW.plus_seconds(-DAY));
    bench.seal_all();
    bench.clock.advance(DAY);
    bench.compact_all();
    let places = Places::below(bench.scratch.folder.path());
    let left = |bench: &Bench| {
        let records = rusqlite::Connection::open(bench.scratch.folder.sqlite_path()).unwrap();
        Leftovers::find(&places, &crate::tsdb::catalogue::load(&records).unwrap()).unwrap()
    };
    let found = left(&bench);
    assert_eq!((found.parts.len(), found.segments.len(), found.objection()), (4, 1, None));
    drop(held);
    bench.reopen();
    check_files(&bench, "merged");
    let held = bench.scratch.folder.hold().unwrap();
    bench.clock.advance(1_000 * DAY);
    bench.retain_all();
    assert!(bench.tsdb.view().parts.is_empty());
    assert!(!left(&bench).parts.is_empty() && left(&bench).objection().is_none());
    drop(held);
    bench.reopen();
    check_files(&bench, "let go");
    assert!(bench.files().is_empty());
}

#[test]
fn a_lock_that_cannot_be_had_stops_no_start() {
    let bench = used();
    let folder = bench.scratch.folder.path();
    let unlisted = folder.join("history/raw/2027-01-14-0000000099.parquet");
    fs::write(&unlisted, "half a part").unwrap();
    let places = Places { data: folder.join("nowhere"), ..Places::below(folder) };
    let Opened { tsdb, .. } = open_at(&bench, &bench.scratch.folder.sqlite_path(), places).unwrap();
    assert!(unlisted.exists() && tsdb.keeping().files == 1, "it waits");
    tsdb.collect_garbage(&bench.scratch.folder).unwrap();
    assert!(!unlisted.exists());
}

/// Somebody's folder among the parts, with something in it.
fn foreign(bench: &Bench) -> PathBuf {
    let folder = bench.scratch.folder.path().join("history/raw/2027-01-14-0000000099.parquet");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("notes.txt"), "not the hub's").unwrap();
    folder
}

#[test]
fn a_foreign_folder_is_left_alone_and_stops_no_start() {
    let mut bench = used();
    let rows = bench.rows();
    let folder = foreign(&bench);
    bench.reopen();
    assert_eq!((bench.rows(), bench.tsdb.keeping().files), (rows, 0), "nothing waits to be deleted");
    bench.collect_garbage();
    assert!(folder.join("notes.txt").exists());
    // Nor where a part is missing: there is nothing that could be deleted on a doubt.
    let part = bench.tsdb.view().parts[0].path().to_owned();
    fs::remove_file(&part).unwrap();
    bench.reopen();
    // A folder that has a part's name is not that part.
    fs::create_dir(&part).unwrap();
    let records = rusqlite::Connection::open(bench.scratch.folder.sqlite_path()).unwrap();
    let places = Places::below(bench.scratch.folder.path());
    let found = Leftovers::find(&places, &crate::tsdb::catalogue::load(&records).unwrap()).unwrap();
    assert_eq!((found.missing, found.foreign.len(), found.parts.len()), (vec![part], 2, 0));
}
