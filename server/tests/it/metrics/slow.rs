//! A reader that is slow to take a long page, beside others.

use crate::harness::{Hub, PATIENCE, agent::now, eventually, refused};
use serde_json::{Map, json};
use std::io::Read;

/// As many as fit a batch of samples as wide as these.
const SAMPLES: u64 = 800;
const BATCHES: u64 = 3;
/// Measurements of a sample, with names as long as they may be.
const MEASUREMENTS: u64 = 60;

#[test]
fn who_is_slow_to_take_a_long_page_keeps_nobody_from_a_short_one() {
    let hub = Hub::start();
    let (wide, narrow) = (hub.register("A"), hub.register("B"));
    let from = now().plus_seconds(-3_600);
    let metrics: Map<_, _> = (0..MEASUREMENTS).map(|number| (format!("m{number:063}"), json!(0.5))).collect();
    for batch in 0..BATCHES {
        let mut body = wide.batch(1, batch * SAMPLES + 1..=(batch + 1) * SAMPLES, from);
        for sample in body["samples"].as_array_mut().unwrap() {
            sample["metrics"] = metrics.clone().into();
        }
        wide.post("/api/v1/metrics", &body).expect(200);
    }
    narrow.post("/api/v1/metrics", &narrow.batch(1, 1..=1_000, from)).expect(200);

    let viewer = hub.operator("viewer");
    let path = |agent: &str| format!("/api/v1/metrics/{agent}?from={from}&limit=10000");
    let head = format!(
        "GET {} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\naccept: application/json\r\n\r\n",
        path("A"),
        viewer.token()
    );
    let mut slow = viewer.half_sent(head.as_bytes());
    slow.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut begin = [0; b"HTTP/1.1 200".len()];
    slow.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");

    let page = viewer.get(&path("B"));
    assert_eq!(page.expect(200)["items"].as_array().unwrap().len(), 1_000);
    let problem = refused(&viewer.get(&path("A")), 503, "overloaded");
    assert!(problem["detail"].as_str().unwrap().contains("not taken yet"), "{problem}");
    drop(slow);
    eventually("there is room again", || (viewer.get(&path("A")).status == 200).then_some(()));
}
