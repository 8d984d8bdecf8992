//! `check` on data folders that are new, used, in use and broken.

use super::*;
use crate::storage::scratch::Scratch;
use std::{fs::Permissions, os::unix::fs::PermissionsExt};

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

#[test]
fn an_empty_folder_is_no_trouble() {
    let scratch = Scratch::new();
    std::fs::remove_file(scratch.folder.master_path()).unwrap();
    let expected = [
        "ok       master key: not there yet",
        "ok       pingup.db: not there yet",
        "ok       hub: not running",
    ];
    expect(&scratch, false, &expected);
}

#[test]
fn a_used_folder_is_counted() {
    let scratch = Scratch::new();
    scratch.folder.master_or_create().unwrap();
    drop(scratch.sqlite());
    let duck = scratch.duck();
    let sql = "INSERT INTO metrics (agent_id, timestamp, status) VALUES ('a', '2026-02-25 10:00:00', 'ok')";
    duck.write_blocking(|connection| connection.execute_batch(sql)).unwrap();
    drop(duck);
    let expected = [
        "ok       master key: 32 bytes",
        "ok       pingup.db: whole",
        "ok       pingup.db: version 1",
        "ok       pingup.db: 0 rows in agents",
        "ok       analytics.duckdb: 1 rows in metrics",
        "ok       analytics.duckdb: samples from 2026-02-25T10:00:00Z to 2026-02-25T10:00:00Z",
    ];
    expect(&scratch, false, &expected);
}

#[test]
fn what_a_killed_hub_left_in_its_logs_is_counted_too() {
    let (killed, scratch) = (Scratch::new(), Scratch::new());
    let (_sqlite, duck) = (killed.sqlite(), killed.duck());
    let sql = "INSERT INTO metrics (agent_id, timestamp, status) VALUES ('a', '2026-02-25 10:00:00', 'ok')";
    duck.write_blocking(|connection| connection.execute_batch(sql)).unwrap();
    // The files as they are while both are open are what a kill leaves.
    for name in ["pingup.db", "pingup.db-wal", "analytics.duckdb", "analytics.duckdb.wal"] {
        fs::copy(killed.folder.path().join(name), scratch.folder.path().join(name)).unwrap();
    }
    expect(
        &scratch,
        false,
        &["ok       pingup.db: version 1", "ok       analytics.duckdb: 1 rows in metrics"],
    );
}

#[test]
fn beside_a_running_hub_the_rest_is_still_checked() {
    let scratch = Scratch::new();
    let (_lock, _sqlite, _duck) = (scratch.folder.lock().unwrap(), scratch.sqlite(), scratch.duck());
    let expected = [
        "ok       hub: running, pid",
        "ok       pingup.db: whole",
        "ok       analytics.duckdb: not looked into",
    ];
    expect(&scratch, false, &expected);
}

#[test]
fn trouble_is_called_trouble() {
    let scratch = Scratch::new();
    drop(scratch.sqlite());
    fs::write(scratch.folder.sqlite_path(), "this is no database, and long enough to be looked at closely")
        .unwrap();
    fs::write(scratch.folder.duckdb_path(), "neither is this").unwrap();
    fs::write(scratch.folder.master_path(), "short").unwrap();
    fs::set_permissions(scratch.folder.master_path(), Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(scratch.folder.path(), Permissions::from_mode(0o755)).unwrap();
    let expected = [
        "trouble  data folder:",
        "trouble  master key: the master key",
        "trouble  pingup.db: SQLite: file is not a database",
        "trouble  analytics.duckdb: DuckDB:",
    ];
    expect(&scratch, true, &expected);
    assert!(matches!(check(scratch.folder.path()), Err(CliError::Trouble)));
}
