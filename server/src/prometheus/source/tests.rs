//! Questions to a real store, against the same rows in the library's own source in memory, put there by the rules as
//! they are written.

mod labels;
mod queries;
mod random;
mod rollups;
mod short;

use super::*;
use crate::{
    prometheus::{agents::Agent, names::Metric, written::Nobody},
    tsdb::{
        record::{OwnedRows, OwnedSample, OwnedScan},
        testing::{Bench, agent_id},
    },
};
use pingup_promql::{Labels, METRIC_NAME, MemorySource, Options, Query, STALE, Steps, Value, parse_selector};
use pingup_protocol::{discovery::Scan as Scanned, metrics::Measurements, time::Timestamp};
use std::collections::BTreeMap;

const SECOND: i64 = 1_000_000;
/// An agent that is in no records.
const STRANGER: &str = "stranger";

/// A store, the agents in its records, and what is remembered of it.
struct House {
    bench: Bench,
    agents: Vec<Agent>,
    index: Arc<Index>,
    now_ms: i64,
}

impl House {
    fn new(bench: Bench, agents: Vec<Agent>) -> Self {
        Self { bench, agents, index: Arc::default(), now_ms: i64::MAX }
    }

    fn source(&self) -> Source {
        self.source_wanted(Wanted::default())
    }

    fn source_wanted(&self, wanted: Wanted) -> Source {
        let people = Arc::new(People::new(self.agents.clone()));
        let written = Arc::new(Nobody);
        Source::new(self.bench.tsdb.view(), people, Arc::clone(&self.index), written, wanted, self.now_ms)
    }

    fn append(&mut self, samples: Vec<OwnedSample>) {
        self.bench.append(&OwnedRows { samples, ..OwnedRows::default() }).unwrap();
    }

    /// The same in the library's own source.
    fn model(&self) -> MemorySource {
        let mut series: BTreeMap<(String, Metric), BTreeMap<i64, (i64, f64)>> = BTreeMap::new();
        let mut put = |agent: &str, metric: Metric, at: i64, value: f64| {
            let of_ms = series.entry((agent.to_owned(), metric)).or_default();
            let known = of_ms.entry(at.div_euclid(1_000)).or_insert((at, value));
            if at > known.0 || at == known.0 && value > known.1 {
                *known = (at, value);
            }
        };
        for row in self.bench.rows() {
            let (agent, at) = (row.agent_id.as_str(), row.timestamp.as_micros());
            let metrics = &row.metrics;
            let own = [metrics.cpu, metrics.ram, metrics.disk, metrics.latency.map(|ms| ms / 1_000.0)];
            for (place, value) in (0..).zip(own) {
                value.into_iter().for_each(|value| put(agent, Metric::Own(place), at, value));
            }
            for (name, value) in &metrics.further {
                put(agent, Metric::Further(name.as_str().into()), at, *value);
            }
            put(agent, Metric::Up, at, if row.status == "error" { 0.0 } else { 1.0 });
        }
        let known = self.agents.iter().map(|agent| agent.id.as_str());
        let ids: Vec<_> = known.chain([STRANGER]).collect();
        for row in self.bench.scans(&ids) {
            let (agent, at) = (row.agent_id.as_str(), row.timestamp.as_micros());
            put(agent, Metric::ScanHosts, at, row.scan.hosts.len() as f64);
            put(agent, Metric::ScanSeconds, at, row.scan.duration / 1_000.0);
        }
        let mut model = MemorySource::default();
        let people = People::new(self.agents.clone());
        for ((agent, metric), samples) in series {
            let person = people.get(&agent);
            let labels = person.labels.with(METRIC_NAME, &metric.name());
            samples.iter().for_each(|(at, (_, value))| model.put(&labels, *at, *value));
            for end in &person.farewells {
                let before = samples.range(..=*end).next_back().map(|(at, _)| *at);
                let Some(before) = before else { continue };
                let marked = (*end).max(before + 1);
                if !samples.contains_key(&marked) {
                    model.put(&labels, marked, STALE);
                }
            }
        }
        for person in people.iter() {
            let Some((labels, from, until)) = &person.info else { continue };
            let labels = labels.with(METRIC_NAME, "pingup_agent_info");
            let end = (*until).min(self.now_ms).min(100 * 60_000);
            let minutes = (from.div_euclid(60_000)..=end.div_euclid(60_000)).map(|minute| minute * 60_000);
            let since = minutes.filter(|at| at > from);
            std::iter::once(*from)
                .chain(since)
                .filter(|at| *at <= end)
                .for_each(|at| model.put(&labels, at, 1.0));
            if *until == end && until.rem_euclid(60_000) != 0 {
                model.put(&labels, *until, STALE);
            }
        }
        model
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * SECOND)
}

fn agent(id: &str, name: Option<&str>) -> Agent {
    Agent {
        id: agent_id(id),
        name: name.map(str::to_owned),
        facts: vec![("os", format!("os of {id}"))],
        labels: Vec::new(),
        created_at: at(0),
        removed_at: None,
        farewells: Vec::new(),
    }
}

fn sample(agent: &str, seq: u64, at: Timestamp, metrics: Measurements) -> OwnedSample {
    let (agent_id, stream, status) = (agent_id(agent), Some((1, seq)), "online".to_owned());
    OwnedSample { agent_id, stream, timestamp: at, status, metrics }
}

fn cpu(value: f64) -> Measurements {
    Measurements { cpu: Some(value), ..Measurements::default() }
}

/// What a query comes to, in words: numbers to the last bit, NaN like NaN.
fn answer(source: &dyn SeriesSource, query: &str, steps: Steps) -> String {
    let answered = Query::parse(query).and_then(|query| match steps.step_ms {
        0 => query.instant(source, steps.start_ms, &Options::default()),
        _ => query.range(source, steps, &Options::default()),
    });
    match answered {
        Ok(answer) => format!("{:?}", answer.value),
        Err(error) => format!("{:?} {error}", error.kind()),
    }
}

fn instant(source: &dyn SeriesSource, query: &str, seconds: i64) -> String {
    let query = Query::parse(query).unwrap();
    let answer = query.instant(source, seconds * 1_000, &Options::default()).unwrap();
    match answer.value {
        Value::Vector(samples) => {
            let told = samples.iter().map(|sample| format!("{} {}", sample.labels, sample.value));
            told.collect::<Vec<_>>().join("\n")
        }
        other => format!("{other:?}"),
    }
}
