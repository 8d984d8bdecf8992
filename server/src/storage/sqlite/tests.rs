//! The records through their door: what lasts, who may write, and a disk that is full.

use super::*;
use crate::storage::scratch::Scratch;

#[tokio::test]
async fn what_was_written_is_read_and_survives() {
    let scratch = Scratch::new();
    let sqlite = scratch.sqlite();
    let add = |connection: &Connection| {
        connection.execute("INSERT INTO command_numbers VALUES (2026, 7)", []).map_err(StorageError::from)
    };
    assert_eq!(sqlite.write(add).await.unwrap(), 1);
    sqlite.close().await;
    drop(sqlite);
    assert_eq!(number(&scratch.sqlite()).await, Some(7));
}

async fn number(sqlite: &Sqlite) -> Option<i64> {
    let ask = |connection: &Connection| {
        connection
            .query_row("SELECT max(last) FROM command_numbers", [], |row| row.get(0))
            .map_err(StorageError::from)
    };
    sqlite.read(ask).await.unwrap()
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let scratch = Scratch::new();
    let refused = scratch
        .sqlite()
        .read(|connection| connection.execute("DELETE FROM agents", []).map_err(StorageError::from))
        .await;
    assert!(matches!(refused, Err(StorageError::Sqlite(_))), "{refused:?}");
}

#[tokio::test]
async fn without_room_the_engine_is_not_even_asked() {
    let scratch = Scratch::with_reserve(u64::MAX);
    let sqlite = scratch.sqlite();
    let refused: Result<(), _> =
        sqlite.write(|_| -> Result<(), StorageError> { unreachable!("never run") }).await;
    assert!(matches!(refused, Err(StorageError::Full)));
    assert!(matches!(sqlite.probe().await, Err(StorageError::Full)));
    assert_eq!(number(&sqlite).await, None, "reads go on");
}

#[tokio::test]
async fn only_a_probe_forgets_that_a_commit_failed() {
    let scratch = Scratch::new();
    let sqlite = scratch.sqlite();
    let run = |sql: &'static str| {
        sqlite.write(move |connection: &Connection| connection.execute_batch(sql).map_err(StorageError::from))
    };
    run("CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
    .await
    .unwrap();
    // A deferred constraint is checked by COMMIT itself.
    assert!(matches!(run("INSERT INTO child VALUES (9)").await, Err(StorageError::Commit(_))));
    run("SELECT 1").await.unwrap();
    let failed = || sqlite.0.last_commit_failed.load(Ordering::Relaxed);
    assert!(failed(), "a commit of nothing proves nothing");
    sqlite.probe().await.unwrap();
    assert!(!failed());
}

#[tokio::test]
async fn writes_work_again_as_soon_as_there_is_room_again() {
    let scratch = Scratch::new();
    let sqlite = scratch.sqlite();
    let limit = |pages: &'static str| {
        let sqlite = sqlite.clone();
        async move {
            let set = move |connection: &Connection| {
                connection.query_row(pages, [], |row| row.get::<_, i64>(0)).map_err(StorageError::from)
            };
            sqlite.write(set).await
        }
    };
    let fill = |connection: &Connection| {
        let sql =
            "INSERT INTO configs SELECT 'a', value, hex(zeroblob(60000)), 0, 'x' FROM json_each('[1,2,3,4]')";
        connection.execute(sql, []).map_err(StorageError::from)
    };
    limit("PRAGMA max_page_count = 1").await.unwrap();
    assert!(matches!(sqlite.write(fill).await, Err(StorageError::Full)));
    assert!(matches!(sqlite.write(fill).await, Err(StorageError::Full)), "and nothing of it was kept");
    limit("PRAGMA max_page_count = 1000000").await.unwrap();
    assert_eq!(sqlite.write(fill).await.unwrap(), 4);
    sqlite.probe().await.unwrap();
}

/// SQLite would else do it at each use of one that goes by an index's order and has parameters.
#[tokio::test]
async fn what_is_prepared_is_not_prepared_again() {
    use rusqlite::StatementStatus::{RePrepare, Run};
    let scratch = Scratch::new();
    let sqlite = scratch.sqlite();
    let use_often = |connection: &Connection| {
        let sql = "SELECT coalesce(max(version), 0) FROM configs WHERE agent_id = ?1";
        for _ in 0..3 {
            connection.prepare_cached(sql)?.query_row(["a"], |row| row.get::<_, u64>(0))?;
        }
        let used = connection.prepare_cached(sql)?;
        Ok::<_, StorageError>((used.get_status(Run), used.get_status(RePrepare)))
    };
    assert_eq!(sqlite.read(use_often).await.unwrap(), (3, 0));
    assert_eq!(sqlite.write(use_often).await.unwrap(), (3, 0));
}
