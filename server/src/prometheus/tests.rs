//! The room: who is asked about agents when, and what becomes of a question that nobody waits for.

use super::{written::Nobody, *};
use crate::tsdb::testing::Bench;
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{future::Future, pin::pin, task};
use tokio::runtime::Runtime;

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT version FROM agents_version", [], |row| row.get(0))
}

fn agents(connection: &Connection) -> rusqlite::Result<Vec<Agent>> {
    connection
        .prepare("SELECT id, name FROM agents")?
        .query_map([], |row| {
            Ok(Agent {
                id: AgentId::parse(&row.get::<_, String>(0)?).unwrap(),
                name: row.get(1)?,
                facts: Vec::new(),
                labels: Vec::new(),
                created_at: Timestamp::from_micros(0),
                removed_at: None,
                farewells: Vec::new(),
            })
        })?
        .collect()
}

fn room(bench: &Bench) -> Prometheus {
    let (tsdb, readers, sqlite) = (bench.tsdb.clone(), bench.engine.readers().clone(), bench.sqlite.clone());
    let written = Arc::new(Nobody);
    Prometheus::new(tsdb, readers, sqlite, bench.clock.clone(), Neighbours { version, agents }, written)
}

async fn write(bench: &Bench, sql: &'static str) {
    let work = move |connection: &Connection| connection.execute_batch(sql).map_err(StorageError::from);
    bench.sqlite.write(work).await.unwrap();
}

async fn instances(room: &Prometheus) -> Vec<String> {
    let asked = |source: &Source, _: &Cancel, _: &Wanted| {
        let values = source.label_values("instance", &[], 0, i64::MAX).unwrap();
        Ok::<_, StorageError>(values.iter().map(ToString::to_string).collect())
    };
    room.ask(asked).await.unwrap()
}

#[test]
fn agents_are_known_by_what_they_are_called_now() {
    let bench = Bench::new();
    Runtime::new().unwrap().block_on(renaming(&bench));
}

async fn renaming(bench: &Bench) {
    let room = room(bench);
    assert_eq!(instances(&room).await, [""; 0]);
    write(bench, "INSERT INTO agents (id, created_at) VALUES ('a', 0)").await;
    assert_eq!(instances(&room).await, ["a"]);
    let before = room.people().await.unwrap();
    write(bench, "UPDATE agents SET last_seen_at = 7").await;
    assert!(Arc::ptr_eq(&before, &room.people().await.unwrap()), "nothing is read anew for a heartbeat");
    write(bench, "UPDATE agents SET name = 'web'").await;
    assert_eq!(instances(&room).await, ["web"]);
}

#[test]
fn who_hangs_up_cancels() {
    let bench = Bench::new();
    Runtime::new().unwrap().block_on(hanging_up(&bench));
}

async fn hanging_up(bench: &Bench) {
    let room = room(bench);
    let (told, heard) = std::sync::mpsc::channel();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let asked = move |_: &Source, cancel: &Cancel, _: &Wanted| {
        let _ = begun.send(());
        while !cancel.is_cancelled() {
            std::thread::yield_now();
        }
        told.send(()).map_err(|_| StorageError::Closed)
    };
    {
        let mut question = pin!(room.ask(asked));
        let mut begins = pin!(begins);
        std::future::poll_fn(|context| {
            assert!(question.as_mut().poll(context).is_pending());
            match begins.as_mut().poll(context) {
                task::Poll::Ready(_) => task::Poll::Ready(()),
                task::Poll::Pending => task::Poll::Pending,
            }
        })
        .await;
    }
    heard.recv().unwrap();
}
