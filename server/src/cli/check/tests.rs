//! `check` on data folders that are new, used, in use and broken.

use super::*;
use crate::{
    storage::{migrate::SQLITE, scratch::Scratch},
    tsdb::testing::{Bench, NOW},
};
use std::{fs::Permissions, os::unix::fs::PermissionsExt, path::PathBuf};

fn expect(scratch: &Scratch, has_trouble: bool, lines: &[&str]) {
    let findings = look(&scratch.folder).unwrap();
    for line in lines {
        assert!(
            findings.lines.lines().any(|found| found.starts_with(line)),
            "{line}\nin\n{}",
            findings.lines
        );
    }
    assert_eq!(findings.has_trouble, has_trouble, "{}", findings.lines);
}

/// A history of three sealed samples and two in the journal, and the file of the three.
fn used() -> (Bench, PathBuf) {
    let mut bench = Bench::new();
    bench.push("A", 1, 1..=3, NOW.plus_seconds(-60));
    bench.seal_all();
    bench.push("A", 1, 4..=5, NOW.plus_seconds(-50));
    bench.collect_garbage();
    let raw = bench.files().into_iter().find(|file| file.to_string_lossy().contains("/raw/")).unwrap();
    (bench, raw)
}

#[test]
fn an_empty_folder_is_no_trouble() {
    let scratch = Scratch::new();
    fs::remove_file(scratch.folder.master_path()).unwrap();
    let expected = [
        "ok       master key: not there yet",
        "ok       pingup.db: not there yet",
        "ok       hub: not running",
    ];
    expect(&scratch, false, &expected);
}

#[test]
fn a_used_folder_is_counted_beside_a_running_hub() {
    let (bench, _) = used();
    let _lock = bench.scratch.folder.lock().unwrap();
    let version = format!("ok       pingup.db: version {}", SQLITE.len());
    let expected = [
        "ok       hub: running, pid",
        "ok       master key: 32 bytes",
        "ok       pingup.db: whole",
        &version,
        "ok       pingup.db: 0 rows in agents",
        "ok       history: raw: 3 rows",
        "ok       history: sealed samples from 2027-01-15T07:59:00Z to 2027-01-15T07:59:02Z",
        "ok       history: journal: 2 samples in 1 records, 0 torn bytes",
    ];
    expect(&bench.scratch, false, &expected);
}

#[test]
fn what_a_killed_hub_left_is_counted_too_and_what_nobody_lists_is_named() {
    let (bench, raw) = used();
    let other = raw.with_file_name("2027-01-15-0000000099.parquet");
    fs::write(&other, "half a part").unwrap();
    fs::write(bench.scratch.folder.duckdb_path(), "the former history").unwrap();
    let named = format!("ok       history: {} is not listed", other.display());
    let former = format!(
        "ok       history: {} is of the former version",
        bench.scratch.folder.duckdb_path().display()
    );
    expect(&bench.scratch, false, &["ok       history: raw: 3 rows", &named, &former]);
}

#[test]
fn a_part_that_is_gone_short_or_another_is_trouble() {
    let (bench, raw) = used();
    let whole = fs::read(&raw).unwrap();
    let trouble = format!("trouble  history: {}: ", raw.display());
    let mut damaged = whole.clone();
    let end = damaged.len() - 1;
    damaged[end] ^= 1;
    for bytes in [Some(&whole[1..]), Some(&damaged[..]), None] {
        match bytes {
            Some(bytes) => fs::write(&raw, bytes).unwrap(),
            None => fs::remove_file(&raw).unwrap(),
        }
        expect(&bench.scratch, true, &[&trouble]);
    }
    let hours = bench.files().into_iter().find(|file| file.to_string_lossy().contains("/hour/")).unwrap();
    fs::write(&raw, &whole).unwrap();
    expect(&bench.scratch, false, &["ok       history: raw: 3 rows"]);
    // Another part's rows, in a file of the right size.
    let connection = rusqlite::Connection::open(bench.scratch.folder.sqlite_path()).unwrap();
    connection.execute("UPDATE parts SET row_count = 4 WHERE tier = 'raw'", []).unwrap();
    expect(&bench.scratch, true, &[&format!("{trouble}it has 3 rows, 4 expected")]);
    fs::remove_dir_all(hours.parent().unwrap().parent().unwrap()).unwrap();
    expect(&bench.scratch, true, &["trouble  history: "]);
}

#[test]
fn a_record_that_this_program_does_not_know_is_trouble() {
    let (bench, _) = used();
    let journal = Places::below(bench.scratch.folder.path()).journal;
    let disk = bench.scratch.disk.clone();
    let mut other = crate::storage::Journal::open(&journal, disk, crate::storage::Faults::none()).unwrap();
    other.begin(9).unwrap();
    other.append(&[99]).unwrap();
    expect(&bench.scratch, true, &["trouble  history: segment 9 of the journal: a record of version 99"]);
}

#[test]
fn trouble_is_called_trouble() {
    let scratch = Scratch::new();
    drop(scratch.sqlite());
    fs::write(scratch.folder.sqlite_path(), "this is no database, and long enough to be looked at closely")
        .unwrap();
    fs::write(scratch.folder.master_path(), "short").unwrap();
    fs::set_permissions(scratch.folder.master_path(), Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(scratch.folder.path(), Permissions::from_mode(0o755)).unwrap();
    let expected = [
        "trouble  data folder:",
        "trouble  master key: the master key",
        "trouble  pingup.db: SQLite: file is not a database",
    ];
    expect(&scratch, true, &expected);
    assert!(matches!(check(scratch.folder.path()), Err(CliError::Trouble)));
}
