//! Room is given back, whatever else fails, and nothing is deleted on a doubt.

use crate::tsdb::{
    Retention, Tier,
    keeper::Keeper,
    testing::{Bench, NOW, RETENTION},
};
use std::{
    fs, thread,
    time::{Duration, Instant},
};

const DAY: i64 = 86_400;
/// Longer than the keeper takes to look, many times over.
const LONG: Duration = Duration::from_secs(60);

/// A file that a commit may have listed goes only after a commit that is on disk.
#[test]
fn what_is_in_doubt_is_settled_by_a_commit_that_reaches_the_disk() {
    let mut bench = Bench::new();
    bench.push("a", 1, 1..=5, NOW);
    bench.seal_all();
    let log = bench.scratch.folder.path().join("pingup.db-wal");
    let doubtful = bench.scratch.folder.path().join("in-doubt");
    fs::write(&doubtful, "rows").unwrap();
    bench.tsdb.0.doubtful.put(vec![doubtful.clone()]);
    let before = fs::read(&log).unwrap();
    bench.tsdb.settle().unwrap();
    assert_ne!(before, fs::read(&log).unwrap());
    bench.collect_garbage();
    assert!(!doubtful.exists());
}

/// A part that cannot be merged any more does not keep old days.
#[test]
fn old_days_go_also_while_merging_fails() {
    let raw = Duration::from_secs(3 * DAY.unsigned_abs());
    let mut bench = Bench::with(Retention { raw, ..RETENTION });
    bench.push("a", 1, 1..=5, NOW);
    bench.seal_all();
    bench.clock.advance(10 * DAY);
    let yesterday = bench.clock.now().plus_seconds(-DAY);
    for part in 0..8_u64 {
        let first = 1 + part * 10;
        bench.push("a", 2, first..=first + 4, yesterday.plus_seconds(part.cast_signed() * 60));
        bench.seal_all();
    }
    let raw_parts = || {
        let parts = bench.tsdb.view().parts.clone();
        parts.into_iter().filter(|part| part.row().tier == Tier::Raw).collect::<Vec<_>>()
    };
    fs::write(raw_parts().last().unwrap().path(), "damaged").unwrap();
    let _keeper = Keeper::start(bench.tsdb.clone(), bench.scratch.folder.clone()).unwrap();
    let begun = Instant::now();
    let old = NOW.plus_seconds(DAY).as_micros();
    while raw_parts().iter().any(|part| part.row().times.0 < old) {
        assert!(begun.elapsed() < LONG, "a day that is past its time by a week is still there");
        thread::yield_now();
    }
}
