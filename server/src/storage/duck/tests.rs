//! The engine under deadlines, hang-ups, shutdown, and errors that are fatal to it.

use super::*;
use crate::storage::scratch::Scratch;
use std::sync::mpsc;
use tokio::task::spawn_blocking;

fn one(connection: &Connection) -> Result<i64, StorageError> {
    Ok(connection.query_row("SELECT 1", [], |row| row.get(0))?)
}

/// Takes longer than any test: a product of ranges, counted one by one.
fn endless(connection: &Connection) -> Result<i64, StorageError> {
    let sql = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE (a.range * b.range) % 7 = 3";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

fn duck(scratch: &Scratch, settings: DuckSettings) -> Duck {
    Duck::open(settings, &scratch.folder.path().join("tmp"), &[scratch.folder.path().to_owned()]).unwrap()
}

#[tokio::test]
async fn queries_and_background_work_are_answered() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    assert_eq!(duck.read(one).await.unwrap(), 1);
    assert_eq!(duck.run_blocking(one).unwrap(), 1);
    duck.probe().unwrap();
    let wrong = duck.run_blocking(|connection| {
        connection.execute_batch("SELECT * FROM nowhere").map_err(StorageError::from)
    });
    assert!(matches!(&wrong, Err(error @ StorageError::Duckdb(_)) if !error.is_transient()));
    assert_eq!(duck.reopened(), 0, "an ordinary error does not cost the instance");
}

#[tokio::test]
async fn a_query_out_of_time_is_stopped() {
    let settings =
        DuckSettings { query_time_max: Duration::from_secs(1), queries_max: 1, ..DuckSettings::default() };
    let scratch = Scratch::new();
    let duck = duck(&scratch, settings);
    assert!(matches!(duck.read(endless).await, Err(StorageError::Timeout)));
    // Its turn is free again only once it has really ended.
    assert_eq!(duck.read(one).await.unwrap(), 1);
    assert_eq!(duck.reopened(), 0, "a stopped query does not cost the instance");
}

#[tokio::test]
async fn a_query_nobody_waits_for_is_stopped_and_a_turn_has_to_be_waited_for() {
    let settings =
        DuckSettings { turn_wait: Duration::from_millis(50), queries_max: 1, ..DuckSettings::default() };
    let scratch = Scratch::new();
    let duck = duck(&scratch, settings);
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
    assert!(matches!(duck.read(one).await, Err(StorageError::Busy)));
    asked.abort();
    assert!(spawn_blocking(move || end.recv()).await.unwrap().unwrap(), "the query itself was stopped");
}

#[test]
fn background_work_is_stopped_with_everything_else() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let (started, running) = mpsc::channel();
    let working = std::thread::spawn({
        let duck = duck.clone();
        move || {
            duck.run_blocking(|connection| {
                started.send(()).unwrap();
                endless(connection)
            })
        }
    });
    running.recv().unwrap();
    assert!(duck.interrupt_all());
    assert!(working.join().unwrap().is_err_and(|error| error.is_transient()));
    assert_eq!(duck.run_blocking(one).unwrap(), 1, "what comes later is left alone");
}

#[tokio::test]
async fn an_instance_that_was_given_up_is_replaced_by_whoever_meets_it() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    for met in 1..=2 {
        assert_eq!(duck.read(one).await.unwrap(), 1);
        duck.0.instance.spoil();
        let fail = |connection: &Connection| {
            connection.execute_batch("SELECT * FROM nowhere").map_err(StorageError::from)
        };
        assert!(duck.read(fail).await.is_err());
        assert_eq!(duck.reopened(), met);
        assert_eq!(duck.read(one).await.unwrap(), 1);
    }
    // The new one is fenced and has its table function.
    let tray = duck.run_blocking(|c| c.execute_batch("FROM tray(0)").map_err(StorageError::from));
    assert!(tray.unwrap_err().to_string().contains("no tray 0"));
    assert!(duck.run_blocking(|c| c.execute_batch("SET threads = 1").map_err(StorageError::from)).is_err());
}
