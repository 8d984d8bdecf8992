//! OTLP requests, read by themselves: the same in both encodings, what becomes of each kind of point, and what is left
//! out by which words.

mod hostile;
mod limited;
mod protobuf;

use super::*;
use crate::{
    http::{body::Budget, unpack::Allowance},
    series::{Described, MetricKind, handler::REQUEST_BYTES_MAX},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const NANOS: u64 = 1_763_216_880_123_999_999;
const AT: i64 = 1_763_216_880_123;

fn new() -> Brought {
    Brought::by("ada".to_owned(), Allowance::of(&Budget::senders(), REQUEST_BYTES_MAX))
}

/// What a request brings, and how many points were kept.
fn reading(encoding: Encoding, body: &[u8]) -> Result<(usize, Brought), String> {
    let mut brought = new();
    match read(encoding, body, &mut brought) {
        Ok(points) => Ok((points, brought)),
        Err(Unfit::Bad(why)) => Err(why),
        Err(Unfit::Refused(refusal)) => panic!("{refusal:?}"),
    }
}

fn read_json(request: &Value) -> (usize, Brought) {
    reading(Encoding::Json, &serde_json::to_vec(request).unwrap()).unwrap()
}

/// A request with these metrics of one service.
fn of_service(metrics: Value) -> Value {
    json!({"resourceMetrics": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "shop"}},
            {"key": "service.namespace", "value": {"stringValue": "eu"}},
            {"key": "service.instance.id", "value": {"stringValue": "i-1"}},
        ]},
        "scopeMetrics": [{"scope": {"name": "lib"}, "metrics": metrics}],
    }]})
}

/// Series by their text, each with its one sample.
fn series(brought: &Brought) -> BTreeMap<String, (i64, u64)> {
    let incoming = brought.pushes.iter().flat_map(|push| &push.series);
    let one = |series: &crate::series::Incoming| {
        assert_eq!(series.points.len(), 1);
        (series.labels.to_string(), (series.points[0].at_ms, series.points[0].value.to_bits()))
    };
    incoming.map(one).collect()
}

fn values(brought: &Brought) -> BTreeMap<String, f64> {
    series(brought).into_iter().map(|(name, (_, bits))| (name, f64::from_bits(bits))).collect()
}

fn expected(wanted: &[(&str, f64)]) -> BTreeMap<String, f64> {
    wanted.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

const OF_SHOP: &str = r#"instance="i-1", job="eu/shop""#;

fn named(name: &str, value: f64) -> (String, f64) {
    (name.replace("SHOP", OF_SHOP), value)
}

#[test]
fn gauges_and_sums_become_series() {
    let attributes = json!([
        {"key": "http.method", "value": {"stringValue": "GET"}},
        {"key": "http_method", "value": {"stringValue": "twice"}},
        {"key": "ok", "value": {"boolValue": true}},
        {"key": "n", "value": {"intValue": "-7"}},
        {"key": "d", "value": {"doubleValue": 0.5}},
        {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": 1}, {}]}}},
        {"key": "map", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": false}}]}}},
        {"key": "bytes", "value": {"bytesValue": "AAEC"}},
        {"key": "empty", "value": {"stringValue": ""}},
        {"key": "nothing", "value": {}},
        {"key": "job", "value": {"stringValue": "what measures comes first"}},
    ]);
    let (points, brought) = read_json(&of_service(json!([
        {"name": "memory.utilization", "unit": "1", "description": "How full.",
         "gauge": {"dataPoints": [{"timeUnixNano": NANOS.to_string(), "asDouble": 0.25, "attributes": attributes}]}},
        {"name": "requests", "sum": {"aggregationTemporality": 2, "isMonotonic": true,
         "dataPoints": [{"timeUnixNano": NANOS, "asInt": "9007199254740993"}]}},
        {"name": "connections", "unit": "{connection}", "sum": {
         "aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE",
         "dataPoints": [{"timeUnixNano": NANOS.to_string(), "asInt": -3, "whatever": [1]}]}},
        {"name": "odd", "gauge": {"dataPoints": [{"timeUnixNano": NANOS.to_string(), "asDouble": "-Infinity"}]}},
    ])));
    let own = r#"bytes="AAEC", d="0.5", http_method="GET;twice", SHOP, list="[\"a\",1,null]", map="{\"k\":false}", n="-7", ok="true""#
        .replace("SHOP", OF_SHOP);
    let wanted: BTreeMap<_, _> = [
        (format!("memory_utilization_ratio{{{own}}}"), 0.25),
        named("requests_total{SHOP}", 9_007_199_254_740_992.0),
        named("connections{SHOP}", -3.0),
        named("odd{SHOP}", f64::NEG_INFINITY),
    ]
    .into();
    assert_eq!(values(&brought), wanted);
    assert!(series(&brought).values().all(|(at, _)| *at == AT), "milliseconds");
    assert_eq!((points, brought.refused.count, brought.refused.why()), (4, 0, String::new()));
    let described = |metric: &str, kind, help: &str| Described {
        metric: metric.to_owned(),
        kind,
        help: help.to_owned(),
        unit: String::new(),
    };
    assert_eq!(
        brought.pushes[0].described,
        [
            described("memory_utilization_ratio", MetricKind::Gauge, "How full."),
            described("requests_total", MetricKind::Counter, ""),
            described("connections", MetricKind::Gauge, ""),
            described("odd", MetricKind::Gauge, ""),
        ]
    );
}

#[test]
fn histograms_and_summaries_become_what_prometheus_has() {
    let (points, brought) = read_json(&of_service(json!([
        {"name": "wait", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [
            {"timeUnixNano": NANOS, "count": "6", "sum": 7.5, "bucketCounts": ["1", "2", 3], "explicitBounds": [0.005, 10]},
        ]}},
        {"name": "bare", "histogram": {"aggregationTemporality": 2, "dataPoints": [{"timeUnixNano": NANOS, "count": 4}]}},
        {"name": "quick", "summary": {"dataPoints": [
            {"timeUnixNano": NANOS, "count": 2, "sum": 3, "quantileValues": [{"quantile": 0.5, "value": 1.5}]},
        ]}},
    ])));
    let wanted: BTreeMap<_, _> = [
        (format!("wait_seconds_bucket{{{OF_SHOP}, le=\"0.005\"}}"), 1.0),
        (format!("wait_seconds_bucket{{{OF_SHOP}, le=\"10\"}}"), 3.0),
        (format!("wait_seconds_bucket{{{OF_SHOP}, le=\"+Inf\"}}"), 6.0),
        named("wait_seconds_count{SHOP}", 6.0),
        named("wait_seconds_sum{SHOP}", 7.5),
        (format!("bare_bucket{{{OF_SHOP}, le=\"+Inf\"}}"), 4.0),
        named("bare_count{SHOP}", 4.0),
        (format!("quick{{{OF_SHOP}, quantile=\"0.5\"}}"), 1.5),
        named("quick_count{SHOP}", 2.0),
        named("quick_sum{SHOP}", 3.0),
    ]
    .into();
    assert_eq!((values(&brought), points), (wanted, 3));
}

#[test]
fn a_point_without_a_value_any_more_ends_its_series() {
    let (_, brought) = read_json(&of_service(json!([
        {"name": "g", "gauge": {"dataPoints": [{"timeUnixNano": NANOS, "flags": 1}]}},
        {"name": "h", "histogram": {"aggregationTemporality": 2, "dataPoints": [
            {"timeUnixNano": NANOS, "flags": 1, "explicitBounds": [1]},
        ]}},
    ])));
    let series = series(&brought);
    assert_eq!(series.len(), 4, "{series:?}");
    assert!(series.values().all(|(_, bits)| *bits == pingup_promql::STALE_BITS));
}

#[test]
fn what_measures_is_told_once() {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let gauge =
        |nanos: u64| json!({"name": "g", "gauge": {"dataPoints": [{"timeUnixNano": nanos, "asInt": 1}]}});
    let metrics = |attributes: &[Value], metrics: Value| json!({"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": metrics}]});
    let request = json!({"resourceMetrics": [
        metrics(&[text("service.name", "shop"), text("host.name", "h")], json!([gauge(NANOS), gauge(NANOS + 5_000_000)])),
        // Nobody who could be told: no target_info.
        metrics(&[text("host.name", "h")], json!([gauge(NANOS)])),
        // Nothing to tell but who it is; nothing measured.
        metrics(&[text("service.name", "bare")], json!([gauge(NANOS)])),
        metrics(&[text("service.name", "idle"), text("host.name", "h")], json!([])),
        // Too long to be labels: a remark, and nothing is lost.
        metrics(&[text("service.instance.id", "i"), text("command", &"x".repeat(5_000))], json!([gauge(NANOS)])),
    ]});
    let (points, brought) = read_json(&request);
    let series = series(&brought);
    assert_eq!(
        series.keys().collect::<Vec<_>>(),
        [
            "g{instance=\"i\"}",
            "g{job=\"bare\"}",
            "g{job=\"shop\"}",
            "g{}",
            "target_info{host_name=\"h\", job=\"shop\"}"
        ]
    );
    assert_eq!(series["target_info{host_name=\"h\", job=\"shop\"}"], (AT + 5, 1.0_f64.to_bits()));
    assert_eq!((points, brought.refused.count), (5, 0));
    assert!(brought.refused.why().starts_with("target_info was left out: the value of \"command\""));
}

#[test]
fn what_cannot_be_stored_is_left_out_and_named() {
    let point = json!({"timeUnixNano": NANOS, "asInt": 1});
    let labelled = |key: &str, value: &str| json!({"timeUnixNano": NANOS, "asInt": 1, "attributes": [{"key": key, "value": {"stringValue": value}}]});
    let gauge = |name: &str, points: Value| json!({"name": name, "gauge": {"dataPoints": points}});
    let buckets = |bounds: Value, counts: Value| {
        json!({"name": "h", "histogram": {"aggregationTemporality": 2, "dataPoints": [
            {"timeUnixNano": NANOS, "count": 1, "bucketCounts": counts, "explicitBounds": bounds}]}})
    };
    for (metric, count, said) in [
        (
            json!({"name": "d", "sum": {"aggregationTemporality": 1, "dataPoints": [point, point]}}),
            2,
            "d: delta temporality is not stored here; send cumulative",
        ),
        (json!({"name": "d", "sum": {"dataPoints": [point]}}), 1, "delta temporality"),
        (
            json!({"name": "d", "histogram": {"aggregationTemporality": 1, "dataPoints": [{}]}}),
            1,
            "delta temporality",
        ),
        (
            json!({"name": "e", "exponentialHistogram": {"dataPoints": [{"scale": 3}, {}]}}),
            2,
            "e: exponential histograms are not stored here",
        ),
        (gauge("", json!([point])), 1, "\"\" is no name of a metric"),
        (gauge("ü", json!([point])), 1, "\"ü\" is no name of a metric"),
        (gauge("pingup.up", json!([point])), 1, "pingup_up: the metric \"pingup_up\" is the hub's own"),
        (gauge("g", json!([{"asInt": 1}])), 1, "g: a point has no time"),
        (gauge("g", json!([{"timeUnixNano": NANOS}])), 1, "g: a point has no value"),
        (gauge("g", json!([labelled("a", &"v".repeat(5_000))])), 1, "g: the value of \"a\" has 5000 bytes"),
        (buckets(json!([1, 2]), json!([1, 2])), 1, "h: a histogram's buckets do not fit"),
        (buckets(json!([2, 1]), json!([1, 2, 3])), 1, "h: a histogram's buckets do not fit"),
        (buckets(json!([1, "NaN"]), json!([1, 2, 3])), 1, "h: a histogram's buckets do not fit"),
        (buckets(json!([1, "Infinity"]), json!([1, 2, 3])), 1, "h: a histogram's buckets do not fit"),
    ] {
        let (points, brought) = read_json(&of_service(json!([gauge("ok", json!([point])), metric])));
        assert_eq!((points, brought.refused.count), (1, count), "{metric}");
        assert_eq!(values(&brought), expected(&[(&format!("ok{{{OF_SHOP}}}"), 1.0)]));
        assert!(brought.refused.why().contains(said), "{}", brought.refused.why());
    }
}
