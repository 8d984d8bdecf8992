//! A hub with an hour of a fleet: agents that are silent, sign off, begin late, start anew and measure seldom; counters
//! that fall back, values that have no end in base two, and every metric that a dashboard names. Beside them stand series
//! that others write, with what agents cannot measure: numbers that are none, markers, and a histogram's own buckets.
//!
//! Samples lie three milliseconds behind the second and queries ask a quarter of a second behind it, so no window begins
//! where a sample lies. The hour begins at a multiple of all steps of random queries, and of what they divide moments by: the
//! same seed asks the same on any day.

use super::boards;
use crate::{
    harness::{
        Hub,
        agent::{Agent, now},
    },
    series::{series, written},
};
use pingup_promql::{
    Labels, MemorySource,
    testing::{Random, counters_and_gauges},
};
use pingup_protocol::time::Timestamp;
use serde_json::{Map, Value, json};

/// Seconds between two samples of an agent.
const EVERY: i64 = 15;
/// How many there are in the hour.
const SAMPLES: i64 = 240;
/// What the beginning is a multiple of, in seconds.
const ALIGNED: i64 = 21_000;
/// How long after its beginning everything that is asked about is past, in seconds.
pub const SPAN: i64 = 3_900;
/// When the buckets of all histograms are empty again.
const EMPTIED: i64 = 130;
/// What a series that is written holds, over and over: the edges of what a number may be.
const ODD: [f64; 8] = [1.0, f64::INFINITY, f64::NAN, -0.0, 5e-324, f64::NEG_INFINITY, 1e300, -2.5];
/// The seed of all other series that are written.
const WRITTEN_SEED: u64 = 5;

/// Ids and names. Behind the hyphen stands the bound of the agent's bucket.
pub const AGENTS: [(&str, &str); 8] = [
    ("web-0.5", "web"),
    ("web-1", "web"),
    ("web-5", "web"),
    ("web-Inf", "web"),
    ("db-0.5", "db"),
    ("db-1", "db"),
    ("db-5", "db"),
    ("db-Inf", "db"),
];

/// Agents that sign off: which, and seconds after the beginning.
const FAREWELLS: [(usize, i64); 2] = [(5, 149 * EVERY + 7), (6, 119 * EVERY + 5)];
/// The first sample after an agent's farewell.
const BACK: [(usize, i64); 2] = [(5, 190), (6, 124)];

/// The hub, and when its hour begins.
pub struct Scene {
    /// It runs.
    pub hub: Hub,
    /// Seconds since 1970.
    pub begin: i64,
    /// The series that others wrote.
    pub written: MemorySource,
}

impl Scene {
    /// Starts a hub and sends it everything.
    pub fn set() -> Self {
        let begin = (now().as_micros() / 1_000_000 - SPAN - 300) / ALIGNED * ALIGNED;
        let mut scene = Self { hub: Hub::start(), begin, written: MemorySource::default() };
        for (place, (id, name)) in AGENTS.into_iter().enumerate() {
            let agent = scene.hub.register(id);
            scene
                .hub
                .operator("operator")
                .patch(&format!("/api/v1/agents/{id}"), &json!({ "name": name }))
                .expect(200);
            scene.introduce(&agent, place);
            scene.send_samples(&agent, place);
            scene.send_scans(&agent, place);
        }
        scene.written = scene.sent_by_others();
        scene.grow_old();
        scene
    }

    /// A moment of the hour; milliseconds since 1970.
    pub fn at(&self, seconds: i64) -> i64 {
        (self.begin + seconds) * 1_000 + 250
    }

    /// A moment at which an agent may have measured, and at which windows begin where it did.
    pub fn on_edge(&self, seconds: i64) -> i64 {
        self.moment(seconds).as_micros() / 1_000
    }

    /// When agents signed off: which, and milliseconds since 1970.
    pub fn farewells(&self) -> impl Iterator<Item = (&'static str, i64)> {
        FAREWELLS.iter().map(|(place, seconds)| (AGENTS[*place].0, self.moment(*seconds).as_micros() / 1_000))
    }

    fn moment(&self, seconds: i64) -> Timestamp {
        Timestamp::from_micros((self.begin + seconds) * 1_000_000 + 3_000)
    }

    fn introduce(&self, agent: &Agent, place: usize) {
        let (host, system) = (format!("host{place}"), ["Debian", "Alpine"][place % 2]);
        let info = json!({"hostname": host, "os": system});
        let beat = json!({"agentId": agent.id, "timestamp": now(), "status": "online", "info": info});
        agent.post(&format!("/api/v1/agents/{}/heartbeat", agent.id), &beat).expect(200);
    }

    fn send_samples(&self, agent: &Agent, place: usize) {
        let back = BACK.iter().find(|(other, _)| *other == place).map_or(SAMPLES, |(_, sample)| *sample);
        let measured = measured(place);
        for (boot, samples) in [(1, 0..back), (2, back..SAMPLES)] {
            let first = samples.start;
            let told: Vec<Value> = samples
                .filter(|sample| is_there(place, *sample))
                .map(|sample| {
                    let status = if (sample + place as i64) % 29 == 0 { "error" } else { "online" };
                    let (at, metrics) = (self.moment(sample * EVERY), &measured[sample as usize]);
                    json!({"seq": sample - first + 1, "timestamp": at, "status": status, "metrics": metrics})
                })
                .collect();
            if !told.is_empty() {
                let body = json!({"agentId": agent.id, "boot": boot, "samples": told});
                agent.post("/api/v1/metrics", &body).expect(200);
            }
        }
    }

    fn send_scans(&self, agent: &Agent, place: usize) {
        for scan in (0..12_i64).filter(|_| place.is_multiple_of(4)) {
            let hosts: Vec<_> = (0..=(scan * 5 + place as i64) % 7)
                .map(|host| json!({"ip": format!("10.0.{place}.{}", host + 1), "ports": []}))
                .collect();
            let discovery = json!({"hosts": hosts, "duration": 1_000 + scan * 333});
            let body =
                json!({"agentId": agent.id, "timestamp": self.moment(scan * 290), "discovery": discovery});
            agent.post("/api/v1/discovery", &body).expect(200);
        }
    }

    /// Has a sender write series, and tells which.
    fn sent_by_others(&self) -> MemorySource {
        let random = counters_and_gauges(&mut Random::new(WRITTEN_SEED), SAMPLES * EVERY * 1_000);
        let mut source = MemorySource::default();
        for (labels, timestamps, values) in random.iter() {
            for (at, value) in timestamps.iter().zip(values) {
                // Of lines through infinities versions differ; there are some in the list.
                let value = if value.is_infinite() { f64::NAN } else { *value };
                source.put(labels, self.on_edge(0) + at, value);
            }
        }
        let odd = Labels::new([("__name__", "odd"), ("job", "api"), ("zone", "ä \"\\")]);
        for (sample, value) in (0..SAMPLES).zip(ODD.into_iter().cycle()) {
            source.put(&odd, self.on_edge(sample * EVERY), value);
        }
        let all: Vec<_> = source
            .iter()
            .map(|(labels, timestamps, values)| {
                let labels: Vec<_> = labels.iter().collect();
                let samples = values.iter().copied().zip(timestamps.iter().copied());
                series(&labels, &samples.collect::<Vec<_>>())
            })
            .collect();
        written(&self.hub.operator("writer"), &all);
        source
    }

    /// Has the agents been registered since before the hour, and signed off in it.
    fn grow_old(&mut self) {
        self.hub.stop();
        let records = rusqlite::Connection::open(self.hub.folder().join("pingup.db")).unwrap();
        let since = self.moment(-1_000).as_micros();
        assert_eq!(records.execute("UPDATE agents SET created_at = ?", [since]).unwrap(), AGENTS.len());
        for (place, seconds) in FAREWELLS {
            let row = (AGENTS[place].0, self.moment(seconds).as_micros());
            records.execute("INSERT INTO farewells (agent_id, at) VALUES (?, ?)", row).unwrap();
        }
        drop(records);
        self.hub.restart();
    }
}

/// Whether an agent sends this sample.
fn is_there(place: usize, sample: i64) -> bool {
    let back = BACK.iter().find(|(other, _)| *other == place).map_or(0, |(_, sample)| *sample);
    let gone = FAREWELLS.iter().find(|(other, _)| *other == place).map_or(0, |(_, at)| at / EVERY + 1);
    match place {
        1 => !(60..108).contains(&sample),
        2 => !(100..112).contains(&sample),
        3 => sample % 7 != 3,
        4 => sample >= 80,
        7 => sample % 4 == 0,
        _ => !(gone..back).contains(&sample),
    }
}

/// What an agent measures, sample by sample.
fn measured(place: usize) -> Vec<Map<String, Value>> {
    let mut own = Random::new(place as u64);
    // Those of one name fill the buckets of one histogram.
    let mut team = Random::new(100 + place as u64 / 4);
    // Whether a counter was zero before its first sample, versions of Prometheus ask at different moments.
    let (mut count, mut bytes, mut bucket) = (40.0, 4_294_967_296.0, 0.0);
    let further: Vec<String> = boards::measurements();
    let part = |number: i64, most: i64, by: f64| (number.rem_euclid(most)) as f64 / by;
    let agent = place as i64;
    let sample = |sample: i64| {
        count = if own.percent(2) { 0.5 } else { count + own.below(8) as f64 / 2.0 };
        bytes += own.below(1_000) as f64 * 1_048_576.0;
        let observed: Vec<f64> = (0..4).map(|_| team.below(4) as f64).collect();
        bucket = if sample == EMPTIED { 0.0 } else { bucket + observed[..=place % 4].iter().sum::<f64>() };
        let mut metrics = Map::new();
        for name in &further {
            let steady = (50 + sample * (agent + 1)) as f64;
            let value = if name.ends_with("_total") { steady } else { part(sample + agent * 7, 21, 2.0) };
            metrics.insert(name.clone(), json!(value));
        }
        for (name, value) in [
            ("cpu", part(sample * 7_919 + agent * 31, 401, 4.0)),
            ("ram", part(sample * 37 + agent * 11, 1_000, 10.0)),
            ("disk", 70.0 + (sample / 60) as f64 / 4.0),
            ("latency", part(sample * 13 + agent, 97, 7.0)),
            ("load1", part(sample + agent * 17, 40, 10.0)),
            ("swap", part(sample * 3 + agent, 5, 1.0)),
            ("clock_offset_seconds", part(sample * 11 + agent, 50, 2.0) - 12.5),
            ("count_total", count),
            ("bytes_total", bytes),
            ("hist_bucket", bucket),
        ] {
            metrics.insert(name.to_owned(), json!(value));
        }
        metrics
    };
    (0..SAMPLES).map(sample).collect()
}
