//! A clock that is set wrong for a while takes nothing with it, of no tier.

use crate::tsdb::{
    Retention, Tier,
    keeper::Keeper,
    record::OwnedRows,
    testing::{Bench, Dice, EVER, NOW},
};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

const DAY: i64 = 86_400;
/// Longer than the keeper takes to look, many times over.
const LONG: Duration = Duration::from_secs(60);
const RETENTION: Retention = Retention { raw: days(10), minute: days(20), hour: days(30) };

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// Samples, scans and points of six and of two days ago, and a day that left its minutes behind.
fn used() -> (Bench, BTreeSet<PathBuf>) {
    let (mut bench, mut dice) = (Bench::with(RETENTION), Dice::seeded(3));
    for (seq, days) in [(1, 12), (2, 6), (3, 2)] {
        let at = NOW.plus_seconds(-days * DAY);
        let (samples, scans) = (vec![dice.sample("a", Some((1, seq)), at)], vec![dice.scan("b", None, at)]);
        let points = vec![dice.point(at.as_micros() / 1_000)];
        bench.append(&OwnedRows { samples, scans, points, ..OwnedRows::default() }).unwrap();
        bench.seal_all();
    }
    bench.retain_all();
    bench.collect_garbage();
    let has = |tier| !bench.tsdb.view().parts_for(tier, None, &EVER).is_empty();
    assert!(Tier::ALL.into_iter().all(has));
    let files = bench.files();
    (bench, files)
}

#[test]
fn a_clock_that_is_set_ahead_and_back_lets_nothing_go() {
    let (bench, files) = used();
    for ahead in [40 * DAY, 3 * 365 * DAY] {
        bench.clock.set_on(ahead);
        bench.retain_all();
        bench.collect_garbage();
        bench.clock.set_on(-ahead);
        bench.retain_all();
        bench.collect_garbage();
        assert_eq!(bench.files(), files, "ahead by {ahead} s");
    }
    assert_eq!((bench.rows().len(), bench.scans(&["b"]).len(), bench.points().len()), (2, 2, 2));
    // A day later it is believed: what is past its time goes, and nothing else.
    bench.clock.advance(DAY - 1);
    assert!(!bench.tsdb.judge_clock().is_believed);
    bench.clock.advance(5 * DAY);
    assert!(bench.tsdb.judge_clock().is_believed);
    bench.retain_all();
    assert_eq!((bench.rows().len(), bench.scans(&["b"]).len(), bench.points().len()), (1, 1, 1));
}

#[test]
fn a_hub_that_starts_ahead_waits_for_agents_or_a_day() {
    let (mut bench, files) = used();
    bench.clock.advance(60 * DAY);
    bench.tsdb.started_seconds_ago(0);
    bench.retain_all();
    bench.collect_garbage();
    assert_eq!(bench.files(), files, "the newest row is two months old");
    // What others write bears nothing out, in memory, in the journal and in files.
    let points = vec![Dice::seeded(4).point(bench.clock.now().as_micros() / 1_000)];
    bench.append(&OwnedRows { points, ..OwnedRows::default() }).unwrap();
    for _ in 0..2 {
        bench.retain_all();
        assert_eq!((bench.rows().len(), bench.tsdb.judge_clock().is_believed), (2, false));
        bench.seal_all();
        bench.reopen();
        bench.tsdb.started_seconds_ago(0);
    }
    // One of now, which is not sealed: the clock was right.
    bench.push("a", 1, 9..=9, bench.clock.now());
    bench.retain_all();
    assert_eq!((bench.rows().len(), bench.scans(&["b"]).len()), (1, 0));
    // Read back from the journal it counts too.
    bench.reopen();
    bench.tsdb.started_seconds_ago(0);
    assert!(bench.tsdb.judge_clock().is_believed);
    bench.seal_all();
    bench.reopen();
    bench.tsdb.started_seconds_ago(0);
    assert!(bench.tsdb.judge_clock().is_believed, "and from parts");
}

/// As a hub does it: the keeper looks each second, also while the clock is wrong.
#[test]
fn the_keeper_lets_nothing_go_by_a_clock_that_was_set() {
    let (bench, _) = used();
    bench.clock.set_on(40 * DAY);
    let _keeper = Keeper::start(bench.tsdb.clone(), bench.scratch.folder.clone()).unwrap();
    let begun = Instant::now();
    while !bench.tsdb.0.witness.has_told() {
        assert!(begun.elapsed() < LONG, "nobody said that nothing is let go");
        thread::yield_now();
    }
    bench.clock.set_on(-40 * DAY);
    assert_eq!((bench.rows().len(), bench.scans(&["b"]).len()), (2, 2));
}
