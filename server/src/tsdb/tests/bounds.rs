//! What the outside can let grow has an end: segments that wait, rows that stay in one, streams
//! that are remembered.

use crate::{
    storage::StorageError,
    tsdb::{
        Retention, SEGMENTS_MAX, TsdbError,
        append::SEGMENT_AGE_MAX,
        head::{SEGMENT_BYTES_MAX, SEGMENT_ROWS_MAX},
        record::{OwnedRows, OwnedSample},
        rows::{BOOTS_PER_AGENT_MAX, Mark, MarkRow, PointRow, SeriesId},
        testing::{Bench, NOW, RETENTION, agent_id, sample},
    },
};
use pingup_protocol::metrics::Measurements;
use std::{collections::BTreeSet, thread, time::Duration};

/// Groups until the segment that is written to is full.
fn fill(bench: &mut Bench, next: &mut u64) {
    const GROUP: u64 = 20_000;
    let segment = || bench.tsdb.view().segments.last().cloned();
    let open = segment().unwrap();
    while !open.is_full() {
        let seqs = *next..*next + GROUP;
        let samples = seqs.map(|seq| sample("a", (1, seq), NOW.plus_seconds(-(seq % 1_000).cast_signed())));
        let rows = OwnedRows { samples: samples.collect(), ..OwnedRows::default() };
        bench.appender.append(&rows.borrow()).unwrap();
        *next += GROUP;
    }
    assert!(open.samples() < SEGMENT_ROWS_MAX + GROUP as usize, "a group more at most");
}

#[test]
fn when_too_many_segments_wait_groups_are_refused_and_nothing_is_lost() {
    let (mut bench, mut next) = (Bench::new(), 1);
    bench.appender.seal_wait = Duration::from_millis(1);
    for _ in 1..SEGMENTS_MAX {
        bench.appender.begin_segment().unwrap();
    }
    fill(&mut bench, &mut next);
    assert_eq!(bench.tsdb.view().segments.len(), SEGMENTS_MAX);
    let one = |seq| OwnedRows { samples: vec![sample("a", (1, seq), NOW)], ..OwnedRows::default() };
    for _ in 0..3 {
        let refused = bench.append(&one(next)).unwrap_err();
        assert!(matches!(refused, TsdbError::Storage(StorageError::Busy)), "{refused}");
    }
    assert_eq!(bench.tsdb.view().segments.len(), SEGMENTS_MAX);
    // Sealing one makes room for whoever waits, at once.
    bench.appender.seal_wait = Duration::from_secs(60);
    let tsdb = bench.tsdb.clone();
    let sealing = thread::spawn(move || tsdb.seal_oldest().unwrap());
    bench.append(&one(next)).unwrap();
    assert!(sealing.join().unwrap());
    let rows = bench.tsdb.view().segments.iter().map(|segment| segment.samples() as u64).sum::<u64>();
    assert_eq!(rows, next);
    bench.reopen();
    assert_eq!(bench.tsdb.view().segments.len(), SEGMENTS_MAX);
    assert_eq!(bench.rows().len() as u64, next);
}

/// A group is never parted, so one of many new names makes a segment far larger than its bound.
#[test]
fn segments_of_many_names_wait_for_each_other() {
    let (mut bench, mut next) = (Bench::new(), 1);
    bench.appender.seal_wait = Duration::from_millis(1);
    let mut group = || {
        let samples = (next..next + 3_000).map(|seq| {
            let further = (0..64).map(|n| (format!("m{:x}", seq * 64 + n), 1.0)).collect();
            let metrics = Measurements { further, ..Measurements::default() };
            OwnedSample { metrics, ..sample("a", (1, seq), NOW.plus_seconds(-(seq / 100).cast_signed())) }
        });
        let samples = samples.collect();
        next += 3_000;
        OwnedRows { samples, ..OwnedRows::default() }
    };
    bench.append(&group()).unwrap();
    bench.append(&group()).unwrap();
    assert_eq!(bench.tsdb.view().segments.len(), 2, "together they are larger than three should be");
    let refused = bench.append(&group()).unwrap_err();
    assert!(matches!(refused, TsdbError::Storage(StorageError::Busy)), "{refused}");
    assert!(bench.tsdb.seal_oldest().unwrap());
    bench.append(&group()).unwrap();
    bench.seal_all();
    assert_eq!(bench.rows().len(), 9_000);
}

#[test]
fn a_full_segment_is_left_to_be_sealed_by_itself() {
    let (mut bench, mut next) = (Bench::new(), 1);
    fill(&mut bench, &mut next);
    let view = bench.tsdb.view();
    assert_eq!(view.segments.len(), 2, "the next one has begun");
    assert!(view.segments[0].is_full() && view.segments[1].is_empty());
    assert!(bench.tsdb.has_to_seal());
    assert!(bench.tsdb.seal_oldest().unwrap());
    assert!(!bench.tsdb.seal_oldest().unwrap(), "the one that is written to is not sealed");
    assert_eq!(bench.rows().len() as u64, next - 1);
}

#[test]
fn a_segment_that_does_not_fill_is_left_after_a_day() {
    let mut bench = Bench::new();
    let day = SEGMENT_AGE_MAX.as_secs().cast_signed();
    bench.clock.advance(3 * day);
    assert!(!bench.tsdb.leave_aged().unwrap(), "nothing is in it");
    let first = bench.clock.now();
    bench.push("a", 1, 1..=5, first.plus_seconds(-5 * day));
    assert!(!bench.tsdb.leave_aged().unwrap(), "late rows are new");
    bench.clock.advance(day - 1);
    bench.push("a", 1, 6..=6, bench.clock.now());
    assert!(!bench.tsdb.leave_aged().unwrap());
    bench.clock.advance(1);
    assert!(bench.tsdb.leave_aged().unwrap() && bench.tsdb.has_to_seal());
    assert!(!bench.tsdb.leave_aged().unwrap(), "the next one has just begun");
    assert!(bench.tsdb.seal_oldest().unwrap());
    assert_eq!(bench.rows().len(), 6);
    // After a restart age is told by when the first row was measured.
    bench.push("a", 1, 7..=7, bench.clock.now());
    bench.clock.advance(day - 1);
    bench.reopen();
    assert!(!bench.tsdb.leave_aged().unwrap());
    bench.clock.advance(1);
    assert!(bench.tsdb.leave_aged().unwrap());
}

/// A fleet so small that no segment of it is ever full.
#[test]
fn rows_of_a_small_fleet_are_let_go_in_time_and_make_few_parts() {
    const DAY: i64 = 86_400;
    let raw = Duration::from_secs(2 * DAY.unsigned_abs());
    let mut bench = Bench::with(Retention { raw, ..RETENTION });
    let mut sealed = 0;
    for hour in 1..=20 * 24 {
        bench.clock.advance(3_600);
        let now = bench.clock.now();
        bench.push("a", 1, hour..=hour, now);
        bench.tsdb.leave_aged().unwrap();
        sealed += usize::from(bench.tsdb.seal_oldest().unwrap());
        bench.compact_all();
        bench.retain_all();
        if hour % 24 == 0 {
            let oldest = bench.rows().first().unwrap().timestamp;
            // The retention, the rest of its day, and the age of a segment.
            assert!(oldest > now.plus_seconds(-4 * DAY), "hour {hour}: {oldest}");
            let parts = bench.tsdb.view().parts.len();
            assert!(parts < 50, "hour {hour}: {parts} parts");
        }
    }
    assert_eq!(sealed, 19);
}

/// An agent that begins a stream with every restart does not let the catalogue grow for ever.
#[test]
fn of_each_agent_only_the_greatest_boots_stay_in_the_catalogue() {
    let mut bench = Bench::new();
    let boots = 3 * BOOTS_PER_AGENT_MAX as u64;
    for boot in 1..=boots {
        let mark = |agent: &str| {
            let mark = Mark { seq: 1, timestamp: Some(NOW) };
            MarkRow { agent_id: agent_id(agent), boot, mark }
        };
        let marks = if boot == 1 { vec![mark("a"), mark("b")] } else { vec![mark("a")] };
        bench.append(&OwnedRows { marks, ..OwnedRows::default() }).unwrap();
        if boot % 5 == 0 {
            bench.seal_all();
        }
    }
    bench.seal_all();
    let marks = bench.appender.marks().unwrap();
    let of = |agent: &str| -> BTreeSet<u64> {
        marks.iter().filter(|row| row.agent_id.as_str() == agent).map(|row| row.boot).collect()
    };
    assert_eq!(of("a"), (boots + 1 - BOOTS_PER_AGENT_MAX as u64..=boots).collect());
    assert_eq!(of("b"), BTreeSet::from([1]));
}

/// Points have no bound by count: their bytes fill a segment.
#[test]
fn points_fill_a_segment_by_their_bytes() {
    const GROUP: i64 = 50_000;
    let mut bench = Bench::new();
    let open = bench.tsdb.view().segments.last().cloned().unwrap();
    assert_eq!(open.bytes(), 0, "without points nothing is taken for them");
    let mut groups = 0;
    while !open.is_full() {
        let point = |n| PointRow { series: SeriesId::new(1), at_ms: NOW.as_micros() / 1_000 - n, value: 0.5 };
        let points = (groups * GROUP..(groups + 1) * GROUP).map(point).collect();
        bench.append(&OwnedRows { points, ..OwnedRows::default() }).unwrap();
        groups += 1;
    }
    assert_eq!(open.points() as i64, groups * GROUP);
    let group = SEGMENT_BYTES_MAX / open.bytes().div_ceil(groups as usize);
    assert!(open.bytes() < SEGMENT_BYTES_MAX + SEGMENT_BYTES_MAX / group, "{} bytes", open.bytes());
    assert_eq!(bench.tsdb.view().segments.len(), 2, "the next was begun");
}
