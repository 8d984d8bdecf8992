//! Room is given back, whatever else fails, and nothing is deleted on a doubt.

use crate::{
    storage::{DiskSpace, StorageError},
    tsdb::{
        Retention, Tier, TsdbError,
        attempts::PAUSE_MAX,
        catalogue::Change,
        condition::HELD_MAX,
        keeper::Keeper,
        testing::{Bench, NOW, RETENTION},
    },
};
use std::{
    fs,
    path::PathBuf,
    sync::mpsc,
    thread,
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

/// One that is sealed while another is merged: each commit settles what was in doubt before it began.
#[test]
fn a_commit_tells_nothing_of_what_came_into_doubt_while_it_was_on_its_way() {
    let mut bench = Bench::new();
    bench.push("a", 1, 1..=5, NOW);
    let doubt = |name: &str| {
        let file = bench.scratch.folder.path().join(name);
        fs::write(&file, "rows").unwrap();
        bench.tsdb.0.doubtful.put(vec![file.clone()]);
        file
    };
    // The records' writer stands still until it is let go.
    let (let_go, waits) = mpsc::channel::<()>();
    let sqlite = bench.sqlite.clone();
    let standing = thread::spawn(move || {
        let wait = move |_: &rusqlite::Connection| waits.recv().map_err(|_| StorageError::Closed);
        sqlite.reclaim_blocking(wait)
    });
    let before = doubt("before");
    let tsdb = bench.tsdb.clone();
    let changing = thread::spawn(move || tsdb.change(Change::default()));
    // It takes what is in doubt as it begins.
    let begun = Instant::now();
    while !bench.tsdb.0.doubtful.is_empty() {
        assert!(begun.elapsed() < LONG, "what was in doubt before is taken only after the commit");
        thread::yield_now();
    }
    let meanwhile = doubt("meanwhile");
    let_go.send(()).unwrap();
    standing.join().unwrap().unwrap();
    changing.join().unwrap().unwrap();
    bench.collect_garbage();
    assert!(!before.exists() && meanwhile.exists());
    bench.tsdb.settle().unwrap();
    bench.collect_garbage();
    assert!(!meanwhile.exists());
}

/// Samples of so many days ago, a part each day.
fn days_ago(bench: &mut Bench, days: &[i64]) {
    for day in days {
        bench.push("a", day.unsigned_abs(), 1..=5, NOW.plus_seconds(-day * DAY));
        bench.seal_all();
    }
    bench.collect_garbage();
}

fn raw_files(bench: &Bench) -> Vec<PathBuf> {
    let parts = bench.tsdb.view().parts.clone();
    let raw = parts.iter().filter(|part| part.row().tier == Tier::Raw);
    raw.map(|part| part.path().to_owned()).collect()
}

/// The oldest day cannot be read, so its minutes cannot be made; the others go all the same.
#[test]
fn a_day_that_cannot_be_let_go_keeps_no_other() {
    let raw = Duration::from_secs(3 * DAY.unsigned_abs());
    let mut bench = Bench::with(Retention { raw, ..RETENTION });
    days_ago(&mut bench, &[9, 8, 7, 6]);
    let files = raw_files(&bench);
    fs::write(&files[0], "damaged").unwrap();
    let let_go = || bench.tsdb.retain_once().map_err(drop);
    let results: Vec<_> = (0..6).map(|_| let_go()).collect();
    let (went, nothing) = (Ok(true), Ok(false));
    assert_eq!(results, [Err(()), went, went, went, nothing, nothing], "what failed is left alone");
    bench.clock.advance(1);
    assert_eq!([let_go(), let_go()], [Err(()), nothing], "for a while");
    assert_eq!(raw_files(&bench), files[..1]);
}

/// A merge that fails, the first that would be done, keeps no other.
#[test]
fn a_merge_that_fails_keeps_no_other() {
    let mut bench = Bench::new();
    days_ago(&mut bench, &[9, 9, 5, 5]);
    fs::write(&raw_files(&bench)[0], "damaged").unwrap();
    bench.clock.advance(3_600);
    let merge = || bench.tsdb.compact_once().map_err(drop);
    let results: Vec<_> = (0..4).map(|_| merge()).collect();
    assert_eq!(results, [Err(()), Ok(true), Ok(false), Ok(false)], "what failed is left alone");
    assert_eq!(raw_files(&bench).len(), 3);
    // For a while, which doubles; then until somebody has mended it.
    let mut tries = 0;
    for _ in 0..60 {
        bench.clock.advance(1);
        tries += u32::from(merge().is_err());
    }
    assert_eq!(tries, 5, "after 1, 2, 4, 8, 16 s");
}

/// What is merged is there twice for a while: that room is never taken of the reserve.
#[test]
fn no_merge_begins_without_room_and_old_days_go_all_the_same() {
    let mut bench = Bench::new();
    days_ago(&mut bench, &[9, 9, 5, 5]);
    bench.clock.advance(3_600);
    let files = bench.files();
    let plenty = std::mem::replace(
        &mut bench.scratch.disk,
        DiskSpace::watch(bench.scratch.folder.path(), u64::MAX).unwrap(),
    );
    bench.reopen();
    let refused = bench.tsdb.compact_once().unwrap_err();
    assert!(matches!(refused, TsdbError::Storage(StorageError::Full)), "{refused}");
    assert_eq!(bench.files(), files);
    bench.clock.advance(27 * DAY);
    bench.retain_all();
    assert_eq!(raw_files(&bench), [] as [PathBuf; 0]);
    bench.scratch.disk = plenty;
    bench.reopen();
    bench.compact_all();
}

/// An export that was stopped by hand keeps every file: that is told once it lasts.
#[test]
fn who_holds_files_back_for_long_is_told_of() {
    let mut bench = Bench::with(RETENTION);
    days_ago(&mut bench, &[9, 9]);
    let held = bench.scratch.folder.hold().unwrap();
    bench.clock.advance(60);
    bench.compact_all();
    bench.collect_garbage();
    let keeping = bench.tsdb.keeping();
    assert_eq!((keeping.held, keeping.files, keeping.verdict()), (Duration::ZERO, 2, Ok(None)));
    bench.clock.advance(HELD_MAX.as_secs().cast_signed());
    bench.collect_garbage();
    let keeping = bench.tsdb.keeping();
    assert_eq!((keeping.held, keeping.files), (HELD_MAX, 2));
    assert!(keeping.verdict().unwrap().unwrap().contains("a backup or an export"));
    drop(held);
    bench.collect_garbage();
    let keeping = bench.tsdb.keeping();
    assert_eq!((keeping.held, keeping.files, keeping.verdict()), (Duration::ZERO, 0, Ok(None)));
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

/// Merged, it would be written anew under a checksum that holds, and the file that tells of the damage deleted.
#[test]
fn a_part_that_the_disk_changed_is_not_merged() {
    let mut bench = Bench::new();
    for round in 0..2_u64 {
        bench.push("a", 1, round * 10 + 1..=round * 10 + 5, NOW.plus_seconds(round as i64 * 10));
        bench.seal_all();
    }
    bench.clock.advance(2 * DAY);
    let (before, is_raw) = (bench.files(), |path: &PathBuf| path.to_string_lossy().contains("raw"));
    let part = before.iter().find(|path| is_raw(path)).unwrap();
    let whole = fs::read(part).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    fs::write(part, &changed).unwrap();
    let rows = |bench: &Bench| -> Vec<PathBuf> { bench.files().into_iter().filter(is_raw).collect() };
    let raw = rows(&bench);
    // Whatever else is to be merged is, in turns.
    let refused: Vec<_> = (0..4).filter_map(|_| bench.tsdb.compact_once().err()).collect();
    assert!(matches!(refused.first(), Some(TsdbError::Changed(path)) if path == part), "{refused:?}");
    assert_eq!(rows(&bench), raw, "what is there stays");
    fs::write(part, &whole).unwrap();
    bench.clock.advance(PAUSE_MAX.as_secs().cast_signed());
    bench.compact_all();
    bench.collect_garbage();
    assert_eq!((rows(&bench).len(), bench.rows().len()), (raw.len() - 1, 10));
}
