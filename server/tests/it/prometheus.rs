//! /prometheus/api/v1: what Grafana and Prometheus's own clients ask, and what they are told.

pub mod clients;
mod crowd;
mod door;
mod limits;
mod read;
mod shapes;

use crate::harness::{
    Hub,
    agent::now,
    wire::{Answer, Wire},
};
use flate2::read::GzDecoder;
use pingup_protocol::time::Timestamp;
use serde_json::{Value, json};
use std::io::Read;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Two agents, and ten minutes of an hour ago.
struct Scene {
    hub: Hub,
    viewer: Wire,
    /// When the ten minutes began, in seconds since 1970: a whole minute.
    begin: i64,
}

impl Scene {
    /// Agent A's processor goes up by one every 30 s from 0 on, agent B's down from 100.
    fn set() -> Self {
        let hub = Hub::start();
        let begin = (now().as_micros() / 1_000_000 - 3_600) / 60 * 60;
        for (id, from, by) in [("A", 0.0, 1.0), ("B", 100.0, -1.0)] {
            let agent = hub.register(id);
            for sample in 0..=20_i32 {
                let at = Timestamp::from_micros((begin + 30 * i64::from(sample)) * 1_000_000);
                let body = json!({
                    "agentId": id, "timestamp": at, "status": "online",
                    "metrics": {"cpu": from + by * f64::from(sample), "latency": 8.25, "load1": 0.5},
                });
                agent.post("/api/v1/metrics", &body).expect(200);
            }
        }
        let viewer = hub.operator("viewer");
        Self { hub, viewer, begin }
    }

    /// A GET behind the prefix.
    fn get(&self, path: &str) -> Answer {
        self.viewer.get(&format!("/prometheus/api/v1/{path}"))
    }

    /// A form, posted behind the prefix.
    fn post(&self, path: &str, form: &str) -> Answer {
        self.viewer.send("POST", &format!("/prometheus/api/v1/{path}"), &[FORM], Some(form.as_bytes()))
    }
}

/// An answer's body, unpacked if it is packed.
fn plain(answer: &Answer) -> Vec<u8> {
    if answer.header("content-encoding") != Some("gzip") {
        return answer.body.clone();
    }
    let mut text = Vec::new();
    GzDecoder::new(&*answer.body).read_to_end(&mut text).unwrap();
    text
}

/// Checks an error in Prometheus's envelope, and gives its text.
#[track_caller]
fn failed(answer: &Answer, status: u16, kind: &str) -> String {
    let error = answer.json();
    assert_eq!((answer.status, &error["errorType"]), (status, &json!(kind)), "{error}");
    assert_eq!(error["status"], "error");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    error["error"].as_str().unwrap().to_owned()
}

/// The data of an answer that is one.
#[track_caller]
fn data(answer: &Answer) -> Value {
    let body = answer.expect(200);
    assert_eq!(body["status"], "success");
    body["data"].clone()
}

/// Percent-encodes all that is not a letter or a digit.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
