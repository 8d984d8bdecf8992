//! The writer on a real history: exactly once, also when commits fail, panic or stall.

use super::*;
use crate::{
    ingest::{
        Fate, Job, Load, Record, Stored,
        testing::{Breaking, Dice, Fault, Measuring, Stall, agent, numbered, unnumbered},
    },
    storage::{Duck, scratch::Scratch},
    tsdb::{
        Appender, Tsdb,
        record::{OwnedRows, OwnedSample},
        testing::{self as history, Bench},
    },
};
use pingup_protocol::{
    discovery::{Host, Scan},
    limits::HOST_PORTS_MAX,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, mpsc},
};

struct Hub {
    engine: Duck,
    tsdb: Tsdb,
    queue: Arc<Queue>,
    latest: Arc<Latest>,
    figures: Arc<Figures>,
    writer: Writer,
    _scratch: Scratch,
}

fn hub(breaking: impl FnOnce(Appender) -> Breaking) -> Hub {
    hub_on(Bench::new(), breaking)
}

fn hub_on(bench: Bench, breaking: impl FnOnce(Appender) -> Breaking) -> Hub {
    let Bench { engine, tsdb, appender, scratch, .. } = bench;
    let (figures, latest) = (Arc::<Figures>::default(), Arc::<Latest>::default());
    let queue = Arc::new(Queue::new(1_000, usize::MAX, Arc::clone(&figures)));
    let (queue_, latest_, figures_) = (Arc::clone(&queue), Arc::clone(&latest), Arc::clone(&figures));
    let writer = Writer::start(queue_, breaking(appender), latest_, figures_).unwrap();
    Hub { engine, tsdb, queue, latest, figures, writer, _scratch: scratch }
}

fn sound() -> Hub {
    hub(|inner| Breaking::new(inner, |_| None))
}

impl Hub {
    fn send(&self, job: Job) -> Outcome {
        self.queue.push(job)?.blocking_recv().unwrap()
    }

    fn rows(&self) -> Vec<OwnedSample> {
        history::samples(&self.engine, &self.tsdb.view())
    }
}

fn stored(accepted: u64, duplicates: u64, high_water: Option<u64>) -> Outcome {
    Ok(Stored { accepted, duplicates, high_water, ..Stored::default() })
}

#[test]
fn what_is_answered_is_stored_once_and_remembered_by_a_new_writer() {
    let hub = sound();
    assert_eq!(hub.send(numbered("a", 1, 1..=3)), stored(3, 0, Some(3)));
    assert_eq!(hub.send(numbered("a", 1, 2..=4)), stored(1, 2, Some(4)));
    assert_eq!(hub.send(unnumbered("a", 3)), stored(1, 0, None), "numbered rows are others");
    assert_eq!(hub.send(unnumbered("a", 3)), stored(0, 1, None));
    assert_eq!(hub.latest.get("a").unwrap().timestamp.as_micros(), 4);
    hub.writer.stop();
    assert_eq!(hub.queue.push(unnumbered("a", 9)).unwrap_err(), IngestError::Stopping);
}

#[test]
fn a_new_writer_remembers_what_is_sealed_and_what_is_not() {
    for sealed in [false, true] {
        let mut bench = Bench::new();
        bench.push("a", 1, 1..=4, Timestamp::from_micros(1));
        let first = OwnedSample { stream: None, ..history::sample("a", (0, 0), Timestamp::from_micros(3)) };
        bench.append(&OwnedRows { samples: vec![first], ..OwnedRows::default() }).unwrap();
        if sealed {
            bench.seal_all();
        }
        bench.reopen();
        let hub = hub_on(bench, |inner| Breaking::new(inner, |_| None));
        assert_eq!(hub.send(numbered("a", 1, 5..=5)), stored(1, 0, Some(5)), "sealed {sealed}");
        assert_eq!(hub.send(numbered("a", 1, 3..=4)), stored(0, 2, Some(5)), "sealed {sealed}");
        assert_eq!(hub.send(unnumbered("a", 3)), stored(0, 1, None), "sealed {sealed}");
        assert_eq!(hub.send(unnumbered("a", 2)), stored(1, 0, None), "sealed {sealed}");
        let retired = IngestError::BootRetired { boot: 0, min_boot: 2 };
        assert_eq!(hub.send(numbered("a", 0, 1..=1)), Err(retired), "sealed {sealed}");
        assert_eq!(hub.rows().len(), 7, "sealed {sealed}");
    }
}

#[test]
fn a_failed_commit_loses_nothing_that_was_answered_and_doubles_nothing() {
    for fault in [Fault::Before, Fault::After, Fault::Panic] {
        for failing in 1..=4 {
            let hub = hub(|inner| Breaking::new(inner, move |commit| (commit == failing).then_some(fault)));
            for seq in 1..=4 {
                let first = hub.send(numbered("a", 1, seq..=seq));
                if seq == failing {
                    assert_eq!(first, Err(IngestError::NotCommitted));
                    let kept = u64::from(fault == Fault::After);
                    assert_eq!(hub.send(numbered("a", 1, seq..=seq)), stored(1 - kept, kept, Some(seq)));
                } else {
                    assert_eq!(first, stored(1, 0, Some(seq)));
                }
            }
            assert_eq!(hub.rows().len(), 4, "{fault:?} at commit {failing}");
            assert_eq!(hub.figures.failed_batches.get(), 1);
        }
    }
}

#[test]
fn unnumbered_rows_survive_a_lying_commit_too() {
    let hub = hub(|inner| Breaking::new(inner, |commit| (commit == 2).then_some(Fault::After)));
    assert_eq!(hub.send(unnumbered("a", 1)), stored(1, 0, None));
    assert_eq!(hub.send(unnumbered("a", 2)), Err(IngestError::NotCommitted));
    assert_eq!(hub.send(unnumbered("a", 2)), stored(0, 1, None));
    assert_eq!(hub.rows().len(), 2);
}

/// Agents send until everything was answered; commits fail at random; every number is on disk once.
#[test]
fn random_senders_and_random_failures_end_with_every_number_once() {
    for seed in 1..=6 {
        let mut dice = Dice::seeded(seed);
        let mut faults = Dice::seeded(seed + 100);
        let hub = hub(move |inner| {
            Breaking::new(inner, move |_| {
                [Some(Fault::Before), Some(Fault::After), Some(Fault::Panic), None, None, None, None]
                    [usize::try_from(faults.below(7)).unwrap()]
            })
        });
        let mut sent = BTreeMap::new();
        for _ in 0..60 {
            let agent = format!("agent-{}", dice.below(3));
            let mark = sent.entry(agent.clone()).or_insert(0_u64);
            let (first, last) = ((*mark + 1).saturating_sub(dice.below(3)).max(1), *mark + 1 + dice.below(4));
            loop {
                let jobs = [numbered(&agent, 5, first..=last), numbered(&agent, 5, first..=first)];
                let waiting = jobs.map(|job| hub.queue.push(job).unwrap());
                let [batch, single] = waiting.map(|receiver| receiver.blocking_recv().unwrap());
                if let (Ok(batch), Ok(_)) = (batch, single) {
                    assert_eq!(batch.high_water, Some(last), "seed {seed}");
                    break;
                }
            }
            *mark = last;
        }
        let rows = hub.rows();
        assert_eq!(rows.len() as u64, sent.values().sum::<u64>(), "seed {seed}");
        let distinct: BTreeSet<_> = rows.iter().map(|row| (row.agent_id.as_str(), row.stream)).collect();
        assert_eq!(distinct.len(), rows.len(), "seed {seed}");
    }
}

#[test]
fn what_waits_for_a_stalled_commit_becomes_one_group() {
    let (begun, begins) = mpsc::channel();
    let (let_go, go_on) = mpsc::channel();
    let go_on = Arc::new(Mutex::new(go_on));
    let hub =
        hub(|inner| Breaking { stalled: Some(Stall { begun, go_on }), ..Breaking::new(inner, |_| None) });
    let first = hub.queue.push(numbered("a", 1, 1..=1)).unwrap();
    assert_eq!(begins.recv().unwrap(), 1);
    let rest: Vec<_> = (2..=9).map(|seq| hub.queue.push(numbered("a", 1, seq..=seq)).unwrap()).collect();
    assert_eq!(hub.figures.queued_requests.get(), 9);
    let_go.send(()).unwrap();
    assert_eq!(first.blocking_recv().unwrap(), stored(1, 0, Some(1)));
    assert_eq!(begins.recv().unwrap(), 8);
    let_go.send(()).unwrap();
    for (receiver, seq) in rest.into_iter().zip(2..) {
        assert_eq!(receiver.blocking_recv().unwrap(), stored(1, 0, Some(seq)));
    }
    assert_eq!(hub.figures.batches.get(), 2);
    assert_eq!(hub.figures.queued_bytes.get(), 0);
}

#[test]
fn a_group_fits_a_record_whatever_the_queue_holds() {
    let ((records, written), (let_go, go_on)) = (mpsc::channel(), mpsc::channel());
    let (figures, latest) = (Arc::<Figures>::default(), Arc::<Latest>::default());
    let queue = Arc::new(Queue::new(1_000, usize::MAX, Arc::clone(&figures)));
    let store = Measuring { records, go_on };
    let writer = Writer::start(Arc::clone(&queue), store, latest, Arc::clone(&figures)).unwrap();
    let mut waiting = vec![queue.push(unnumbered("b", 1)).unwrap()];
    assert!(written.recv().unwrap() < 1_000, "the first is alone, and waits");
    let host = Host {
        ip: [127, 0, 0, 1].into(),
        latency: None,
        ports: vec![u16::MAX; HOST_PORTS_MAX],
        hostname: None,
        mac: None,
    };
    // Far fewer rows than a group may have, and more bytes than a record.
    let jobs = RECORD_BYTES_MAX / (2 * HOST_PORTS_MAX) + 50;
    for seq in 1..=jobs as u64 {
        let scan = Record::Scan(Scan { duration: 1.0, hosts: vec![host.clone()], ..Scan::default() });
        let entries = vec![(seq, Fate::Store(Timestamp::from_micros(1), scan))];
        let job = Job { agent_id: agent("a"), load: Load::Stream { boot: 1, entries } };
        waiting.push(queue.push(job).unwrap());
    }
    drop(let_go);
    waiting.into_iter().for_each(|waiter| assert_eq!(waiter.blocking_recv().unwrap().unwrap().accepted, 1));
    writer.stop();
    let sizes: Vec<_> = written.try_iter().collect();
    assert!(sizes.iter().sum::<usize>() > RECORD_BYTES_MAX, "one record would not have taken all: {sizes:?}");
    assert!(sizes.iter().all(|size| *size <= GROUP_BYTES_MAX + 2 * HOST_PORTS_MAX), "{sizes:?}");
    assert_eq!(figures.failed_batches.get(), 0);
}

#[test]
fn stopping_answers_what_was_taken_in() {
    let hub = sound();
    let waiting: Vec<_> = (1..=50).map(|seq| hub.queue.push(numbered("a", 1, seq..=seq)).unwrap()).collect();
    hub.writer.stop();
    for receiver in waiting {
        assert_eq!(receiver.blocking_recv().unwrap().unwrap().accepted, 1);
    }
}

#[test]
fn jumps_and_refusals_are_counted() {
    let hub = sound();
    hub.send(numbered("a", 1, 3..=3)).unwrap();
    hub.send(numbered("a", 1, 3..=4)).unwrap();
    assert!(hub.send(numbered("a", 0, 1..=1)).is_err());
    let figures = &hub.figures;
    assert_eq!((figures.gaps.get(), figures.duplicates.get(), figures.samples.get()), (1, 1, 2));
    assert_eq!(figures.commit_seconds.read().count, 2);
}
