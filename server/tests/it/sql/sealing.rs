//! While segments are sealed every question sees each row once.

use super::PATH;
use crate::{
    crash::sealing::every_row_is_seen_once_while_segments_are_sealed,
    harness::{Hub, wire::Wire},
};
use pingup_protocol::time::Timestamp;
use serde_json::json;

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
    every_row_is_seen_once_while_segments_are_sealed(&hub, count);
}
