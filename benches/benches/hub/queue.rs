//! From the push to the answer: the hand-over to the writer's thread, its decisions, and the way back. The store
//! keeps nothing, so no disk is in it.

use criterion::{BatchSize, Criterion, Throughput};
use pingup_benches::{fleet::Sender, sizes::Sizes};
use pingup_server::{
    figures::Figures,
    ingest::{Job, Queue, Store, Writer, unnumbered::Lookup},
    latest::Latest,
    tsdb::{
        TsdbError,
        rows::{Look, MarkRow, Rows, Sought},
    },
};
use std::{
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

/// The queue's bounds, as the hub has them by default.
const REQUESTS_MAX: usize = 16_384;
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Requests that wait for their answers at once.
const AT_ONCE: u64 = 64;
/// Threads that push.
const PRODUCERS: u64 = 4;

/// Keeps nothing, and never fails.
struct Nothing;

impl Lookup for Nothing {
    fn newest_unnumbered(&mut self, _: Sought<'_>, _: bool) -> Result<Option<Look>, TsdbError> {
        Ok(Some(Look::default()))
    }
}

impl Store for Nothing {
    type Lookup = Self;

    fn lookup(&mut self) -> &mut Self {
        self
    }

    fn load_marks(&mut self) -> Result<Vec<MarkRow>, TsdbError> {
        Ok(Vec::new())
    }

    fn append(&mut self, _: &Rows<'_>) -> Result<(), TsdbError> {
        Ok(())
    }
}

pub(crate) fn there_and_back(criterion: &mut Criterion, sizes: &Sizes) {
    let figures: Arc<Figures> = Arc::default();
    let queue = Arc::new(Queue::new(REQUESTS_MAX, BYTES_MAX, Arc::clone(&figures)));
    let latest: Arc<Latest> = Arc::default();
    let writer =
        Writer::start(Arc::clone(&queue), Nothing, latest, figures).unwrap_or_else(|error| panic!("{error}"));
    let senders = (0..PRODUCERS).map(|number| Sender::new(number, sizes.seed));
    let mut senders: Vec<_> = senders.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}"));

    let mut group = criterion.benchmark_group("queue");
    for at_once in [1, AT_ONCE] {
        group.throughput(Throughput::Elements(at_once));
        group.bench_function(format!("one producer, {at_once} at once"), |bench| {
            let jobs = || (0..at_once).map(|_| senders[0].job()).collect();
            bench.iter_batched(jobs, |jobs| push(&queue, jobs), BatchSize::SmallInput);
        });
    }
    group.throughput(Throughput::Elements(AT_ONCE));
    group.bench_function(format!("{PRODUCERS} producers, {AT_ONCE} at once"), |bench| {
        bench.iter_custom(|rounds| several(&queue, &mut senders, rounds));
    });
    group.finish();
    writer.stop();
}

/// Pushes all, then waits for every answer.
fn push(queue: &Queue, jobs: Vec<Job>) {
    let waiting: Vec<_> = jobs.into_iter().map(|job| queue.push(job)).collect();
    for reply in waiting {
        let answer = reply.map(|reply| reply.blocking_recv());
        assert!(matches!(answer, Ok(Ok(Ok(stored))) if stored.accepted == 1), "not stored");
    }
}

/// Each producer pushes its share in every round, without waiting for the others. Making the jobs is counted.
fn several(queue: &Queue, senders: &mut [Sender], rounds: u64) -> Duration {
    let start = Barrier::new(senders.len() + 1);
    thread::scope(|scope| {
        for sender in senders {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                for _ in 0..rounds {
                    push(queue, (0..AT_ONCE / PRODUCERS).map(|_| sender.job()).collect());
                }
            });
        }
        start.wait();
        Instant::now()
    })
    .elapsed()
}
