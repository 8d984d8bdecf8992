//! A segment's order on disk and its rollups, by brute force.

use super::random;
use crate::tsdb::{
    head::{Hours, Segment, Sorted},
    merge::aggregate_at,
    record::{OwnedRows, OwnedSample},
    rollup::{Aggregate, DAY, HOUR, MINUTE, bucket, day},
    schema::{BATCH_ROWS_MAX, SAMPLES, integer_at, text_at, time_at},
    testing::Dice,
};
use arrow::array::RecordBatch;
use pingup_protocol::{discovery::Host, ids::AgentId, time::Timestamp};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

/// Rows as they lie in a segment, for comparing in order.
fn sort_key(row: &OwnedSample) -> (i64, AgentId, Timestamp, Option<(u64, u64)>) {
    (day(row.timestamp.as_micros()), row.agent_id.clone(), row.timestamp, row.stream)
}

#[test]
fn days_are_cut_and_ordered_as_on_disk() {
    for seed in 1..=20 {
        let (segment, model, _) = random(seed);
        let sorted = Arc::new(Sorted::new(Arc::clone(&segment)));
        let mut expected = model.0.samples.clone();
        expected.sort_by_key(sort_key);
        let mut seen = 0;
        for found in sorted.sample_days() {
            let rows = &expected[found.rows.clone()];
            assert_eq!(found.rows.start, seen, "seed {seed}");
            assert!(rows.iter().all(|row| day(row.timestamp.as_micros()) == found.day), "seed {seed}");
            let batches: Vec<_> = sorted.sample_batches(found.rows.clone()).map(Result::unwrap).collect();
            assert!(batches.iter().all(|batch| batch.num_rows() <= BATCH_ROWS_MAX));
            assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), rows.len());
            let told = batches.iter().flat_map(|batch| {
                (0..batch.num_rows()).map(|row| {
                    let text = text_at(batch, 0, row).to_owned();
                    (text, time_at(batch, 1, row))
                })
            });
            let wanted = rows.iter().map(|row| (row.agent_id.as_str().to_owned(), row.timestamp.as_micros()));
            assert!(told.eq(wanted), "seed {seed}");
            seen = found.rows.end;
        }
        assert_eq!(seen, expected.len(), "seed {seed}");
        let scans: usize = sorted.scan_days().iter().map(|day| day.rows.len()).sum();
        assert_eq!(scans, model.0.scans.len(), "seed {seed}");
        assert!(sorted.scan_days().is_sorted_by_key(|day| day.day));
    }
}

/// However many scans a segment has, a few megabytes of their hosts are texts at a time.
#[test]
fn scans_come_in_batches_bounded_by_what_their_hosts_take() {
    let segment = Arc::new(Segment::new(1));
    let counts: Vec<usize> = (0..400).map(|n| if n == 200 { 20_000 } else { n % 100 }).collect();
    let scans = counts.iter().zip(0..).map(|(&hosts, n)| {
        let mut scan = Dice::seeded(1).scan("a", Some((1, n)), Timestamp::from_micros(n.cast_signed()));
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let host = Host { ip, latency: None, ports: vec![1; 50], hostname: Some("h".repeat(50)), mac: None };
        scan.scan.hosts = vec![host; hosts];
        scan
    });
    segment.push(&OwnedRows { scans: scans.collect(), ..OwnedRows::default() }.borrow());
    let sorted = Arc::new(Sorted::new(segment));
    let batches: Vec<_> = sorted.scan_batches(0..counts.len()).map(Result::unwrap).collect();
    let hosts = |batch: &RecordBatch, row| integer_at(batch, 5, row).unwrap().unsigned_abs() as usize;
    let told = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| hosts(batch, row)));
    assert_eq!(told.collect::<Vec<_>>(), counts);
    assert!(batches.len() < 40, "{} batches", batches.len());
    for batch in &batches {
        let all: usize = (0..batch.num_rows()).map(|row| hosts(batch, row)).sum();
        assert!(all <= 4_000 || batch.num_rows() == 1, "{all} hosts in {} scans", batch.num_rows());
    }
    assert_eq!(sorted.scan_batches(0..0).count(), 0);
}

/// Agent, name and start.
type Key = (String, String, i64);

fn rows_of(hours: Hours) -> Vec<(Key, Aggregate)> {
    let rows = |batch: RecordBatch| {
        assert!(batch.num_rows() <= BATCH_ROWS_MAX);
        let row = |row| {
            let text = |column| text_at(&batch, column, row).to_owned();
            ((text(0), text(1), time_at(&batch, 2, row)), aggregate_at(&batch, row).unwrap())
        };
        (0..batch.num_rows()).map(row).collect::<Vec<_>>()
    };
    hours.map(Result::unwrap).flat_map(rows).collect()
}

#[test]
fn rollups_equal_brute_force() {
    for seed in 1..=20 {
        let (segment, mut dice) = (Arc::new(Segment::new(1)), Dice::seeded(seed));
        let mut expected: BTreeMap<Key, Aggregate> = BTreeMap::new();
        let step = [MINUTE, HOUR, DAY][dice.below(3) as usize];
        for row in 0..400 {
            // Of one moment each: which of two newest counts is not promised.
            let at = dice.below(2 * DAY.cast_unsigned() / 400).cast_signed() + row * (2 * DAY / 400) - DAY;
            let agent = dice.agent();
            let row = dice.sample(agent, None, Timestamp::from_micros(at));
            let measured = [row.metrics.cpu, row.metrics.ram, row.metrics.disk, row.metrics.latency];
            let own = ["cpu", "ram", "disk", "latency"].into_iter().zip(measured);
            let own = own.filter_map(|(name, value)| Some((name.to_owned(), value?)));
            for (name, value) in own.chain(row.metrics.further.clone()).chain([(SAMPLES.to_owned(), 0.0)]) {
                let of_one = Aggregate::of(value, row.timestamp);
                let bucket = expected.entry((agent.to_owned(), name, bucket(at, step)));
                bucket.and_modify(|known| known.add(&of_one)).or_insert(of_one);
            }
            segment.push(&OwnedRows { samples: vec![row], ..OwnedRows::default() }.borrow());
        }
        let sorted = Arc::new(Sorted::new(segment));
        let days: Vec<_> = sorted.sample_days().into_iter().map(|day| day.rows).collect();
        // However few names are held at a time, and whether the days are of one file or of several.
        for rows_max in [1, 50, usize::MAX] {
            let told = rows_of(sorted.rollup_within(&days, step, rows_max));
            assert!(told.is_sorted_by_key(|(key, _)| key), "seed {seed}, {rows_max} rows");
            assert!(told.into_iter().eq(expected.clone()), "seed {seed}, {rows_max} rows");
            let by_day = days
                .iter()
                .flat_map(|day| rows_of(sorted.rollup_within(std::slice::from_ref(day), step, rows_max)));
            let mut by_day: Vec<_> = by_day.collect();
            by_day.sort_by(|(a, _), (b, _)| a.cmp(b));
            assert!(by_day.into_iter().eq(expected.clone()), "seed {seed}, {rows_max} rows");
        }
    }
}
