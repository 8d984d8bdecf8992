//! A group into the journal, synced, and into memory; and a full segment into Parquet parts. On a real disk: see
//! [`pingup_benches::sizes`].

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use pingup_benches::{
    fleet::Fleet,
    history::{NOW, OpenHistory},
    sizes::Sizes,
};
use pingup_server::{ingest::Store, tsdb::head::SEGMENT_ROWS_MAX};
use std::time::{Duration, Instant};

/// Rows in a group: from a lone sample to half of what the writer takes at once.
const GROUPS: [usize; 5] = [1, 10, 100, 1_000, 10_000];
/// Agents whose rows these are: as many as the goals name.
const AGENTS: usize = 1_000;
/// Rows of the groups that fill a segment to be sealed.
const FILL_ROWS: usize = 2_000;

/// An empty history, and agents that fill it.
fn scene(sizes: &Sizes) -> (OpenHistory, Fleet) {
    let history = OpenHistory::empty(&sizes.dir).unwrap_or_else(|error| panic!("{error:?}"));
    (history, Fleet::new(AGENTS, sizes.seed).unwrap_or_else(|error| panic!("{error}")))
}

/// Appends the next rows; how long that took, making them aside.
fn append_next(history: &mut OpenHistory, fleet: &mut Fleet, rows: usize) -> Duration {
    let owned = fleet.rows(rows, NOW);
    let group = owned.borrow();
    let begun = Instant::now();
    Store::append(&mut history.appender, &group).unwrap_or_else(|error| panic!("{error}"));
    begun.elapsed()
}

/// Full segments are sealed between the commits, and that is not counted: the hub does it beside them.
pub(crate) fn append(criterion: &mut Criterion, sizes: &Sizes) {
    let mut group = criterion.benchmark_group("append and commit");
    group.sample_size(20).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
    for rows in GROUPS {
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_with_input(BenchmarkId::from_parameter(rows), &rows, |bench, &rows| {
            let (mut history, mut fleet) = scene(sizes);
            bench.iter_custom(|groups| {
                let mut took = Duration::ZERO;
                for _ in 0..groups {
                    took += append_next(&mut history, &mut fleet, rows);
                    history.seal_full().unwrap_or_else(|error| panic!("{error:?}"));
                }
                took
            });
        });
    }
    group.finish();
}

/// Two moments of sealing are seldom alike: each sample is one segment.
pub(crate) fn seal(criterion: &mut Criterion, sizes: &Sizes) {
    let mut group = criterion.benchmark_group("seal");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(SEGMENT_ROWS_MAX as u64));
    group.bench_function("a full segment", |bench| {
        let (mut history, mut fleet) = scene(sizes);
        bench.iter_custom(|segments| {
            let mut took = Duration::ZERO;
            for _ in 0..segments {
                while !history.tsdb.has_to_seal() {
                    append_next(&mut history, &mut fleet, FILL_ROWS);
                }
                let begun = Instant::now();
                history.seal_full().unwrap_or_else(|error| panic!("{error:?}"));
                took += begun.elapsed();
            }
            took
        });
    });
    group.finish();
}
