//! While segments are sealed every question sees each row once.

use super::PATH;
use crate::{
    crash::sealing::{a_day_ago, batch, is_sealed},
    harness::{Hub, eventually, wire::Wire},
};
use pingup_protocol::time::Timestamp;
use serde_json::json;
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

const BATCH: u64 = 10_000;
/// More than a segment takes.
const BATCHES: u64 = 8;

/// How many samples there are, and how many moments of them: as many.
fn count(viewer: &Wire, start: Timestamp) -> u64 {
    let query = format!(
        "SELECT count(*), count(DISTINCT timestamp) FROM metrics WHERE timestamp > '{start}' AND agent_id = 'A'"
    );
    let answer = viewer.post(PATH, &json!({"query": query})).expect(200);
    let [rows, moments] = [0, 1].map(|column| answer["rows"][0][column].as_u64().unwrap());
    assert_eq!(rows, moments, "no row twice");
    rows
}

#[test]
fn questions_see_every_row_once_while_segments_are_sealed() {
    let hub = Hub::start_with(&[("PINGUP_SQL_TIME_MAX", "10m")]);
    let (agent, viewer, start) = (hub.register("A"), hub.operator("viewer"), a_day_ago());
    let (sent, answered, ended) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..BATCHES {
                let body = batch(&agent, start, number);
                sent.fetch_add(BATCH, Ordering::SeqCst);
                agent.wire.post_bytes("/api/v1/metrics", &body).expect(200);
                answered.fetch_add(BATCH, Ordering::SeqCst);
            }
            eventually("the first segment is sealed", || is_sealed(&hub).then_some(()));
            ended.store(true, Ordering::SeqCst);
        });
        loop {
            let last_look = ended.load(Ordering::SeqCst);
            let at_least = answered.load(Ordering::SeqCst);
            let found = count(&viewer, start);
            let at_most = sent.load(Ordering::SeqCst);
            assert!((at_least..=at_most).contains(&found), "{found} rows of {at_least} to {at_most}");
            if last_look {
                assert_eq!(found, BATCHES * BATCH);
                break;
            }
        }
    });
}
