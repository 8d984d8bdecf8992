//! The queue's bounds, its closing, and that nobody is left waiting.

use super::*;
use crate::ingest::{Job, Load};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::sync::Barrier;

fn job() -> Job {
    let load = Load::Unnumbered(Timestamp::from_micros(0), None);
    Job { agent_id: AgentId::parse("a").unwrap(), load }
}

fn queue(requests_max: usize, bytes_max: usize) -> (Queue, Arc<Figures>) {
    let figures = Arc::new(Figures::default());
    (Queue::new(requests_max, bytes_max, Arc::clone(&figures)), figures)
}

#[test]
fn full_by_count_or_by_bytes_is_said_at_once() {
    let one = job().bytes();
    for (requests_max, bytes_max) in [(2, usize::MAX), (9, 2 * one)] {
        let (queue, figures) = queue(requests_max, bytes_max);
        let _waiting = [queue.push(job()).unwrap(), queue.push(job()).unwrap()];
        assert!(!queue.is_full(), "full is who refuses");
        assert_eq!(queue.push(job()).unwrap_err(), IngestError::QueueFull);
        assert!(queue.is_full());
        assert_eq!((figures.queued_requests.get(), figures.queued_bytes.get()), (2, 2 * one as u64));
    }
}

#[test]
fn a_place_is_free_again_only_once_its_job_was_answered() {
    for (requests_max, bytes_max) in [(1, usize::MAX), (9, job().bytes())] {
        let (queue, figures) = queue(requests_max, bytes_max);
        let mut first = queue.push(job()).unwrap();
        let taker = queue.attach().unwrap();
        let taken = taker.take(9, usize::MAX).unwrap();
        assert_eq!(queue.push(job()).unwrap_err(), IngestError::QueueFull, "the writer's hands count");
        taken.into_iter().for_each(|queued| queued.answer(Ok(Stored::default())));
        assert_eq!(first.try_recv().unwrap(), Ok(Stored::default()));
        assert_eq!((figures.queued_requests.get(), figures.queued_bytes.get()), (0, 0));
        assert!(!queue.is_full() && queue.push(job()).is_ok());
    }
}

#[test]
fn one_alone_is_taken_whatever_its_size() {
    let (queue, _) = queue(9, 0);
    let _waiting = queue.push(job()).unwrap();
    assert_eq!(queue.push(job()).unwrap_err(), IngestError::QueueFull);
}

#[test]
fn what_was_in_before_the_closing_is_still_taken() {
    let (queue, _) = queue(9, usize::MAX);
    let _waiting = [queue.push(job()).unwrap(), queue.push(job()).unwrap(), queue.push(job()).unwrap()];
    let taker = queue.attach().unwrap();
    assert!(queue.is_taking() && queue.attach().is_none());
    queue.close();
    assert_eq!(queue.push(job()).unwrap_err(), IngestError::Stopping);
    assert_eq!(taker.take(2, usize::MAX).map(|group| group.len()), Some(2));
    assert_eq!(taker.take(2, usize::MAX).map(|group| group.len()), Some(1));
    assert!(taker.take(2, usize::MAX).is_none() && !queue.is_taking());
}

#[test]
fn a_group_ends_by_rows_or_by_bytes_and_is_never_empty() {
    let one = job().bytes();
    for (rows_max, bytes_max, expected) in
        [(3, usize::MAX, 3), (9, 2 * one, 2), (9, 2 * one + 1, 3), (9, 1, 1), (9, usize::MAX, 4)]
    {
        let (queue, _) = queue(9, usize::MAX);
        let _waiting: Vec<_> = (0..4).map(|_| queue.push(job()).unwrap()).collect();
        let taken = queue.attach().unwrap().take(rows_max, bytes_max).unwrap();
        assert_eq!(taken.len(), expected, "{rows_max} rows, {bytes_max} bytes");
    }
}

#[test]
fn nobody_waits_for_a_writer_that_is_gone() {
    for _ in 0..200 {
        let (queue, figures) = queue(64, usize::MAX);
        let start = Barrier::new(3);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    start.wait();
                    while let Ok(receiver) = queue.push(job()) {
                        // Answered or dropped; hanging here is the failure.
                        let _ = receiver.blocking_recv();
                    }
                });
            }
            let taker = queue.attach().unwrap();
            start.wait();
            drop(taker.take(1, usize::MAX));
            drop(taker);
        });
        assert_eq!(figures.queued_requests.get(), 0);
    }
}
