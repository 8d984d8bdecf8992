//! The plan of merges, from the catalogue alone: when it merges, what it makes, and that it comes to an end.

use super::*;
use crate::tsdb::{
    rollup::DAY,
    testing::{Dice, NOW},
};

/// The first of the merges that are worth it.
fn plan(parts: &[PartRow], now: Timestamp) -> Option<Merge> {
    super::plan(parts, now).into_iter().next()
}

/// The day of [`NOW`].
const TODAY: i64 = NOW.as_micros() / DAY;

fn part(id: u64, tier: Tier, period: i64, level: u32, rows: u64) -> PartRow {
    let agents = ("a".to_owned(), "b".to_owned());
    PartRow { id, tier, period, level, rows, bytes: rows, times: (0, 0), agents, created: NOW, crc32: None }
}

fn parts(count: u64, period: i64, level: u32) -> Vec<PartRow> {
    (1..=count).map(|id| part(id, Tier::Raw, period, level, 100)).collect()
}

/// A while after the last part came.
fn quiet() -> Timestamp {
    NOW.plus_seconds(QUIET.as_secs().cast_signed())
}

#[test]
fn enough_parts_of_a_level_make_one_of_the_next() {
    let fan_in = FAN_IN as u64;
    assert_eq!(plan(&parts(fan_in - 1, TODAY, 0), NOW), None);
    for level in [0, 3] {
        let merge = plan(&parts(fan_in, TODAY, level), NOW).unwrap();
        let ids = (1..=fan_in).collect::<Vec<_>>();
        assert_eq!(merge, Merge { tier: Tier::Raw, period: TODAY, parts: ids, level: level + 1 });
    }
    let mixed: Vec<_> =
        (1..=2 * fan_in - 2).map(|id| part(id, Tier::Raw, TODAY, u32::from(id < fan_in), 1)).collect();
    assert_eq!(plan(&mixed, NOW), None, "seven of each of two levels");
    let apart =
        (1..=fan_in).map(|id| part(id, if id % 2 == 0 { Tier::Raw } else { Tier::Scans }, TODAY, 0, 1));
    assert_eq!(plan(&apart.collect::<Vec<_>>(), NOW), None, "tiers are never mixed");
    let days: Vec<_> =
        (1..=fan_in).map(|id| part(id, Tier::Raw, TODAY - id.cast_signed() % 2, 0, 1)).collect();
    assert_eq!(plan(&days, NOW), None, "neither are periods");
}

#[test]
fn a_period_is_finished_once_it_is_over_and_quiet() {
    let yesterday = parts(2, TODAY - 1, 0);
    assert_eq!(plan(&yesterday, NOW), None, "something came just now");
    assert_eq!(plan(&yesterday, quiet().plus_seconds(-1)), None);
    let merge = plan(&yesterday, quiet()).unwrap();
    assert_eq!((merge.parts, merge.level), (vec![1, 2], LEVEL_FINISHED));
    assert_eq!(plan(&parts(2, TODAY, 0), quiet()), None, "today is not over");
    let still_fresh = Timestamp::from_micros(Tier::Raw.end(TODAY)).plus_seconds(seconds(FRESH) - 1);
    assert_eq!(plan(&parts(2, TODAY, 0), still_fresh), None, "the last hour lies in it");
    assert!(plan(&parts(2, TODAY, 0), still_fresh.plus_seconds(1)).is_some());
    let this_month = Tier::Hour.period(TODAY);
    let of_month = |period| vec![part(1, Tier::Hour, period, 0, 9), part(2, Tier::Hour, period, 0, 9)];
    assert_eq!(plan(&of_month(this_month), quiet()), None);
    assert!(plan(&of_month(Tier::Hour.period(this_month - 1)), quiet()).is_some());
}

#[test]
fn one_part_alone_is_left_alone() {
    for level in [0, 5, LEVEL_FINISHED] {
        assert_eq!(plan(&parts(1, TODAY - 9, level), quiet()), None);
    }
}

#[test]
fn late_rows_wait_until_they_are_worth_the_rewriting() {
    let finished = part(1, Tier::Raw, TODAY - 3, LEVEL_FINISHED, 1_000);
    let late = |rows| vec![finished.clone(), part(2, Tier::Raw, TODAY - 3, 0, rows)];
    assert_eq!(plan(&late(99), quiet()), None);
    assert_eq!(plan(&late(100), quiet()).unwrap().level, LEVEL_FINISHED);
    // Many small ones are merged among themselves.
    let small = (2..2 + FAN_IN as u64).map(|id| part(id, Tier::Raw, TODAY - 3, 0, 1));
    let merge = plan(&[finished.clone()].into_iter().chain(small).collect::<Vec<_>>(), quiet()).unwrap();
    assert_eq!((merge.parts.len(), merge.level), (FAN_IN, 1));
}

#[test]
fn no_merge_reads_more_than_its_bound() {
    let many = MERGED_PARTS_MAX as u64 + 1;
    for (period, now) in [(TODAY, NOW), (TODAY - 1, quiet())] {
        let merge = plan(&parts(many, period, 0), now).unwrap();
        assert_eq!(merge.parts.len(), MERGED_PARTS_MAX);
        assert_ne!(merge.level, LEVEL_FINISHED, "one is left over");
    }
}

#[test]
fn the_smallest_merge_is_done_first() {
    let large = (1..=2).map(|id| part(id, Tier::Raw, TODAY - 2, 0, 1_000));
    let small = (3..=4).map(|id| part(id, Tier::Scans, TODAY - 1, 0, 10));
    let all: Vec<_> = large.chain(small).collect();
    assert_eq!(plan(&all, quiet()).unwrap().parts, [3, 4]);
}

/// Merging goes on until nothing is worth it, loses no row, and takes no part alone.
#[test]
fn merging_comes_to_an_end_from_anywhere() {
    for seed in 1..=300 {
        let mut dice = Dice::seeded(seed);
        let mut all: Vec<PartRow> = (1..=dice.below(200))
            .map(|id| {
                let tier = Tier::ALL[dice.below(5) as usize];
                let period = tier.period(TODAY - dice.below(3).cast_signed());
                let level = [0, 0, 1, 2, LEVEL_FINISHED][dice.below(5) as usize];
                part(id, tier, period, level, dice.below(3) * dice.below(1_000))
            })
            .collect();
        let rows = |all: &[PartRow]| all.iter().map(|part| part.rows).sum::<u64>();
        let (before, mut next) = (rows(&all), 1_000);
        let mut merges = 0;
        while let Some(merge) = plan(&all, quiet()) {
            assert!((2..=MERGED_PARTS_MAX).contains(&merge.parts.len()), "seed {seed}: {merge:?}");
            let (gone, mut left): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|part| merge.parts.contains(&part.id));
            assert_eq!(gone.len(), merge.parts.len(), "seed {seed}");
            assert!(
                gone.iter().all(|part| (part.tier, part.period) == (merge.tier, merge.period)),
                "seed {seed}"
            );
            left.push(part(next, merge.tier, merge.period, merge.level, rows(&gone)));
            (all, next, merges) = (left, next + 1, merges + 1);
            assert!(merges < 200, "seed {seed}: {merges} merges");
        }
        assert_eq!(rows(&all), before, "seed {seed}");
    }
}
