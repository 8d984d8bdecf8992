//! Readers: who took a view reads all of it, whatever is sealed, merged or let go meanwhile, and each row once.

use super::model::check_files;
use crate::tsdb::{
    Appender, Retention, Tsdb, View,
    record::{OwnedRows, OwnedSample},
    testing::{Bench, NOW, RETENTION, sample, sample_key, samples},
};
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

#[test]
fn files_stay_as_long_as_a_view_has_them() {
    let week = Duration::from_secs(7 * 86_400);
    let mut bench = Bench::with(Retention { raw: week, ..RETENTION });
    let yesterday = NOW.plus_seconds(-86_400);
    bench.push("a", 1, 1..=50, yesterday);
    let mut held = vec![(bench.tsdb.view(), bench.rows())];
    let hold = |bench: &Bench, held: &mut Vec<_>| {
        held.push((bench.tsdb.view(), bench.rows()));
        bench.collect_garbage();
        held.iter().for_each(|(view, rows)| still_has(bench, view, rows));
    };
    bench.seal_all();
    hold(&bench, &mut held);
    bench.push("b", 1, 1..=50, yesterday);
    hold(&bench, &mut held);
    bench.seal_all();
    bench.clock.advance(3_600);
    bench.compact_all();
    hold(&bench, &mut held);
    bench.clock.advance(14 * 86_400);
    bench.retain_all();
    hold(&bench, &mut held);
    assert_eq!(bench.rows(), []);
    assert!(bench.files().len() > bench.tsdb.view().parts.len(), "those that are held");
    // A view of before does not keep what came later.
    held.drain(1..);
    bench.collect_garbage();
    let (view, rows) = &held[0];
    still_has(&bench, view, rows);
    held.clear();
    check_files(&bench, "nobody holds anything");
}

/// A view has what it had, once. The segment that was written to then may have taken more in since.
fn still_has(bench: &Bench, view: &View, rows: &[OwnedSample]) {
    let now = samples(&bench.engine, view);
    assert!(now.is_sorted_by(|a, b| sample_key(a) < sample_key(b)), "a row twice");
    let left: Vec<_> = now.into_iter().filter(|row| rows.contains(row)).collect();
    assert!(left == rows, "{} of {} rows", left.len(), rows.len());
}

/// While groups come, segments are sealed and parts are merged, every view has all numbers from the first to one
/// that is not less than what had been answered.
#[test]
fn every_view_has_every_row_once_while_everything_moves() {
    const ROWS: u64 = 3_000;
    let Bench { engine, tsdb, mut appender, scratch, clock, .. } = Bench::new();
    let (answered, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let yesterday = NOW.plus_seconds(-86_400);
    thread::scope(|scope| {
        scope.spawn(|| {
            for from in (1..=ROWS).step_by(10) {
                let group = (from..from + 10)
                    .map(|seq| sample("a", (1, seq), yesterday.plus_seconds(seq.cast_signed())));
                append(&mut appender, group.collect());
                answered.store(from + 9, Ordering::SeqCst);
                if from % 50 == 1 {
                    let _ = appender.begin_segment().unwrap();
                }
            }
            ended.store(true, Ordering::SeqCst);
        });
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) || tsdb.has_to_seal() {
                if !tsdb.seal_oldest().unwrap() {
                    thread::yield_now();
                }
            }
        });
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) || tsdb.has_to_seal() {
                clock.advance(100);
                if !tsdb.compact_once().unwrap() {
                    thread::yield_now();
                }
                tsdb.collect_garbage(&scratch.folder).unwrap();
            }
        });
        loop {
            let last_look = ended.load(Ordering::SeqCst);
            let at_least = answered.load(Ordering::SeqCst);
            let rows = samples(&engine, &tsdb.view());
            let seqs: Vec<_> = rows.iter().filter_map(|row| row.stream).map(|(_, seq)| seq).collect();
            assert!(seqs.len() as u64 >= at_least, "{} rows of {at_least} answered", seqs.len());
            assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "each once: {seqs:?}");
            if last_look {
                assert_eq!(at_least, ROWS);
                break;
            }
        }
    });
}

fn append(appender: &mut Appender, samples: Vec<OwnedSample>) {
    appender.append(&OwnedRows { samples, ..OwnedRows::default() }.borrow()).unwrap();
}

/// Marks are read anew after every failed commit, while segments are sealed: one that was told by nobody for a
/// moment would let a number in twice.
#[test]
fn no_mark_is_missed_while_its_segment_is_sealed() {
    let mut bench = Bench::new();
    for seq in 1..=60 {
        bench.push("a", 1, seq..=seq, NOW);
        assert!(bench.appender.begin_segment().unwrap());
        let tsdb: Tsdb = bench.tsdb.clone();
        let sealing = thread::spawn(move || tsdb.seal_oldest().unwrap());
        while !sealing.is_finished() {
            let marks = bench.appender.marks().unwrap();
            let newest = marks.iter().map(|row| row.mark.seq).max();
            assert_eq!(newest, Some(seq));
        }
        sealing.join().unwrap();
    }
}
