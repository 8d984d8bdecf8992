//! The writer on a real DuckDB: exactly once, also when commits fail, panic or stall.

use super::*;
use crate::{
    ingest::{
        Stored,
        store::DuckStore,
        testing::{Breaking, Dice, Fault, Stall, numbered, unnumbered},
    },
    storage::{Duck, scratch::Scratch},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, mpsc},
};

struct Hub {
    duck: Duck,
    queue: Arc<Queue>,
    latest: Arc<Latest>,
    figures: Arc<Figures>,
    writer: Writer,
    _scratch: Scratch,
}

fn hub(log_rows_max: u64, breaking: impl FnOnce(DuckStore) -> Breaking) -> Hub {
    let scratch = Scratch::new();
    let (figures, latest) = (Arc::<Figures>::default(), Arc::<Latest>::default());
    let queue = Arc::new(Queue::new(1_000, usize::MAX, Arc::clone(&figures)));
    let duck = scratch.duck();
    let store = breaking(DuckStore::new(duck.clone()));
    let (queue_, latest_, figures_) = (Arc::clone(&queue), Arc::clone(&latest), Arc::clone(&figures));
    let writer = Writer::start_bounded(queue_, store, latest_, figures_, log_rows_max).unwrap();
    Hub { duck, queue, latest, figures, writer, _scratch: scratch }
}

fn sound() -> Hub {
    hub(MARK_LOG_ROWS_MAX, |inner| Breaking::new(inner, |_| None))
}

impl Hub {
    fn send(&self, job: Job) -> Outcome {
        self.queue.push(job)?.blocking_recv().unwrap()
    }

    fn count(&self, sql: &str) -> u64 {
        self.duck.write_blocking(|connection| connection.query_row(sql, [], |row| row.get(0))).unwrap()
    }

    fn rows(&self) -> u64 {
        self.count("SELECT count(*) FROM metrics")
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

    let queue = Arc::new(Queue::new(1_000, usize::MAX, Arc::default()));
    let store = DuckStore::new(hub.duck);
    let _writer = Writer::start(Arc::clone(&queue), store, Arc::default(), Arc::default()).unwrap();
    let send = |job| queue.push(job).unwrap().blocking_recv().unwrap();
    assert_eq!(send(numbered("a", 1, 3..=5)), stored(1, 2, Some(5)));
    assert_eq!(send(unnumbered("a", 3)), stored(0, 1, None));
    assert_eq!(send(numbered("a", 0, 1..=1)), Err(IngestError::BootRetired { boot: 0, min_boot: 2 }));
}

#[test]
fn a_failed_commit_loses_nothing_that_was_answered_and_doubles_nothing() {
    for fault in [Fault::Before, Fault::After, Fault::Panic] {
        for failing in 1..=4 {
            let hub = hub(MARK_LOG_ROWS_MAX, |inner| {
                Breaking::new(inner, move |commit| (commit == failing).then_some(fault))
            });
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
            assert_eq!(hub.rows(), 4, "{fault:?} at commit {failing}");
            assert_eq!(hub.figures.failed_batches.get(), 1);
        }
    }
}

#[test]
fn unnumbered_rows_survive_a_lying_commit_too() {
    let hub =
        hub(MARK_LOG_ROWS_MAX, |inner| Breaking::new(inner, |commit| (commit == 2).then_some(Fault::After)));
    assert_eq!(hub.send(unnumbered("a", 1)), stored(1, 0, None));
    assert_eq!(hub.send(unnumbered("a", 2)), Err(IngestError::NotCommitted));
    assert_eq!(hub.send(unnumbered("a", 2)), stored(0, 1, None));
    assert_eq!(hub.rows(), 2);
}

/// Agents send until everything was answered; commits fail at random; every number is on disk once.
#[test]
fn random_senders_and_random_failures_end_with_every_number_once() {
    for seed in 1..=6 {
        let mut dice = Dice::seeded(seed);
        let mut faults = Dice::seeded(seed + 100);
        let hub = hub(30, move |inner| {
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
        assert_eq!(hub.rows(), sent.values().sum::<u64>(), "seed {seed}");
        let distinct = hub.count("SELECT count(*) FROM (SELECT DISTINCT agent_id, boot, seq FROM metrics)");
        assert_eq!(distinct, sent.values().sum::<u64>(), "seed {seed}");
        let marks = hub.count("SELECT count(*) FROM marks");
        assert!(marks < 40, "seed {seed}: {marks} rows after compacting at 30");
    }
}

#[test]
fn what_waits_for_a_stalled_commit_becomes_one_group() {
    let (begun, begins) = mpsc::channel();
    let (let_go, go_on) = mpsc::channel();
    let go_on = Arc::new(Mutex::new(go_on));
    let hub = hub(MARK_LOG_ROWS_MAX, |inner| Breaking {
        stalled: Some(Stall { begun, go_on }),
        ..Breaking::new(inner, |_| None)
    });
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
