//! A hub's rooms for written series and questions, over one history, beside a model of all that they were given.

use crate::{
    app::written::Known,
    prometheus::{Agent, Neighbours, Prometheus, Source},
    series::{self, Committing, Incoming, Point, Push, Register, Series},
    storage::{StorageError, Wanted},
    tsdb::{
        record::{OwnedRows, OwnedSample},
        rows::{PointRow, SeriesId},
        testing::{Bench, Dice, NOW, agent_id},
    },
};
use pingup_promql::{Cancel, Labels, METRIC_NAME, MemorySource};
use pingup_protocol::{metrics::Measurements, time::Timestamp};
use std::{
    collections::BTreeMap,
    future::ready,
    sync::{Arc, Mutex},
};
use tokio::runtime::Runtime;

pub(super) const NOW_MS: i64 = NOW.as_micros() / 1_000;
pub(super) const MINUTE_MS: i64 = 60_000;
/// Back from now, minutes: so that days and segments are met.
pub(super) const MINUTES: u64 = 2_000;

/// Points of series by name and job, and of the agent's `cpu`.
type Model = BTreeMap<(String, String), BTreeMap<i64, f64>>;

/// Rooms over one history, and what they were given.
pub(super) struct Hub {
    pub(super) runtime: Runtime,
    pub(super) bench: Arc<Mutex<Bench>>,
    pub(super) room: Series,
    prometheus: Prometheus,
    model: Model,
    pub(super) cpu: BTreeMap<i64, f64>,
    pub(super) dice: Dice,
}

fn rooms(bench: &Arc<Mutex<Bench>>) -> (Series, Prometheus) {
    let of_bench = Arc::clone(bench);
    let commit = move |points| -> Committing {
        let rows = OwnedRows { points, ..OwnedRows::default() };
        of_bench.lock().unwrap().append(&rows).unwrap();
        Box::pin(ready(Ok(())))
    };
    let bench = bench.lock().unwrap();
    let register = Arc::new(Register::open(bench.sqlite.clone(), &bench.tsdb, 1_000, usize::MAX).unwrap());
    let series = Series::new(Arc::clone(&register), bench.tsdb.clone(), Arc::new(commit), |_, _| Ok(()));
    let known = Known { register, told: Arc::clone(series.told()) };
    let neighbours = Neighbours { version: |_| Ok(0), agents: |_| Ok(Vec::<Agent>::new()) };
    let (readers, clock) = (bench.engine.readers().clone(), bench.clock.clone());
    let prometheus = Prometheus::new(
        bench.tsdb.clone(),
        readers,
        bench.sqlite.clone(),
        clock,
        neighbours,
        Arc::new(known),
    );
    (series, prometheus)
}

/// Of a series of this name and job.
pub(super) fn labels(name: &str, job: &str) -> series::Labels {
    let pairs = [(METRIC_NAME, name), ("job", job)];
    series::Labels::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()).unwrap()
}

impl Hub {
    /// A new one, whose random steps follow from `seed`.
    pub(super) fn new(seed: u64) -> Self {
        let bench = Arc::new(Mutex::new(Bench::new()));
        let (room, prometheus) = rooms(&bench);
        let runtime = Runtime::new().unwrap();
        let (model, cpu, dice) = (Model::new(), BTreeMap::new(), Dice::seeded(seed));
        Self { runtime, bench, room, prometheus, model, cpu, dice }
    }

    fn moment(&mut self) -> i64 {
        NOW_MS - self.dice.below(MINUTES).cast_signed() * MINUTE_MS
    }

    fn push(&mut self) {
        let mut push = Push { sender: "s".to_owned(), ..Push::default() };
        for _ in 0..=self.dice.below(6) {
            let name = ["up", "requests_total", "temperature"][self.dice.below(3) as usize];
            let job = ["a", "b", "pingup"][self.dice.below(3) as usize];
            let from = self.moment();
            let points = (0..self.dice.below(20)).map(|n| {
                let at_ms = (from + n.cast_signed() * MINUTE_MS).min(NOW_MS);
                Point { at_ms, value: self.dice.point(0).value }
            });
            push.series.push(Incoming { labels: labels(name, job), points: points.collect() });
        }
        let sent: usize = push.series.iter().map(|series| series.points.len()).sum();
        // What is sent twice, as a sender does that did not hear the answer, is seen once.
        for _ in 0..=self.dice.below(2) {
            let taken = self.runtime.block_on(self.room.push(push.clone())).unwrap();
            assert_eq!(taken.stored, sent);
        }
        for Incoming { labels, points } in push.series {
            let job = labels.iter().find(|(name, _)| *name == "job").unwrap().1.to_owned();
            let known = self.model.entry((labels.metric_name().to_owned(), job)).or_default();
            for Point { at_ms, value } in points {
                let known = known.entry(at_ms).or_insert(value);
                if counts_before(value, *known) {
                    *known = value;
                }
            }
        }
    }

    /// The agent's own samples, on the half minutes.
    fn measure(&mut self) {
        let mut rows = OwnedRows::default();
        for _ in 0..self.dice.below(30) {
            let (at, cpu) = (self.moment() - MINUTE_MS / 2, self.dice.below(100) as f64);
            if self.cpu.contains_key(&at) {
                continue;
            }
            self.cpu.insert(at, cpu);
            let metrics = Measurements { cpu: Some(cpu), ..Measurements::default() };
            let (stream, timestamp) = (Some((1, self.cpu.len() as u64)), Timestamp::from_micros(at * 1_000));
            let (agent_id, status) = (agent_id("web"), "online".to_owned());
            rows.samples.push(OwnedSample { agent_id, stream, timestamp, status, metrics });
        }
        self.bench.lock().unwrap().append(&rows).unwrap();
    }

    /// Does something at random; what it was.
    pub(super) fn step(&mut self) -> &'static str {
        match self.dice.below(7) {
            0..=2 => {
                self.push();
                "push"
            }
            3 => {
                self.measure();
                "measure"
            }
            4 => {
                self.bench.lock().unwrap().seal_all();
                "seal"
            }
            5 => {
                self.bench.lock().unwrap().compact_all();
                "merge"
            }
            _ => {
                self.bench.lock().unwrap().reopen();
                (self.room, self.prometheus) = rooms(&self.bench);
                "restart"
            }
        }
    }

    /// All it was given, in the library's own source.
    pub(super) fn memory(&self) -> MemorySource {
        let mut memory = MemorySource::default();
        for ((name, job), samples) in &self.model {
            let labels = Labels::new([(METRIC_NAME, name.as_str()), ("job", job)]);
            samples.iter().for_each(|(at, value)| memory.put(&labels, *at, *value));
        }
        for (at, cpu) in &self.cpu {
            let own = [("agent_id", "web"), ("instance", "web"), ("job", "pingup")];
            let labels = Labels::new(own);
            memory.put(&labels.with(METRIC_NAME, "pingup_cpu_percent"), *at, *cpu);
            memory.put(&labels.with(METRIC_NAME, "pingup_agent_up"), *at, 1.0);
        }
        memory
    }

    /// What `work` makes of the hub's source.
    pub(super) fn ask<T: Send + 'static>(&self, work: impl FnOnce(&Source) -> T + Send + 'static) -> T {
        let asked = |source: &Source, _: &Cancel, _: &Wanted| Ok::<_, StorageError>(work(source));
        self.runtime.block_on(self.prometheus.ask(asked)).unwrap()
    }
}

fn counts_before(value: f64, known: f64) -> bool {
    let point = |value| PointRow { series: SeriesId::new(0), at_ms: 0, value };
    point(value).order(&point(known)).is_lt()
}
