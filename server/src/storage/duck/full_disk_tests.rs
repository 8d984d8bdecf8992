//! A disk that fills up, for real: files that may not grow beyond a limit, in a process of their own.
//!
//! The limit is the process's (`RLIMIT_FSIZE`), so the story runs in a child, started with the signal for it
//! ignored: writes then fail with "File too large" and the engine has to cope, as with "No space left".

use super::*;
use crate::storage::scratch::Scratch;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{fs, process::Command};

/// Rows of one commit; some 2 MB of them go to the log.
const ROWS: u64 = 50_000;

fn limit_file_size(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

/// One commit of rows that compress badly, so that the files grow.
fn add_rows(duck: &Duck) -> Result<(), StorageError> {
    duck.write_blocking(|connection| {
        connection.execute_batch(&format!(
            "BEGIN; INSERT INTO metrics (agent_id, timestamp, cpu, ram, disk, status) \
             SELECT uuid()::VARCHAR, make_timestamp(range), random(), random(), random(), 'ok' FROM range({ROWS}); COMMIT"
        ))
    })
}

fn rows(duck: &Duck) -> u64 {
    duck.write_blocking(|connection| {
        connection.query_row("SELECT count(*) FROM metrics", [], |row| row.get(0))
    })
    .unwrap()
}

/// Adds rows until it cannot; checks that all that was confirmed is there, and never a part of a commit.
fn fill_up(duck: &Duck, confirmed: &mut u64) -> StorageError {
    let refusal = loop {
        match add_rows(duck) {
            Ok(()) => *confirmed += ROWS,
            Err(refusal) => break refusal,
        }
    };
    let found = rows(duck);
    assert!(found == *confirmed || found == *confirmed + ROWS, "{found} found, {confirmed} confirmed");
    *confirmed = found;
    refusal
}

#[test]
#[ignore = "run by a_full_disk_costs_nothing_that_was_confirmed in a process of its own"]
fn full_disk_story() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let mut confirmed = 0;
    let mut reopened = Vec::new();

    // The log cannot grow.
    limit_file_size(Some(6 << 20));
    for _ in 0..3 {
        let refusal = fill_up(&duck, &mut confirmed);
        assert!(matches!(refusal, StorageError::Full), "{refusal}");
        assert!(matches!(duck.probe(), Ok(()) | Err(StorageError::Full)));
    }
    reopened.push(duck.reopened());

    // The log can grow, the file cannot: checkpoints fail, and with them the instance.
    limit_file_size(None);
    for _ in 0..20 {
        add_rows(&duck).unwrap();
        confirmed += ROWS;
    }
    let size = fs::metadata(scratch.folder.duckdb_path()).unwrap().len();
    limit_file_size(Some(size.max(18 << 20) + (1 << 20)));
    for _ in 0..3 {
        let refusal = fill_up(&duck, &mut confirmed);
        assert!(refusal.is_transient(), "{refusal}");
    }
    reopened.push(duck.reopened());

    // There is room again, without anybody doing anything.
    limit_file_size(None);
    duck.probe().unwrap();
    add_rows(&duck).unwrap();
    confirmed += ROWS;
    assert_eq!(rows(&duck), confirmed);
    drop(duck);
    assert_eq!(rows(&scratch.duck()), confirmed);
    println!("size {size}, reopened {reopened:?}, confirmed {confirmed}");
    assert!(reopened[1] > reopened[0], "the fatal error was met");
}

#[test]
fn a_full_disk_costs_nothing_that_was_confirmed() {
    let story = "storage::duck::full_disk_tests::full_disk_story";
    let told = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", story, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success(), "{said}{}", String::from_utf8_lossy(&told.stderr));
    assert!(said.contains("1 passed"), "the story was not found: {said}");
}
