//! The history's engine under deadlines, hang-ups, and errors that are fatal to it.

use super::*;
use crate::storage::scratch::Scratch;
use std::sync::mpsc;

fn count(connection: &Connection) -> Result<i64, StorageError> {
    Ok(connection.query_row("SELECT count(*) FROM marks", [], |row| row.get(0))?)
}

fn add(seq: i64) -> impl FnOnce(&Connection) -> duckdb::Result<()> {
    move |connection| {
        connection.execute_batch(&format!("BEGIN; INSERT INTO marks VALUES ('a', 1, {seq}, NULL); COMMIT"))
    }
}

/// Takes longer than any test: a product of ranges, counted one by one.
fn endless(connection: &Connection) -> Result<i64, StorageError> {
    let sql = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE (a.range * b.range) % 7 = 3";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

#[tokio::test]
async fn what_was_written_is_read_and_survives() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    duck.write_blocking(add(1)).unwrap();
    assert_eq!(duck.read(count).await.unwrap(), 1);
    drop(duck);
    assert_eq!(scratch.duck().read(count).await.unwrap(), 1);
}

#[tokio::test]
async fn a_failed_write_leaves_nothing_and_the_next_one_works() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let failed = duck.write_blocking(|connection| {
        connection.execute_batch(
            "BEGIN; INSERT INTO marks VALUES ('a', 1, 1, NULL); INSERT INTO nowhere VALUES (1)",
        )
    });
    assert!(matches!(&failed, Err(error @ StorageError::Duckdb(_)) if !error.is_transient()));
    duck.write_blocking(add(2)).unwrap();
    assert_eq!(duck.read(count).await.unwrap(), 1);
    assert_eq!(duck.reopened(), 0, "an ordinary error does not cost the instance");
}

#[tokio::test]
async fn a_query_out_of_time_is_stopped() {
    let scratch = Scratch::new();
    let settings =
        DuckSettings { query_time_max: Duration::from_millis(50), queries_max: 1, ..DuckSettings::default() };
    let duck =
        Duck::open(&scratch.folder.duckdb_path(), settings, scratch.disk.clone(), Timestamp::default())
            .unwrap();
    assert!(matches!(duck.read(endless).await, Err(StorageError::Timeout)));
    // Its turn is free again only once it has really ended.
    assert_eq!(duck.read(count).await.unwrap(), 0);
}

#[tokio::test]
async fn a_query_nobody_waits_for_is_stopped_and_a_turn_has_to_be_waited_for() {
    let scratch = Scratch::new();
    let settings =
        DuckSettings { turn_wait: Duration::from_millis(50), queries_max: 1, ..DuckSettings::default() };
    let duck =
        Duck::open(&scratch.folder.duckdb_path(), settings, scratch.disk.clone(), Timestamp::default())
            .unwrap();
    let (started, running) = tokio::sync::oneshot::channel();
    let (ended, end) = mpsc::channel();
    let asked = tokio::spawn({
        let duck = duck.clone();
        async move {
            let query = move |connection: &Connection| {
                started.send(()).unwrap();
                let answer = endless(connection);
                ended.send(answer.is_err()).unwrap();
                answer
            };
            duck.read(query).await
        }
    });
    running.await.unwrap();
    assert!(matches!(duck.read(count).await, Err(StorageError::Busy)));
    asked.abort();
    assert!(spawn_blocking(move || end.recv()).await.unwrap().unwrap(), "the query itself was stopped");
}

#[tokio::test]
async fn nothing_outside_the_folder_can_be_reached() {
    let scratch = Scratch::new();
    let outside = tempfile::tempdir().unwrap();
    let copy = format!("COPY marks TO '{}'", outside.path().join("stolen.csv").display());
    let refused = scratch.duck().write_blocking(|connection| connection.execute_batch(&copy));
    assert!(matches!(refused, Err(StorageError::Duckdb(_))), "{refused:?}");
}

#[tokio::test]
async fn below_the_reserve_only_work_that_frees_space_gets_through() {
    let scratch = Scratch::with_reserve(u64::MAX);
    let settings = DuckSettings::default();
    // Opening writes nothing that would need the reserve's leave.
    let duck =
        Duck::open(&scratch.folder.duckdb_path(), settings, scratch.disk.clone(), Timestamp::default())
            .unwrap();
    assert!(matches!(duck.write_blocking(add(1)), Err(StorageError::Full)));
    assert!(matches!(duck.probe(), Err(StorageError::Full)));
    duck.reclaim_blocking(|connection| connection.execute_batch("DELETE FROM marks")).unwrap();
    assert_eq!(duck.read(count).await.unwrap(), 0);
}
