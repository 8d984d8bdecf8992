//! `check` on data folders that are new, used, in use and broken.

use super::*;
use crate::{
    audit::store,
    storage::{inspect, migrate::SQLITE, scratch::Scratch},
    tsdb::{
        record::OwnedRows,
        rows::{PointRow, SeriesId},
        testing::{Bench, NOW},
    },
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
fn points_and_their_series_are_counted() {
    let mut bench = Bench::new();
    let point =
        |series| PointRow { series: SeriesId::new(series), at_ms: NOW.as_micros() / 1_000, value: 0.5 };
    bench.append(&OwnedRows { points: vec![point(1), point(2)], ..OwnedRows::default() }).unwrap();
    bench.seal_all();
    bench.append(&OwnedRows { points: vec![point(1)], ..OwnedRows::default() }).unwrap();
    let insert = "INSERT INTO written_series (sender, labels, first_at, last_at) VALUES ('s', '[]', 0, 0)";
    let written = bench.sqlite.reclaim_blocking(move |connection| {
        Ok::<_, crate::storage::StorageError>(connection.execute_batch(insert)?)
    });
    written.unwrap();
    let expected = [
        "ok       pingup.db: 1 rows in written_series",
        "ok       history: points: 2 rows",
        "ok       history: journal: 0 samples and 1 points in 1 records, 0 torn bytes",
    ];
    expect(&bench.scratch, false, &expected);
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
        "ok       history: journal: 2 samples and 0 points in 1 records, 0 torn bytes",
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
    // What no reader notices.
    let mut changed = whole.clone();
    changed[whole.len() / 4] ^= 1;
    fs::write(&raw, &changed).unwrap();
    expect(&bench.scratch, true, &[&format!("{trouble}it is not what was written there")]);
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
fn what_is_damaged_is_told_and_taken_out_only_with_a_word() {
    let (bench, raw) = used();
    let data_dir = bench.scratch.folder.path();
    let drop_damaged = |is_confirmed| drop::drop_damaged(data_dir, is_confirmed, &bench.clock);
    let hub = bench.scratch.folder.lock().unwrap();
    let refused = drop_damaged(true).unwrap_err().to_string();
    assert!(refused.contains("another hub") && refused.contains("stop it first"), "{refused}");
    drop(hub);
    let export = bench.scratch.folder.hold().unwrap();
    let refused = drop_damaged(true).unwrap_err().to_string();
    assert!(refused.contains("a backup or an export"), "{refused}");
    drop(export);
    assert!(drop_damaged(true).is_ok(), "nothing is damaged");
    fs::write(&raw, "damaged").unwrap();
    let said = format!("trouble  history: {}: it has 7 bytes", raw.display());
    expect(&bench.scratch, true, &[&said]);
    let refused = drop_damaged(false).unwrap_err().to_string();
    assert!(refused.contains("nothing was changed") && refused.contains("--yes"), "{refused}");
    assert!(raw.exists());
    drop_damaged(true).unwrap();
    let records = inspect::open_records(&bench.scratch.folder.sqlite_path()).unwrap();
    let row = store::behind(&records, 0, 9).unwrap().remove(0);
    assert_eq!((row.act.as_str(), row.by.as_str()), ("history.dropped", "command-line"));
    assert!(row.detail.get().starts_with(r#"{"files":1,"rows":"#), "{}", row.detail);
    drop(records);
    let aside = data_dir.join("history/damaged");
    let kept = format!("ok       history: {} has what was taken out", aside.display());
    expect(&bench.scratch, false, &["ok       history: raw: 0 rows", &kept]);
    assert_eq!(fs::read(aside.join("raw").join(raw.file_name().unwrap())).unwrap(), b"damaged");
    assert!(drop_damaged(true).is_ok(), "again there is nothing to do");
}

/// A file that is not there may be on a disk that is not mounted; one that may not be read may be whole.
#[test]
fn what_may_be_whole_is_not_taken_out() {
    let (bench, raw) = used();
    let drop_damaged = || drop::drop_damaged(bench.scratch.folder.path(), true, &bench.clock);
    let (folder, away) = (raw.parent().unwrap(), bench.scratch.folder.path().join("away"));
    fs::rename(folder, &away).unwrap();
    let refused = drop_damaged().unwrap_err().to_string();
    assert!(refused.contains("is not there, with all that is in it"), "{refused}");
    fs::rename(&away, folder).unwrap();
    // Its checksum holds: the disk is not to blame.
    let connection = rusqlite::Connection::open(bench.scratch.folder.sqlite_path()).unwrap();
    connection.execute("UPDATE parts SET row_count = 4 WHERE tier = 'raw'", []).unwrap();
    let refused = drop_damaged().unwrap_err().to_string();
    assert!(refused.contains("may be whole: it has 3 rows") && raw.exists(), "{refused}");
}

/// What a line tells of a part, and what is moved with it.
#[test]
fn what_is_lost_is_told_before() {
    let (bench, raw) = used();
    fs::remove_file(&raw).unwrap();
    let other = raw.with_file_name("2027-01-15-0000000099.parquet");
    fs::write(&other, "half a part").unwrap();
    let clearance = drop::plan(&bench.scratch.folder).unwrap();
    let mut findings = Findings::default();
    drop::tell(&clearance, &Places::below(bench.scratch.folder.path()), &mut findings);
    let expected = format!(
        "damaged  history: {}: it is missing; 3 rows of agents A to A, from 2027-01-15T07:59:00Z to 2027-01-15T07:59:02Z\n\
         aside    history: {}: not listed, may have rows of what is damaged, and is moved as well\n\
         trouble  history: 1 files are damaged, 3 rows\n",
        raw.display(),
        other.display(),
    );
    assert_eq!(findings.lines, expected);
}

/// A `pingup.db` that was lost, or is an older copy.
#[test]
fn files_that_another_pingup_db_knows_are_trouble() {
    let (bench, raw) = used();
    let connection = rusqlite::Connection::open(bench.scratch.folder.sqlite_path()).unwrap();
    connection.execute_batch("DELETE FROM parts; DELETE FROM sealed").unwrap();
    let named = format!("ok       history: {} is not listed; the hub does not start", raw.display());
    expect(&bench.scratch, true, &[&named, "trouble  history: pingup.db knows nothing of 2 files"]);
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
    assert!(matches!(check(&scratch.folder), Err(CliError::Trouble)));
}
