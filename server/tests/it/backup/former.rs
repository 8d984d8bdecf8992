//! The history of the former version, taken over once.

use super::{stored, succeeded};
use crate::harness::{Hub, agent::now};
use pingup_protocol::time::Timestamp;
use std::fs;

/// Leaves a data folder as the former version did: fifty samples of agent A, a second apart, from an hour ago on.
fn former_folder(hub: &Hub) -> Timestamp {
    fs::create_dir(hub.folder()).unwrap();
    let at = now().plus_seconds(-3_600);
    let former = duckdb::Connection::open(hub.folder().join("analytics.duckdb")).unwrap();
    former.execute_batch(include_str!("../../../src/tsdb/former/schema.sql")).unwrap();
    let rows = format!(
        "INSERT INTO metrics SELECT 'A', make_timestamp({}) + to_seconds(i), i, NULL, NULL, NULL, 'online', 1, i + 1, NULL
             FROM range(50) t(i);
         INSERT INTO marks VALUES ('A', 1, 50, make_timestamp({}))",
        at.as_micros(),
        at.plus_seconds(49).as_micros()
    );
    former.execute_batch(&rows).unwrap();
    at
}

#[test]
fn a_folder_of_the_former_version_is_migrated_and_goes_on() {
    let mut hub = Hub::prepare(&[]);
    let at = former_folder(&hub);
    let backup = hub.beside().join("backup");
    assert!(succeeded(&hub.run(&["migrate"])).contains("50 samples and 0 scans taken over"));
    assert!(!succeeded(&hub.run(&["migrate"])).contains("analytics.duckdb"));
    succeeded(&hub.run(&["backup", backup.to_str().unwrap()]));
    hub.restart();
    hub.register("A");
    assert_eq!(stored(&hub, "A", at), (0..50).map(|second| (second, 1)).collect());
    let aside = hub.folder().join("analytics.duckdb.taken-over");
    assert!(aside.is_file() && !hub.folder().join("analytics.duckdb").exists());
}

#[test]
fn a_hub_that_starts_on_a_folder_of_the_former_version_takes_it_over_once() {
    let mut hub = Hub::prepare(&[]);
    let at = former_folder(&hub);
    hub.restart();
    let agent = hub.register("A");
    let all: Vec<_> = (0..50).map(|second| (second, 1)).collect();
    assert_eq!(stored(&hub, "A", at), all.iter().copied().collect());
    // What was committed then is a duplicate now.
    let again = agent.post("/api/v1/metrics", &agent.batch(1, 50..=50, at.plus_seconds(-1))).expect(200);
    assert_eq!(again["duplicates"], 1, "{again}");
    hub.kill();
    hub.restart();
    assert_eq!(stored(&hub, "A", at), all.into_iter().collect());
}
