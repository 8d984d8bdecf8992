//! Written series from push to answer, beside agents' series: random pushes, seals, merges and restarts, and queries
//! against the same samples in the library's own source in memory, to the bit.

use super::*;
use crate::{
    figures::Figures,
    ingest::Queue,
    prometheus::{Agent, Neighbours, Prometheus, Source},
    series::{self, Committing, Described, Incoming, MetricKind, Point, Push, Series},
    storage::{StorageError, Wanted},
    tsdb::{
        record::{OwnedRows, OwnedSample},
        testing::{Bench, Dice, NOW, agent_id},
    },
};
use pingup_promql::{
    Cancel, Error, Intake, METRIC_NAME, MemorySource, Moments, Options, Query, Reading, Selection,
    SeriesSource, Steps, parse_selector,
};
use pingup_protocol::{metrics::Measurements, time::Timestamp};
use std::{
    collections::BTreeMap,
    future::{Future, ready},
    pin::pin,
    sync::Mutex,
    task,
};
use tokio::runtime::Runtime;

const NOW_MS: i64 = NOW.as_micros() / 1_000;
const MINUTE_MS: i64 = 60_000;
/// Back from now, minutes: so that days and segments are met.
const MINUTES: u64 = 2_000;

/// Points of series by name and job, and of the agent's `cpu`.
type Model = BTreeMap<(String, String), BTreeMap<i64, f64>>;

struct Hub {
    runtime: Runtime,
    bench: Arc<Mutex<Bench>>,
    room: Series,
    prometheus: Prometheus,
    model: Model,
    cpu: BTreeMap<i64, f64>,
    dice: Dice,
}

fn rooms(bench: &Arc<Mutex<Bench>>) -> (Series, Prometheus) {
    let of_bench = Arc::clone(bench);
    let commit = move |points| -> Committing {
        let rows = OwnedRows { points, ..OwnedRows::default() };
        of_bench.lock().unwrap().append(&rows).unwrap();
        Box::pin(ready(Ok(())))
    };
    let bench = bench.lock().unwrap();
    let register = Arc::new(Register::open(bench.sqlite.clone(), &bench.tsdb, 1_000).unwrap());
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

fn labels(name: &str, job: &str) -> series::Labels {
    let pairs = [(METRIC_NAME, name), ("job", job)];
    series::Labels::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()).unwrap()
}

impl Hub {
    fn new(seed: u64) -> Self {
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

    fn step(&mut self) -> &'static str {
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

    fn memory(&self) -> MemorySource {
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
    fn ask<T: Send + 'static>(&self, work: impl FnOnce(&Source) -> T + Send + 'static) -> T {
        let asked = |source: &Source, _: &Cancel, _: &Wanted| Ok::<_, StorageError>(work(source));
        self.runtime.block_on(self.prometheus.ask(asked)).unwrap()
    }
}

fn counts_before(value: f64, known: f64) -> bool {
    let point = |value| PointRow { series: SeriesId::new(0), at_ms: 0, value };
    point(value).order(&point(known)).is_lt()
}

const QUERIES: [&str; 9] = [
    "up",
    r#"{job="pingup"}"#,
    r#"{__name__=~".+"}"#,
    "sum by (job) (rate(requests_total[10m]))",
    r#"temperature{job!="a"} - on(job) group_left pingup_cpu_percent"#,
    r#"count_over_time({__name__!=""}[3h])"#,
    "max_over_time(temperature[1d]) unless up",
    r#"last_over_time({__name__=~"up|pingup_.*"}[30m])"#,
    "absent(nosuch) + scalar(count(up))",
];

fn answer(source: &dyn SeriesSource, query: &str, steps: Steps) -> String {
    let answered = Query::parse(query).unwrap().range(source, steps, &Options::default());
    match answered {
        Ok(answer) => format!("{:?}", answer.value),
        Err(error) => format!("{:?} {error}", error.kind()),
    }
}

/// Samples by labels, values as bits.
#[derive(Default)]
struct Bits(BTreeMap<Labels, Vec<(i64, u64)>>);

impl Intake for Bits {
    fn series(&mut self, _: usize, labels: &Labels, times: &[i64], values: &[f64]) -> Result<(), Error> {
        let samples = times.iter().copied().zip(values.iter().map(|value| value.to_bits()));
        assert!(self.0.insert(labels.clone(), samples.collect()).is_none(), "{labels} twice");
        Ok(())
    }
}

fn bits(
    source: &dyn SeriesSource,
    selector: &str,
    first_ms: i64,
    last_ms: i64,
) -> BTreeMap<Labels, Vec<(i64, u64)>> {
    let moments = Moments { first_ms: last_ms, step_ms: 1, count: 1 };
    let matchers = parse_selector(selector).unwrap();
    let selection = Selection { matchers, first_ms, last_ms, reading: Reading::Samples, moments };
    let mut bits = Bits::default();
    source.select(&[selection], &mut bits).unwrap();
    bits.0
}

#[test]
fn queries_over_agents_and_written_series_are_right_to_the_bit() {
    for seed in 1..=6 {
        let mut hub = Hub::new(seed);
        for step in 0..25 {
            let did = hub.step();
            let when = format!("seed {seed}, step {step}, {did}");
            let memory = hub.memory();
            let from = NOW_MS - hub.dice.below(MINUTES).cast_signed() * MINUTE_MS;
            let steps = Steps { start_ms: from, end_ms: NOW_MS, step_ms: 17 * MINUTE_MS };
            let query = QUERIES[hub.dice.below(QUERIES.len() as u64) as usize];
            let told = hub.ask(move |source| answer(source, query, steps));
            assert_eq!(told, answer(&memory, query, steps), "{when}: {query}");
            for selector in [r#"{__name__=~".+"}"#, r#"{job="a"}"#, r#"requests_total{job=~"b|pingup"}"#] {
                let told = hub.ask(move |source| bits(source, selector, from, NOW_MS));
                assert_eq!(told, bits(&memory, selector, from, NOW_MS), "{when}: {selector}");
            }
        }
    }
}

#[test]
fn labels_and_metadata_tell_of_written_series_too() {
    let mut hub = Hub::new(1);
    let point = |at_ms| vec![Point { at_ms, value: 1.0 }];
    let series = |name, job, at_ms| Incoming { labels: labels(name, job), points: point(at_ms) };
    let described = Described {
        metric: "requests_total".to_owned(),
        kind: MetricKind::Counter,
        help: "Requests.".to_owned(),
        unit: "requests".to_owned(),
    };
    let push = Push {
        sender: "s".to_owned(),
        series: vec![series("up", "a", NOW_MS), series("requests_total", "b", NOW_MS - 3_600_000)],
        described: vec![described],
    };
    hub.runtime.block_on(hub.room.push(push)).unwrap();
    hub.cpu.insert(NOW_MS, 1.0);
    let timestamp = Timestamp::from_micros(NOW_MS * 1_000);
    let metrics = Measurements { cpu: Some(1.0), ..Measurements::default() };
    let (agent_id, status) = (agent_id("web"), "online".to_owned());
    let samples = vec![OwnedSample { agent_id, stream: None, timestamp, status, metrics }];
    hub.bench.lock().unwrap().append(&OwnedRows { samples, ..OwnedRows::default() }).unwrap();
    let told = hub.ask(|source| {
        let b = || vec![parse_selector(r#"{job=~"a|b"}"#).unwrap()];
        let hour = NOW_MS - 1_800_000;
        let mut told = vec![
            source.label_names(&[], 0, NOW_MS).unwrap().join(" "),
            source.label_names(&b(), 0, NOW_MS).unwrap().join(" "),
            source.label_values("job", &[], 0, NOW_MS).unwrap().join(" "),
            source.label_values("job", &[], hour, NOW_MS).unwrap().join(" "),
            source.label_values(METRIC_NAME, &b(), 0, NOW_MS).unwrap().join(" "),
        ];
        told.extend(source.series(&b(), 0, NOW_MS, 9).unwrap().in_order().map(|labels| labels.to_string()));
        told.push(source.series(&[], 0, NOW_MS, 3).unwrap().in_order().count().to_string());
        let heads = source.heads().unwrap();
        told.push(format!("{} {:?} {:?}", heads.series, heads.labels, heads.senders));
        let known = source.metadata().unwrap();
        let of = known.iter().find(|metadata| metadata.name == "requests_total").unwrap();
        told.push(format!("{} {} {}", of.kind, of.help, of.unit));
        told
    });
    let expected = [
        "__name__ agent_id instance job",
        "__name__ job",
        "a b pingup",
        "a pingup",
        "requests_total up",
        r#"{__name__="requests_total", job="b"}"#,
        r#"{__name__="up", job="a"}"#,
        "3",
        r#"4 [("__name__", 4), ("job", 3), ("agent_id", 1), ("instance", 1)] [("s", 2)]"#,
        "counter Requests. requests",
    ];
    assert_eq!(told, expected);
}

/// A push takes room in the queue as whatever else waits, and is refused at once where there is none.
#[test]
fn a_full_queue_is_said_at_once() {
    let bench = Bench::new();
    let register = Arc::new(Register::open(bench.sqlite.clone(), &bench.tsdb, 10).unwrap());
    let figures = Arc::<Figures>::default();
    let queue = Arc::new(Queue::new(1, usize::MAX, Arc::clone(&figures)));
    let ingest = Arc::new(Ingest::new(Arc::clone(&queue), bench.tsdb.clone()));
    let room = Series::new(register, bench.tsdb, commit(&ingest), |_, _| Ok(()));
    let push = || Push {
        sender: "s".to_owned(),
        series: vec![Incoming {
            labels: labels("up", "a"),
            points: vec![Point { at_ms: NOW_MS, value: 1.0 }],
        }],
        described: Vec::new(),
    };
    Runtime::new().unwrap().block_on(async {
        // Without a writer whoever is in the queue waits.
        room.push(Push { series: Vec::new(), ..push() }).await.unwrap();
        let mut first = pin!(room.push(push()));
        while figures.queued_requests.get() == 0 {
            std::future::poll_fn(|context| {
                assert!(first.as_mut().poll(context).is_pending());
                task::Poll::Ready(())
            })
            .await;
            tokio::task::yield_now().await;
        }
        assert!(matches!(room.push(push()).await, Err(PushError::Busy)));
        queue.close();
        assert!(matches!(room.push(push()).await, Err(PushError::Stopping)));
    });
}
