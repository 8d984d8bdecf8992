//! What a job takes is told from above, for the queue as for the journal.

use super::*;
use crate::ingest::{
    Store, accept,
    accept::Window,
    group,
    marks::Marks,
    testing::{Dice, Measuring, agent},
    unnumbered::Newest,
    writer::RECORD_BYTES_PER_BODY_BYTE,
};
use crate::tsdb::rows::SeriesId;
use pingup_protocol::{discovery::DiscoveryBody, limits::BATCH_SAMPLES_MAX, metrics::MetricsBody, schema};
use std::{sync::mpsc, time::Duration};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// What it alone takes in a record of the journal.
fn record_bytes(work: &Work) -> usize {
    let (records, written) = mpsc::channel();
    let mut store = Measuring { records, go_on: mpsc::channel().1 };
    let group = group::decide([work].into_iter(), &Marks::default(), &Newest::default(), &mut store);
    store.append(&group.rows).unwrap();
    written.recv().unwrap()
}

fn window() -> Window {
    Window::new(NOW, Duration::from_secs(3_600))
}

#[test]
fn any_job_takes_no_more_in_a_record_than_in_memory() {
    for seed in 1..=200 {
        let mut dice = Dice::seeded(seed);
        let sample = dice.sample("a", None, NOW);
        let scan = dice.scan("a", None, NOW);
        let id = agent(&"x".repeat(1 + dice.below(64) as usize));
        let records = [
            Record::Sample { status: sample.status, metrics: sample.metrics },
            Record::Scan(scan.scan),
            Record::Sample { status: String::new(), metrics: Measurements::default() },
            Record::Scan(Scan::default()),
        ];
        for record in records {
            let unnumbered = Load::Unnumbered(NOW, Some(record.clone()));
            let (boot, seq) = (1 << dice.below(53), 1 << dice.below(53));
            let kept = (seq, Fate::Store(NOW, record));
            let expired = (seq + 1, Fate::Expired(NOW));
            let one = Load::Stream { boot, entries: vec![kept.clone()] };
            let marked = Load::Stream { boot, entries: vec![kept, expired.clone()] };
            let none = Load::Stream { boot, entries: vec![expired] };
            for load in [unnumbered, one, marked, none] {
                let work = Work::from(Job { agent_id: id.clone(), load });
                assert!(record_bytes(&work) <= work.bytes(), "seed {seed}: {work:?}");
            }
        }
    }
}

#[test]
fn points_take_no_more_in_a_record_than_in_memory() {
    for count in [0_u32, 1, 2, 1_000] {
        let point = |n: u32| {
            let at_ms = if n.is_multiple_of(2) { i64::MIN } else { i64::MAX };
            PointRow { series: SeriesId::new(u32::MAX - n), at_ms, value: f64::NAN }
        };
        let work = Work::Points((0..count).map(point).collect());
        assert_eq!(work.rows(), count as usize);
        assert!(record_bytes(&work) <= work.bytes(), "{count}");
    }
}

/// Bodies as short as they can be for what they bring.
#[test]
fn the_densest_bodies_stay_within_what_is_reckoned_with() {
    let metrics = ('A'..='Z').map(|name| format!("\"{name}\":1")).collect::<Vec<_>>().join(",");
    let sample =
        |seq| format!(r#"{{"metrics":{{{metrics}}},"seq":{seq},"status":"online","timestamp":"{NOW}"}}"#);
    let samples = (1..=BATCH_SAMPLES_MAX / 20).map(sample).collect::<Vec<_>>().join(",");
    let batch = format!(r#"{{"agentId":"a","boot":1,"samples":[{samples}]}}"#);
    let job = accept::metrics(MetricsBody::read(batch.as_bytes()).unwrap(), &window()).unwrap();
    expect(&batch, &job);
    let hosts = [
        r#"{"ip":"::","ports":[]}"#.to_owned(),
        format!(r#"{{"ip":"::","ports":[{}]}}"#, vec!["1"; 5_000].join(",")),
    ];
    for host in hosts {
        let hosts = vec![host; 200].join(",");
        let scan = format!(
            r#"{{"agentId":"a","timestamp":"{NOW}","discovery":{{"duration":5,"hosts":[{hosts}]}}}}"#
        );
        let body: DiscoveryBody = schema::read(scan.as_bytes()).unwrap();
        expect(&scan, &accept::discovery(body, &window()).unwrap());
    }
}

#[track_caller]
fn expect(body: &str, job: &Job) {
    let record = record_bytes(&job.clone().into());
    assert!(record <= job.bytes(), "{record} bytes in a record, {} in memory", job.bytes());
    assert!(record <= RECORD_BYTES_PER_BODY_BYTE * body.len(), "{record} bytes from {}", body.len());
}
