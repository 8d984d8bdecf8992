//! The same samples in memory, in files, merged, half and half, with late ones, and past their time: the same
//! answers, and those of a plain walk.

use super::*;
use crate::tsdb::{
    Retention,
    testing::{NOW, RETENTION},
};
use std::collections::{BTreeMap, HashSet};

const HOUR_SECONDS: i64 = 3_600;
const STEPS: [u64; 7] = [7, 90, 60, 1_800, 3_600, 7_200, 86_400];

/// Random numbers by a seed (splitmix64; Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % below.cast_unsigned()).cast_signed()
    }
}

/// Samples of two agents within `hours` from `first` on, no two at one moment; sums of their values are exact.
fn thrown(dice: &mut Dice, count: usize, first: i64, hours: i64) -> Vec<OwnedSample> {
    let mut moments = HashSet::new();
    let mut found = Vec::new();
    while found.len() < count {
        let micros = first * SECOND + dice.roll(hours * HOUR_SECONDS * SECOND);
        if !moments.insert(micros) {
            continue;
        }
        let mut value = |odds: i64| (dice.roll(odds) > 0).then(|| dice.roll(400) as f64 / 4.0);
        let (cpu, ram, load1, swap) = (value(3), value(10), value(2), value(4));
        let further = [("load1", load1), ("swap", swap)];
        let further = further.iter().filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?)));
        let metrics = Measurements { cpu, ram, further: further.collect(), ..Measurements::default() };
        let agent = ["a", "b"][usize::from(dice.roll(3) == 0)];
        let stream = Some((1, found.len() as u64 + 1));
        found.push(sample(agent, stream, Timestamp::from_micros(micros), "online", metrics));
    }
    found
}

/// A bucket's samples, and its values by name, those with columns of their own first.
#[derive(Default)]
struct Walked<'a> {
    count: u64,
    metrics: BTreeMap<(bool, &'a str), Vec<f64>>,
}

/// What a plain walk finds.
fn walk(samples: &[OwnedSample], agent: Option<&str>, question: &Question<'_>) -> Vec<Bucket> {
    let step = i64::try_from(question.step.unwrap().as_micros()).unwrap();
    let (from, to) = (question.from.unwrap(), question.to.unwrap());
    let mut inside: Vec<_> = samples
        .iter()
        .filter(|sample| {
            agent.is_none_or(|agent| sample.agent_id.as_str() == agent)
                && (from..to).contains(&sample.timestamp)
        })
        .collect();
    inside.sort_by_key(|sample| sample.timestamp);
    let mut found: BTreeMap<i64, Walked<'_>> = BTreeMap::new();
    for sample in inside {
        let bucket = found.entry(rollup::bucket(sample.timestamp.as_micros(), step)).or_default();
        bucket.count += 1;
        let own = [("cpu", sample.metrics.cpu), ("ram", sample.metrics.ram)];
        let own = own.into_iter().filter_map(|(name, value)| Some(((false, name), value?)));
        let further = sample.metrics.further.iter().map(|(name, value)| ((true, name.as_str()), *value));
        own.chain(further).for_each(|(name, value)| bucket.metrics.entry(name).or_default().push(value));
    }
    let aggregate = |values: &[f64]| Aggregate {
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        avg: values.iter().sum::<f64>() / values.len() as f64,
        last: *values.last().unwrap(),
        count: values.len() as u64,
    };
    let bucket = |(start, Walked { count, metrics }): (i64, Walked<'_>)| Bucket {
        start: Timestamp::from_micros(start),
        count,
        metrics: Aggregates(
            metrics
                .iter()
                .map(|((_, name), values)| ((*name).to_owned().into(), aggregate(values)))
                .collect(),
        ),
    };
    found.into_iter().map(bucket).collect()
}

/// Asks for random ranges by every step; all answers are the walk's.
fn compare(room: &History, samples: &[OwnedSample], dice: &mut Dice, seed: u64, first: i64, hours: i64) {
    for seconds in STEPS {
        let (mut from, mut to) = (0, 0);
        while from == to {
            let moment = |dice: &mut Dice| first + dice.roll(hours * HOUR_SECONDS);
            (from, to) = (moment(dice), moment(dice));
        }
        let step = Some(Duration::from_secs(seconds));
        let question = Question { step, ..range(from.min(to), from.max(to)) };
        let wanted = walk(samples, Some("a"), &question);
        let limit = [1_000, 3][usize::from(dice.roll(4) == 0)];
        let (found, _) = buckets(room, "a", &Question { limit, ..question.clone() });
        assert_eq!(found, wanted, "seed {seed}, {limit} a page: {question:?}");
        let of_rows: u64 = wanted.iter().map(|bucket| bucket.count).sum();
        let all = rows(room, &Question { step: None, limit: 10_000, ..question.clone() });
        assert_eq!(all.len() as u64, of_rows, "seed {seed}");
        assert!(all.is_sorted_by_key(|row| row.timestamp), "seed {seed}");
        if seconds % 3_600 == 0 {
            let fields = Some("cpu,ram,disk,latency,load1,swap");
            let plan = Plan::fleet(Question { fields, ..question.clone() }, NOW, &RETENTION).unwrap();
            let found = wait(room.buckets(None, plan, |page, _| Ok::<_, HistoryError>(page))).unwrap();
            assert_eq!(found.items, walk(samples, None, &question), "seed {seed}, fleet: {question:?}");
        }
    }
}

#[test]
fn wherever_samples_lie_answers_are_those_of_a_walk() {
    let first = NOW.as_micros() / SECOND - 40 * HOUR_SECONDS;
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let samples = thrown(&mut dice, 600, first, 40);
        let mut bench = Bench::new();
        let room = room(&bench, NOW);
        let (mut there, mut rest) = (0, &samples[..]);
        // Samples come in no order of time, so those of later groups are late for the files of earlier ones.
        for count in [100, 200, 50, 250] {
            let (group, later) = rest.split_at(count);
            append(&mut bench, group.to_vec());
            (there, rest) = (there + count, later);
            compare(&room, &samples[..there], &mut dice, seed, first, 40);
            match seed % 3 {
                0 => bench.seal_all(),
                1 => {
                    bench.seal_all();
                    bench.clock.advance(3_600);
                    bench.compact_all();
                }
                _ if there == 300 => bench.seal_all(),
                _ => {}
            }
            compare(&room, &samples[..there], &mut dice, seed, first, 40);
        }
    }
}

#[test]
fn what_is_past_its_time_is_told_by_the_minute() {
    let first = (NOW.as_micros() / SECOND).div_euclid(86_400) * 86_400 - 33 * 86_400;
    let mut dice = Dice(7);
    let samples = thrown(&mut dice, 400, first, 20);
    let mut bench = Bench::new();
    append(&mut bench, samples.clone());
    bench.seal_all();
    bench.retain_all();
    let room = room(&bench, NOW);
    for (step, from, to, tiers) in [
        (60, 0, 72_000, "minute"),
        (1_800, 60, 71_940, "minute"),
        (3_600, 0, 72_000, "hour"),
        (3_600, 120, 70_020, "hour,minute"),
    ] {
        let step = Some(Duration::from_secs(step));
        let question = Question { step, ..range(first + from, first + to) };
        let (found, used) = buckets(&room, "a", &question);
        assert_eq!(used, tiers);
        assert_eq!(found, walk(&samples, Some("a"), &question));
        let of_all = Question { fields: Some("cpu,ram,load1,swap"), limit: 10_000, ..question.clone() };
        let plan = Plan::fleet(of_all, NOW, &RETENTION).unwrap();
        let found = wait(room.buckets(None, plan, |page, _| Ok::<_, HistoryError>(page))).unwrap();
        assert_eq!((found.items, found.tiers.joined().as_str()), (walk(&samples, None, &question), tiers));
    }
    let step = Some(Duration::from_secs(90));
    let refused = Plan::new(Question { step, ..range(first, first + 72_000) }, NOW, &RETENTION).unwrap_err();
    assert!(refused.detail.contains("a step of 2m"), "{refused}");
    assert!(rows(&room, &range(first, first + 72_000)).is_empty());
    // A late one of that time lies beside the minutes, and adds to them.
    let late = sample("a", Some((2, 1)), at(first + 30), "late", samples[0].metrics.clone());
    append(&mut bench, vec![late.clone()]);
    let all: Vec<_> = samples.into_iter().chain([late]).collect();
    let step = Some(Duration::from_secs(60));
    let question = Question { step, ..range(first, first + 72_000) };
    for _ in 0..2 {
        let (found, used) = buckets(&room, "a", &question);
        assert_eq!((found, used.as_str()), (walk(&all, Some("a"), &question), "minute,raw"));
        bench.seal_all();
    }
}

/// What was let go while less was kept is not there again when more is kept.
#[test]
fn half_an_hour_of_a_day_that_was_let_go_is_not_told_as_the_whole() {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let mut bench = Bench::with(Retention { raw: days(2), minute: days(5), hour: days(35) });
    let first = (NOW.as_micros() / SECOND).div_euclid(86_400) * 86_400 - 10 * 86_400;
    let halves = [samples(first + 600, 1), samples(first + 2_400, 1)].concat();
    append(&mut bench, halves);
    bench.seal_all();
    bench.retain_all();
    bench.reopen_keeping(RETENTION);
    let room = room(&bench, NOW);
    let step = Some(Duration::from_secs(3_600));
    let ask = |seconds| buckets(&room, "a", &Question { step, ..range(first, first + seconds) }).0;
    assert_eq!(ask(3_600).iter().map(|bucket| bucket.count).sum::<u64>(), 2);
    assert_eq!(ask(1_800), []);
}

#[test]
fn the_tiers_are_told_that_were_read() {
    let mut bench = Bench::new();
    append(&mut bench, samples(0, 100));
    let room = room(&bench, at(7_300));
    let hour = Some(Duration::from_secs(3_600));
    let ask = |from, to, step: Option<Duration>| buckets(&room, "a", &Question { step, ..range(from, to) }).1;
    assert_eq!(ask(0, 3_600, hour), "raw", "in memory");
    bench.seal_all();
    assert_eq!(ask(0, 3_600, hour), "hour");
    assert_eq!(ask(0, 3_000, hour), "hour", "nothing was measured behind the end");
    assert_eq!(ask(0, 50, hour), "raw");
    assert_eq!(ask(-3_590, 3_600, hour), "hour", "nothing lies in the ragged edge");
    assert_eq!(ask(0, 3_600, Some(Duration::from_secs(60))), "raw");
    assert_eq!(ask(7_200, 10_800, hour), "");
    append(&mut bench, samples(200, 1));
    assert_eq!(ask(0, 3_600, hour), "hour,raw");
}
