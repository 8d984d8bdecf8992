//! What was written is kept as agents' rows are: over a stop, in a backup, and counted where people look.

use super::{gauge, moment, now_ms, of_shop, otlp, samples, series, written};
use crate::harness::Hub;
use serde_json::{Value, json};

/// What others wrote, in answers: the same of both doors, bits and all.
fn all(hub: &Hub, at: i64) -> Vec<(Value, Value)> {
    let mut found = samples(hub, "{__name__=~\"kept.*\"}", at);
    found.sort_by_key(|(labels, _)| labels.to_string());
    found
}

#[test]
fn what_was_written_goes_over_a_stop_and_into_a_backup() {
    let mut hub = Hub::start();
    let (sender, now) = (hub.operator("writer"), now_ms());
    let points = [(0.1, now - 60_000), (f64::INFINITY, now - 30_000), (-2.5, now)];
    written(&sender, &[series(&[("__name__", "kept"), ("zone", "ä\"\\")], &points)]);
    assert_eq!(otlp(&sender, &of_shop(&json!([gauge("kept_too", now, 3.0)]))).status, 200);
    let before = all(&hub, now);
    let values =
        json!([[moment(now - 60_000), "0.1"], [moment(now - 30_000), "+Inf"], [moment(now), "-2.5"]]);
    assert_eq!((before.len(), &before[0].1), (2, &values), "{before:?}");

    let backup = hub.beside().join("backup");
    let name = backup.to_str().unwrap();
    assert!(hub.run(&["backup", name]).status.success());
    hub.stop();
    hub.restart();
    assert_eq!(all(&hub, now), before);

    let mut other = Hub::prepare(&[]);
    assert!(other.run(&["restore", name]).status.success() && other.run(&["check"]).status.success());
    other.restart();
    assert_eq!(all(&other, now), before);
    // It goes on there, and what is sent again is seen once.
    written(&other.operator("writer"), &[series(&[("__name__", "kept"), ("zone", "ä\"\\")], &points)]);
    assert_eq!(all(&other, now), before);
}

#[test]
fn what_there_is_of_series_is_told_in_prometheuss_form() {
    let hub = Hub::start();
    let now = now_ms();
    let one = |zone: &str| series(&[("__name__", "kept"), ("zone", zone)], &[(1.0, now)]);
    written(&hub.operator("writer"), &[one("a"), one("b")]);
    let told = hub.operator("viewer").get("/prometheus/api/v1/status/tsdb").expect(200);
    let data = &told["data"];
    assert_eq!((&told["status"], &data["headStats"]["numSeries"]), (&json!("success"), &json!(2)), "{told}");
    for name in ["numLabelPairs", "chunkCount", "minTime", "maxTime"] {
        assert!(data["headStats"][name].is_i64(), "{name}: {told}");
    }
    assert_eq!(data["seriesCountByMetricName"], json!([{"name": "kept", "value": 2}]));
    let labels = json!([{"name": "zone", "value": 2}, {"name": "__name__", "value": 1}]);
    assert_eq!(data["labelValueCountByLabelName"], labels);
    assert_eq!(data["memoryInBytesByLabelName"], json!([]));
    assert_eq!(data["seriesCountByLabelValuePair"], json!([]));
    assert_eq!(data["seriesCountBySender"], json!([{"name": "writer", "value": 2}]));
}
