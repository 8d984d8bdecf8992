//! OTLP: what is sent is read back under the names that Prometheus gives it.

use super::{JSON, OTLP, gauge, now_ms, of_shop, otlp, samples};
use crate::harness::Hub;
use flate2::{Compression, write::GzEncoder};
use pingup_server::http::protobuf::{put_bytes, put_eight, put_number};
use serde_json::{Value, json};
use std::io::Write;

#[test]
fn points_are_read_under_prometheuss_names() {
    let hub = Hub::start();
    let (sender, now) = (hub.operator("writer"), now_ms());
    let nanos = (now * 1_000_000 + 999_999).to_string();
    let sum = |name: &str, is_monotonic: bool| {
        json!({"name": name, "unit": "By", "sum": {"aggregationTemporality": 2, "isMonotonic": is_monotonic,
            "dataPoints": [{"timeUnixNano": nanos, "asInt": "7", "attributes": [
                {"key": "net.peer", "value": {"stringValue": "db"}}]}]}})
    };
    let buckets = json!({"name": "wait", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [
        {"timeUnixNano": nanos, "count": 3, "sum": 4.5, "bucketCounts": [1, 2], "explicitBounds": [0.5]}]}});
    let metrics = json!([gauge("memory.use", now, 0.5), sum("sent", true), sum("queued", false), buckets]);
    for _ in 0..2 {
        assert_eq!(otlp(&sender, &of_shop(&metrics)).expect(200), json!({}));
    }
    let point = |value: &str| json!([[super::moment(now), value]]);
    for (selector, labels, value) in [
        ("memory_use", json!({"job": "shop"}), "0.5"),
        ("sent_bytes_total", json!({"job": "shop", "net_peer": "db"}), "7"),
        ("queued_bytes", json!({"job": "shop", "net_peer": "db"}), "7"),
        ("wait_seconds_sum", json!({"job": "shop"}), "4.5"),
        ("wait_seconds_count", json!({"job": "shop"}), "3"),
        ("wait_seconds_bucket{le=\"0.5\"}", json!({"job": "shop", "le": "0.5"}), "1"),
        ("wait_seconds_bucket{le=\"+Inf\"}", json!({"job": "shop", "le": "+Inf"}), "3"),
    ] {
        let mut metric = labels;
        metric["__name__"] = selector.split('{').next().into();
        assert_eq!(samples(&hub, selector, now), [(metric, point(value))], "{selector}");
    }
    let path = format!(
        "/prometheus/api/v1/query?time={}&query={}",
        now as f64 / 1_000.0,
        super::super::prometheus::encode("histogram_quantile(0.5, wait_seconds_bucket)")
    );
    let answer = hub.operator("viewer").get(&path).expect(200);
    assert_eq!(answer["data"]["result"][0]["value"][1], "0.5");
}

/// Histograms with many attributes tell, in a message of a few megabytes, of more labels than a request may hold at once:
/// their series are committed while it is read.
#[test]
fn a_request_of_many_histograms_is_committed_while_it_is_read() {
    const POINTS: usize = 420;
    /// What all labels of a request's series may take in memory.
    const REQUEST_BYTES_MAX: usize = 32 * 1024 * 1024;
    let hub = Hub::start();
    let (sender, now) = (hub.operator("writer"), now_ms());
    let point = |number: usize| {
        let attribute = |place: usize| {
            let value = format!("{place}-{number}-{}", "v".repeat(950));
            json!({"key": format!("a{place}"), "value": {"stringValue": value}})
        };
        json!({"timeUnixNano": (now * 1_000_000).to_string(), "count": 66, "sum": number,
            "bucketCounts": (1..=11).collect::<Vec<_>>(), "explicitBounds": (1..=10).collect::<Vec<_>>(),
            "attributes": (0..7).map(attribute).collect::<Vec<_>>()})
    };
    let points: Vec<_> = (0..POINTS).map(point).collect();
    let wait = json!([{"name": "wait", "histogram": {"aggregationTemporality": 2, "dataPoints": points}}]);
    let series = 13 * POINTS;
    assert!(series * 7 * 950 > REQUEST_BYTES_MAX, "it would fit");
    assert_eq!(otlp(&sender, &of_shop(&wait)).expect(200), json!({}));
    let viewer = hub.operator("viewer");
    for (query, value) in [
        ("count({__name__=~\"wait_.*\"})", series),
        ("sum(wait_bucket{le=\"3\"})", 6 * POINTS),
        ("sum(wait_sum)", POINTS * (POINTS - 1) / 2),
    ] {
        let query = super::super::prometheus::encode(query);
        let path = format!("/prometheus/api/v1/query?time={}&query={query}", now as f64 / 1_000.0);
        let answer = viewer.get(&path).expect(200);
        assert_eq!(answer["data"]["result"][0]["value"][1], value.to_string(), "{query}: {answer}");
    }
}

#[test]
fn protobuf_packed_by_gzip_is_the_same() {
    let hub = Hub::start();
    let (sender, now) = (hub.operator("writer"), now_ms());
    let message = |number: u64, inner: &[u8]| {
        let mut out = Vec::new();
        put_bytes(&mut out, number, inner);
        out
    };
    let mut point = Vec::new();
    put_eight(&mut point, 3, (now * 1_000_000).cast_unsigned());
    put_eight(&mut point, 6, 42);
    let mut sum = message(1, &point);
    put_number(&mut sum, 2, 2);
    put_number(&mut sum, 3, 1);
    let metric = [message(1, b"jobs.done"), message(7, &sum)].concat();
    let body = message(1, &message(2, &message(2, &metric)));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&body).unwrap();
    let packed = encoder.finish().unwrap();
    let protobuf = ("content-type", "application/x-protobuf");
    for (headers, body) in [
        (&[protobuf][..], &body),
        (&[protobuf, ("content-encoding", "identity")], &body),
        (&[protobuf, ("content-encoding", "gzip")], &packed),
    ] {
        let answer = sender.send("POST", OTLP, headers, Some(body));
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/x-protobuf"));
    }
    assert_eq!(samples(&hub, "jobs_done_total", now)[0].1, json!([[super::moment(now), "42"]]));
    let _: Value = sender.send("POST", OTLP, &JSON, Some(b"{}")).expect(200);
}
