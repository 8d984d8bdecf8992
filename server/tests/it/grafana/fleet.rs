//! A fleet as it is played here: what its agents sent in the last six and a half hours, and what they found.
//!
//! Each but the first has something wrong, which one alert is for. The same fleet is put into memory as the series that
//! the hub makes of it, and sent to a real hub.

use super::names::MEASUREMENTS;
use pingup_promql::{Labels, MemorySource};
use serde_json::{Map, Value, json};

/// Seconds between an agent's samples.
pub const EVERY_SECONDS: i64 = 60;
/// How long the fleet has been at work, seconds.
pub const SINCE_SECONDS: i64 = 6 * 3_600 + 1_800;
/// When the one agent that fell silent did so, seconds ago.
const SILENT_SECONDS: i64 = 1_200;
/// Its scans, by how many seconds ago they were made, and how many hosts they found.
pub const SCANS: [(i64, u64); 4] = [(90_000, 5), (50_000, 4), (7_000, 7), (30, 6)];

/// The agents: id and name.
pub const AGENTS: [(&str, &str); 5] =
    [("A-1", "well"), ("A-2", "filling"), ("A-3", "busy"), ("A-4", "late"), ("A-5", "silent")];

/// One sample.
pub struct Sample {
    /// How long ago, seconds.
    pub ago: i64,
    /// Its `metrics`.
    pub metrics: Map<String, Value>,
}

/// What the agent of this name sent, oldest first.
pub fn samples(name: &str) -> Vec<Sample> {
    let last = if name == "silent" { SILENT_SECONDS } else { 0 };
    let times = (last..=SINCE_SECONDS).rev().filter(|ago| ago % EVERY_SECONDS == 0);
    times.map(|ago| Sample { ago, metrics: measured(name, ago) }).collect()
}

/// How the agent of this name says that it does.
pub fn status(name: &str) -> &'static str {
    if name == "late" { "error" } else { "online" }
}

fn measured(name: &str, ago: i64) -> Map<String, Value> {
    // Something that goes up and down, between 0 and 10.
    let wave = ((ago / EVERY_SECONDS) % 21 - 10).abs() as f64;
    let mut metrics: Map<_, _> =
        MEASUREMENTS.iter().map(|name| ((*name).to_owned(), json!(wave + 1.0))).collect();
    let filling = 93.0 - ago as f64 / 1_800.0;
    let cpu = if name == "busy" { 92.0 + wave / 2.0 } else { 20.0 + wave };
    let disk = if name == "filling" { filling } else { 70.0 };
    let offset = if name == "late" { -12.5 } else { wave / 100.0 };
    for (name, value) in [
        ("cpu", cpu),
        ("ram", 40.0 + wave),
        ("disk", disk),
        ("latency", 5.0),
        ("clock_offset_seconds", offset),
    ] {
        metrics.insert(name.to_owned(), json!(value));
    }
    metrics
}

/// The fleet's series as the hub makes them, until `now_ms`.
pub fn in_memory(now_ms: i64) -> MemorySource {
    let mut source = MemorySource::default();
    for (id, name) in AGENTS {
        let identity = [("agent_id", id), ("instance", name), ("job", "pingup")];
        let series = |metric: &str| Labels::new(identity).with("__name__", metric);
        let at = |ago: i64| now_ms - ago * 1_000;
        for Sample { ago, metrics } in samples(name) {
            for (measurement, value) in metrics {
                let value = value.as_f64().unwrap();
                let (metric, value) = match &*measurement {
                    "cpu" | "ram" | "disk" => (format!("pingup_{measurement}_percent"), value),
                    "latency" => ("pingup_latency_seconds".to_owned(), value / 1_000.0),
                    _ => (format!("pingup_{measurement}"), value),
                };
                source.put(&series(&metric), at(ago), value);
            }
            let up = if status(name) == "error" { 0.0 } else { 1.0 };
            source.put(&series("pingup_agent_up"), at(ago), up);
        }
        let facts = [
            ("hostname", name),
            ("os", "Debian"),
            ("arch", "x86_64"),
            ("version", "0.1.0"),
            ("ip", "10.0.0.1"),
        ];
        let info = facts.iter().fold(series("pingup_agent_info"), |info, (name, fact)| info.with(name, fact));
        (0..=SINCE_SECONDS / 60).for_each(|minute| source.put(&info, at(minute * 60), 1.0));
    }
    let scans = |metric: &str| {
        Labels::new([("agent_id", "A-1"), ("instance", "well"), ("job", "pingup")]).with("__name__", metric)
    };
    for (ago, hosts) in SCANS {
        source.put(&scans("pingup_discovery_hosts"), now_ms - ago * 1_000, hosts as f64);
        source.put(&scans("pingup_discovery_scan_seconds"), now_ms - ago * 1_000, 3.5);
    }
    source
}
