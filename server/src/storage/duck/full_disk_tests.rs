//! The engine on a disk that fills up: it has to cope, and to forget.

use super::*;
use crate::storage::{full_disk, scratch::Scratch};

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
    full_disk::limit_file_size(Some(1 << 20));
    for _ in 0..3 {
        let refusal = run(&duck, &copy).unwrap_err();
        assert!(matches!(refusal, StorageError::Full), "{refusal}");
        let refusal = run(&duck, spill).unwrap_err();
        assert!(refusal.is_transient(), "{refusal}");
        duck.probe().unwrap();
    }
    full_disk::limit_file_size(None);
    run(&duck, &copy).unwrap();
    run(&duck, spill).unwrap();
    println!("reopened {}", duck.reopened());
}

#[test]
fn a_full_disk_refuses_a_file_and_is_forgotten() {
    full_disk::tell("storage::duck::full_disk_tests::full_disk_story");
}
