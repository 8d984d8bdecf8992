//! Written series from push to answer, beside agents' series: random pushes, seals, merges and restarts, and queries
//! against the same samples in the library's own source in memory, to the bit.

mod hub;

use super::*;
use crate::{
    figures::Figures,
    ingest::Queue,
    series::{Described, Incoming, MetricKind, Point, Push, Series},
    tsdb::{
        record::{OwnedRows, OwnedSample},
        testing::{Bench, agent_id},
    },
};
use hub::{Hub, MINUTE_MS, MINUTES, NOW_MS, labels};
use pingup_promql::{
    Error, Intake, METRIC_NAME, Moments, Options, Query, Reading, Selection, SeriesSource, Steps,
    parse_selector,
};
use pingup_protocol::{metrics::Measurements, time::Timestamp};
use std::{collections::BTreeMap, future::Future, pin::pin, task};
use tokio::runtime::Runtime;

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
    let register = Arc::new(Register::open(bench.sqlite.clone(), &bench.tsdb, 10, usize::MAX).unwrap());
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
