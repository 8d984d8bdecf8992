//! The keeper's threads when what they do fails, panics, and works again.

use super::*;
use crate::tsdb::{
    TsdbError,
    attempts::PAUSE_MAX,
    condition::UNWELL_MAX,
    testing::{Bench, NOW},
};
use std::{
    fs,
    sync::mpsc::{self, Receiver},
    time::Instant,
};

/// Longer than the keeper takes to look, many times over.
const LONG: Duration = Duration::from_secs(60);

fn keeper_of(bench: &Bench) -> Keeper {
    Keeper { tsdb: bench.tsdb.clone(), ending: Arc::default(), threads: Vec::new() }
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LONG, "gave up waiting until {what}");
        thread::yield_now();
    }
}

/// A step that panics, fails, and works, in turns; each is told before it ends.
fn in_turns(keeper: &mut Keeper) -> Receiver<u32> {
    let (told, steps) = mpsc::channel();
    let mut step = 0;
    let work = move |_: &AtomicBool| {
        step += 1;
        // The test may have seen enough.
        let _ = told.send(step);
        match step % 3 {
            1 => panic!("on purpose, in step {step}"),
            2 => Err(TsdbError::from(StorageError::Full)),
            _ => Ok(true),
        }
    };
    keeper.spawn("history-merge", Job::Merge, work).unwrap();
    steps
}

#[test]
fn a_panic_in_the_merging_thread_ends_a_step_and_not_the_thread() {
    let bench = Bench::new();
    let mut keeper = keeper_of(&bench);
    let steps = in_turns(&mut keeper);
    for step in 1..=7 {
        assert_eq!(steps.recv_timeout(LONG), Ok(step));
    }
    keeper.stop();
}

#[test]
fn a_thread_that_fails_for_long_is_told_until_it_works_again() {
    let bench = Bench::new();
    let mut keeper = keeper_of(&bench);
    let (works, told) = (Arc::new(AtomicBool::new(true)), mpsc::channel());
    let (asked, sender) = (Arc::clone(&works), told.0);
    let step = move |_: &AtomicBool| {
        let _ = sender.send(());
        if asked.load(Ordering::SeqCst) { Ok(false) } else { Err(StorageError::Full.into()) }
    };
    keeper.spawn("history-seal", Job::Seal, step).unwrap();
    let merging = bench.tsdb.clone();
    let tick = move |_: &AtomicBool| {
        merging.0.condition.well(Job::Merge, merging.0.clock.now());
        Ok(false)
    };
    keeper.spawn("history-merge", Job::Merge, tick).unwrap();
    works.store(false, Ordering::SeqCst);
    // A step that began while it worked may end after this; the second one from now fails.
    (0..2).for_each(|_| told.1.recv_timeout(LONG).unwrap());
    while told.1.try_recv().is_ok() {}
    told.1.recv_timeout(LONG).unwrap();
    bench.clock.advance(UNWELL_MAX.as_secs().cast_signed() + 1);
    eventually("it is told", || bench.tsdb.keeping().verdict().is_err());
    works.store(true, Ordering::SeqCst);
    eventually("it is well again", || bench.tsdb.keeping().verdict() == Ok(None));
    keeper.stop();
}

/// A file that cannot be merged is told as long as it is there, also while other work succeeds.
#[test]
fn what_cannot_be_merged_is_told_though_all_else_is() {
    let mut bench = Bench::new();
    for day in [3, 5] {
        for part in 0..2 {
            bench.push(
                "a",
                1,
                day * 10 + part..=day * 10 + part,
                NOW.plus_seconds(-86_400 * day.cast_signed()),
            );
            bench.seal_all();
        }
    }
    bench.collect_garbage();
    let raw_files = |bench: &Bench| {
        bench.files().into_iter().filter(|file| file.to_string_lossy().contains("/raw/")).collect::<Vec<_>>()
    };
    let raw = raw_files(&bench);
    let whole = fs::read(&raw[0]).unwrap();
    fs::write(&raw[0], "damaged").unwrap();
    bench.clock.advance(3_600);
    let keeper = Keeper::start(bench.tsdb.clone(), bench.scratch.folder.clone()).unwrap();
    eventually("the other day is merged", || raw_files(&bench).len() == 3);
    bench.clock.advance(UNWELL_MAX.as_secs().cast_signed() + 1);
    assert!(bench.tsdb.keeping().verdict().is_err());
    fs::write(&raw[0], whole).unwrap();
    bench.clock.advance(PAUSE_MAX.as_secs().cast_signed());
    eventually("all is merged", || bench.tsdb.keeping().verdict() == Ok(None));
    keeper.stop();
    assert!(!raw[0].exists() && bench.rows().len() == 4);
}
