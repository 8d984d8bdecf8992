//! A disk that fills up, for real: files that may not grow beyond a limit, in a process of their own.
//!
//! The limit is the process's (`RLIMIT_FSIZE`), so the story runs in a child, started with the signal for it
//! ignored: writes then fail with "File too large" and the engine has to cope, as with "No space left".

use super::*;
use crate::storage::scratch::Scratch;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::process::Command;

fn limit_file_size(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

fn run(duck: &Duck, sql: &str) -> Result<(), StorageError> {
    duck.run_blocking(|connection| connection.execute_batch(sql).map_err(StorageError::from))
}

#[test]
#[ignore = "run by a_full_disk_refuses_a_file_and_is_forgotten in a process of its own"]
fn full_disk_story() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let folder = scratch.folder.path().display();
    // Numbers that compress badly: some 8 MB of them.
    let copy = format!("COPY (SELECT random() AS r FROM range(1000000)) TO '{folder}/rows.parquet'");
    // More than fits into the engine's memory, so it spills.
    let spill = "SELECT max(r) FROM (SELECT r, row_number() OVER (ORDER BY r) FROM \
                 (SELECT uuid()::VARCHAR AS r FROM range(3000000)))";
    run(&duck, spill).unwrap();
    limit_file_size(Some(1 << 20));
    for _ in 0..3 {
        let refusal = run(&duck, &copy).unwrap_err();
        assert!(matches!(refusal, StorageError::Full), "{refusal}");
        let refusal = run(&duck, spill).unwrap_err();
        assert!(refusal.is_transient(), "{refusal}");
        duck.probe().unwrap();
    }
    limit_file_size(None);
    run(&duck, &copy).unwrap();
    run(&duck, spill).unwrap();
    println!("reopened {}", duck.reopened());
}

#[test]
fn a_full_disk_refuses_a_file_and_is_forgotten() {
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
