//! /prometheus/api/v1/write and /otlp/v1/metrics: what other people's senders bring, and what they are told.

mod clients;
mod crash;
mod delete;
mod door;
mod full;
mod kept;
mod limits;
mod otlp;
mod refusals;
mod shares;
mod write;

use crate::harness::{
    Hub,
    agent::now,
    wire::{Answer, Wire},
};
use pingup_server::http::protobuf::{put_bytes, put_eight, put_number};
use serde_json::{Value, json};

const WRITE: &str = "/prometheus/api/v1/write";
const OTLP: &str = "/otlp/v1/metrics";
const WRITTEN: [(&str, &str); 3] = [
    ("content-type", "application/x-protobuf"),
    ("content-encoding", "snappy"),
    ("x-prometheus-remote-write-version", "0.1.0"),
];
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// Now, in milliseconds since 1970.
fn now_ms() -> i64 {
    now().as_micros() / 1_000
}

/// A series of a request: its labels, and its samples by bits and moment.
pub fn series(labels: &[(&str, &str)], samples: &[(f64, i64)]) -> Vec<u8> {
    let mut series = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        put_bytes(&mut label, 1, name.as_bytes());
        put_bytes(&mut label, 2, value.as_bytes());
        put_bytes(&mut series, 1, &label);
    }
    for (value, at_ms) in samples {
        let mut sample = Vec::new();
        put_eight(&mut sample, 1, value.to_bits());
        put_number(&mut sample, 2, at_ms.cast_unsigned());
        put_bytes(&mut series, 2, &sample);
    }
    series
}

/// A request of these series, packed.
fn request(series: &[Vec<u8>]) -> Vec<u8> {
    let mut message = Vec::new();
    series.iter().for_each(|series| put_bytes(&mut message, 1, series));
    packed(&message)
}

fn packed(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}

fn write(sender: &Wire, body: &[u8]) -> Answer {
    sender.send("POST", WRITE, &WRITTEN, Some(body))
}

/// Writes what must be taken.
#[track_caller]
pub fn written(sender: &Wire, series: &[Vec<u8>]) {
    let answer = write(sender, &request(series));
    assert_eq!((answer.status, answer.text()), (204, ""));
}

/// A refusal as a line of text, and that line.
#[track_caller]
fn line(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    let text = answer.text();
    assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
    text.to_owned()
}

/// A request of OTLP in JSON, with these metrics of the service `shop`.
fn of_shop(metrics: &Value) -> Value {
    let name = json!({"key": "service.name", "value": {"stringValue": "shop"}});
    json!({"resourceMetrics": [{"resource": {"attributes": [name]}, "scopeMetrics": [{"metrics": metrics}]}]})
}

/// A gauge with one point.
fn gauge(name: &str, at_ms: i64, value: f64) -> Value {
    let point = json!({"timeUnixNano": (at_ms * 1_000_000).to_string(), "asDouble": value});
    json!({"name": name, "gauge": {"dataPoints": [point]}})
}

fn otlp(sender: &Wire, request: &Value) -> Answer {
    sender.send("POST", OTLP, &JSON, Some(&serde_json::to_vec(request).unwrap()))
}

/// All samples that a selector finds in the hour before `at_ms`, and up to it: series by their labels, samples as they
/// are answered.
fn samples(hub: &Hub, selector: &str, at_ms: i64) -> Vec<(Value, Value)> {
    let at = at_ms as f64 / 1_000.0;
    let query = super::prometheus::encode(&format!("{selector}[1h]"));
    let path = format!("/prometheus/api/v1/query?query={query}&time={at}");
    let answer = hub.operator("viewer").get(&path).expect(200);
    let result = answer["data"]["result"].as_array().unwrap().clone();
    result.into_iter().map(|series| (series["metric"].clone(), series["values"].clone())).collect()
}

/// A moment as answers have it: seconds, with a fraction where there is one.
fn moment(at_ms: i64) -> Value {
    match at_ms % 1_000 {
        0 => json!(at_ms / 1_000),
        _ => json!(at_ms as f64 / 1_000.0),
    }
}
