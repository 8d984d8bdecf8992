//! Every storage call fails in its turn: what was answered is there once, what failed left nothing and works when
//! it is repeated, also after a restart.

use super::model::{Model, check_files};
use crate::{
    storage::{DataFolder, Faults, StorageError},
    tsdb::{
        Retention, TsdbError,
        attempts::PAUSE_MIN,
        record::OwnedRows,
        testing::{Bench, Dice, NOW},
    },
};
use std::{fs, time::Duration};

const RETENTION: Retention = Retention { raw: days(20), minute: days(40), hour: days(60) };
/// More calls than the story makes.
const CALLS_MAX: u64 = 400;

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Open,
    Append(usize),
    Begin,
    Seal,
    Merge,
    LetGo,
    Advance(i64),
}

/// Two segments of one day of last month are sealed and merged, and a third beside; then they are let go.
const STORY: [Step; 17] = [
    Step::Open,
    Step::Append(0),
    Step::Append(1),
    Step::Begin,
    Step::Append(2),
    Step::Seal,
    Step::Begin,
    Step::Append(3),
    Step::Seal,
    Step::Advance(3_600),
    Step::Merge,
    Step::Open,
    Step::Append(4),
    Step::Begin,
    Step::Advance(6 * 86_400),
    Step::LetGo,
    Step::Seal,
];

/// Groups of 2026-12-30.
fn groups() -> Vec<OwnedRows> {
    let mut dice = Dice::seeded(5);
    let start = NOW.plus_seconds(-16 * 86_400);
    let group = |group: u64| {
        let at = |n: u64| start.plus_seconds((group * 100 + n).cast_signed());
        let samples = (1..=10).map(|n| dice.sample("a", Some((1, group * 100 + n)), at(n))).collect();
        let scans = vec![dice.scan("b", None, at(0))];
        OwnedRows { samples, scans, ..OwnedRows::default() }
    };
    (0..5).map(group).collect()
}

fn take(step: Step, bench: &mut Bench, groups: &[OwnedRows], faults: &Faults) -> Result<(), TsdbError> {
    match step {
        Step::Open => bench.reopen_with(faults.clone()),
        Step::Append(group) => bench.append(&groups[group]),
        Step::Begin => bench.appender.begin_segment().map(|begun| assert!(begun)),
        Step::Seal => bench.tsdb.seal_oldest().map(drop),
        Step::Merge => {
            while bench.tsdb.compact_once()? {}
            Ok(())
        }
        Step::LetGo => {
            while bench.tsdb.retain_once()? {}
            Ok(())
        }
        Step::Advance(seconds) => {
            bench.clock.advance(seconds);
            Ok(())
        }
    }
}

/// Goes on after `step` was done: what the model knows of it.
fn done(step: Step, bench: &Bench, model: &mut Model, groups: &[OwnedRows]) {
    match step {
        Step::Append(group) => model.answered(groups[group].clone()),
        Step::LetGo => model.retained(bench),
        _ => {}
    }
}

/// Tells the story with these faults; whether one came.
fn tell(faults: &Faults, restart_after_failure: bool, what: &str) -> bool {
    let (mut bench, mut model, groups) = (Bench::with(RETENTION), Model::default(), groups());
    for (place, step) in STORY.into_iter().enumerate() {
        let when = format!("{what}, step {place}, {step:?}");
        if let Err(error) = take(step, &mut bench, &groups, faults) {
            assert!(matches!(error, TsdbError::Storage(StorageError::Injected(_))), "{when}: {error}");
            // Of what is past its time a part may have gone already.
            if step != Step::LetGo {
                model.check(&bench, &format!("{when} failed"));
            }
            faults.heal();
            // What failed once is left alone for so long.
            bench.clock.advance(PAUSE_MIN.as_secs().cast_signed());
            if restart_after_failure {
                bench.reopen();
            }
            take(step, &mut bench, &groups, faults)
                .unwrap_or_else(|error| panic!("{when} repeated: {error}"));
            done(step, &bench, &mut model, &groups);
            model.check(&bench, &format!("{when} repeated"));
            check_files(&bench, &format!("{when} repeated"));
        } else {
            done(step, &bench, &mut model, &groups);
        }
    }
    model.check(&bench, &format!("{what}, at the end"));
    check_files(&bench, &format!("{what}, at the end"));
    bench.reopen();
    model.check(&bench, &format!("{what}, opened again"));
    check_files(&bench, &format!("{what}, opened again"));
    faults.has_fired()
}

fn every_call(faults: fn(u64) -> Faults, restart_after_failure: bool) {
    let what = |call: u64| format!("call {call}, restart {restart_after_failure}");
    let calls = (1..CALLS_MAX).take_while(|&call| tell(&faults(call), restart_after_failure, &what(call)));
    let calls = calls.count() as u64;
    println!("{calls} calls failed in their turn");
    assert!((20..CALLS_MAX - 1).contains(&calls), "{calls} calls");
}

#[test]
fn any_call_may_fail_once() {
    every_call(Faults::fail_nth, false);
}

#[test]
fn any_call_may_fail_once_and_the_hub_with_it() {
    every_call(Faults::fail_nth, true);
}

#[test]
fn from_any_call_on_everything_may_fail_until_it_is_mended() {
    every_call(Faults::fail_from, false);
}

/// A catalogue that cannot be written does not let the disk fill up with what is tried again and again.
#[test]
fn trying_again_and_again_takes_no_more_room_than_once() {
    let mut bench = Bench::with(RETENTION);
    let mut model = Model::default();
    bench.append(&groups()[0]).unwrap();
    model.answered(groups()[0].clone());
    bench.appender.begin_segment().unwrap();
    let rename = |bench: &Bench, from: &'static str, to: &'static str| {
        let sql = format!("ALTER TABLE {from} RENAME TO {to}");
        let run = move |connection: &rusqlite::Connection| {
            connection.execute_batch(&sql).map_err(StorageError::from)
        };
        bench.sqlite.reclaim_blocking(run).unwrap();
    };
    rename(&bench, "parts", "parts_away");
    rename(&bench, "sealed", "sealed_away");
    for _ in 0..5 {
        bench.tsdb.seal_oldest().unwrap_err();
        bench.collect_garbage();
    }
    assert_eq!(bench.files().len(), 3, "samples, hours and scans of one try");
    rename(&bench, "parts_away", "parts");
    rename(&bench, "sealed_away", "sealed");
    assert!(bench.tsdb.seal_oldest().unwrap());
    model.check(&bench, "sealed at last");
    check_files(&bench, "sealed at last");
}

/// Files that nobody needs are not forgotten when the right to delete them cannot be had.
#[test]
fn garbage_waits_until_it_can_be_deleted() {
    let mut bench = Bench::new();
    bench.append(&groups()[0]).unwrap();
    bench.seal_all();
    let held = bench.scratch.folder.hold().unwrap();
    bench.clock.advance(800 * 86_400);
    bench.retain_all();
    let files = bench.files();
    bench.collect_garbage();
    assert_eq!(bench.files(), files, "a backup holds them");
    drop(held);
    let gone = tempfile::tempdir().unwrap();
    let no_folder = DataFolder::open(gone.path()).unwrap();
    gone.close().unwrap();
    assert!(bench.tsdb.collect_garbage(&no_folder).is_err());
    assert_eq!(bench.files(), files);
    check_files(&bench, "the right can be had again");
}

/// Whoever asks how the history does is told of a disk that takes nothing, and that it does again.
#[test]
fn a_failed_append_is_told_until_the_disk_takes_something_again() {
    let (mut bench, groups, faults) = (Bench::new(), groups(), Faults::fail_from(8));
    bench.reopen_with(faults.clone()).unwrap();
    bench.tsdb.probe().unwrap();
    while bench.append(&groups[0]).is_ok() {}
    assert!(bench.tsdb.probe().is_err() && bench.tsdb.probe().is_err());
    faults.heal();
    // It is the disk that is asked from here on: a place that cannot be written to, then one that can.
    let scratch = bench.scratch.folder.path().join("history/scratch");
    fs::remove_dir(&scratch).unwrap();
    fs::write(&scratch, "no folder").unwrap();
    let refused = bench.tsdb.probe().unwrap_err();
    assert!(matches!(refused, StorageError::File { .. }), "{refused}");
    fs::remove_file(&scratch).unwrap();
    fs::create_dir(&scratch).unwrap();
    bench.tsdb.probe().unwrap();
    check_files(&bench, "probed");
    // Once it works, nobody asks the disk again.
    fs::remove_dir(&scratch).unwrap();
    bench.tsdb.probe().unwrap();
}
