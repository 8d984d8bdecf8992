//! Random series and selectors against a plain list, whatever was forgotten in between; and what memory is reckoned.

mod taken;

use super::*;
use crate::{
    settings::{SERIES_BYTES_DEFAULT, SERIES_DEFAULT},
    tsdb::testing::Dice,
};
use pingup_promql::{self as promql, parse_selector};
use std::{collections::BTreeSet, sync::Arc};
use taken::of_three;

const VALUES: [&str; 4] = ["a", "b", "ab", "ä"];

fn labels(dice: &mut Dice) -> Labels {
    let mut pairs = vec![("__name__".to_owned(), format!("m{}", dice.below(3)))];
    for name in ["env", "job", "zone"] {
        if !dice.once_in(3) {
            pairs.push((name.to_owned(), VALUES[dice.below(4) as usize].to_owned()));
        }
    }
    Labels::new(pairs).unwrap()
}

/// A list, as a selector is defined.
struct Model(Vec<(SeriesId, Labels, (i64, i64))>);

impl Model {
    fn select(&self, matchers: &[promql::Matcher], (first, last): (i64, i64)) -> Vec<SeriesId> {
        let fits = |(id, labels, times): &(SeriesId, Labels, (i64, i64))| {
            let labels = promql::Labels::new(labels.iter());
            let meant = promql::accepts_all(matchers, &labels) && times.0 <= last && times.1 >= first;
            meant.then_some(*id)
        };
        self.0.iter().filter_map(fits).collect()
    }
}

const SELECTORS: [&str; 9] = [
    "m1",
    r#"{job="a"}"#,
    r#"m2{job="b",zone!="a"}"#,
    r#"{__name__=~"m.",env=~"a.*"}"#,
    r#"m0{env="",job!~"b|ä"}"#,
    r#"{job=~".+",nosuch=""}"#,
    r#"{job="a",nosuch!=""}"#,
    r#"{job="nosuch"}"#,
    r#"{zone!="",job!=""}"#,
];

#[test]
fn a_selector_means_what_it_means_whatever_was_forgotten() {
    for seed in 1..=30 {
        let mut dice = Dice::seeded(seed);
        let (mut index, mut model, mut pairs) = (Index::behind(7), Model(Vec::new()), Vec::new());
        for step in 0..120 {
            let labels = labels(&mut dice);
            let at = dice.below(100).cast_signed();
            match index.find(&labels, &mut pairs) {
                Some(entry) => {
                    entry.note((at, at + 3));
                    let id = entry.id;
                    let known = model.0.iter_mut().find(|(known, ..)| *known == id).unwrap();
                    assert_eq!(known.1, labels, "seed {seed}, step {step}");
                    known.2 = (known.2.0.min(at), known.2.1.max(at + 3));
                }
                None => {
                    let id = index.add("s", &labels, (at, at)).unwrap();
                    assert!(model.0.iter().all(|(known, other, _)| *known < id && *other != labels));
                    model.0.push((id, labels, (at, at)));
                }
            }
            if dice.once_in(40) {
                let before = dice.below(60).cast_signed();
                let gone = index.forget(|entry| entry.times().1 < before);
                let expected: Vec<_> =
                    model.0.extract_if(.., |(.., times)| times.1 < before).map(|(id, ..)| id).collect();
                assert_eq!(gone, expected, "seed {seed}, step {step}");
            }
            let matchers = parse_selector(SELECTORS[dice.below(9) as usize]).unwrap();
            let times = (dice.below(100).cast_signed(), 20 + dice.below(100).cast_signed());
            let found = index.select(&matchers, times);
            assert_eq!(found, model.select(&matchers, times), "seed {seed}, step {step}");
            assert_eq!(index.select(&[], (0, 200)).len(), model.0.len());
            assert_eq!(index.count_of("s"), model.0.len());
        }
        for (id, labels, _) in &model.0 {
            assert_eq!(index.labels(*id), Some(promql::Labels::new(labels.iter())), "seed {seed}");
        }
        told_of_all(&index, &model, seed);
    }
}

/// Names, values, order and counts, as they are defined.
fn told_of_all(index: &Index, model: &Model, seed: u64) {
    let ids: Vec<_> = model.0.iter().map(|(id, ..)| *id).collect();
    let texts = |found: Vec<Arc<str>>| {
        let count = found.len();
        let found: BTreeSet<String> = found.into_iter().map(|text| text.to_string()).collect();
        assert_eq!(found.len(), count, "each once, seed {seed}");
        found
    };
    let all = || model.0.iter().flat_map(|(_, labels, _)| labels.iter());
    assert_eq!(texts(index.names(&ids)), all().map(|(name, _)| name.to_owned()).collect(), "seed {seed}");
    for name in ["__name__", "env", "job", "zone", "nosuch"] {
        let of_name = || all().filter(|(other, _)| *other == name).map(|(_, value)| value.to_owned());
        let values: BTreeSet<String> = of_name().collect();
        assert_eq!(texts(index.values(&ids, name)), values, "seed {seed}");
        for value in VALUES {
            assert_eq!(index.has(name, value), values.contains(value), "seed {seed}");
        }
        let counts = index.counts();
        let counted = counts.labels.iter().find(|(label, _)| &**label == name).map_or(0, |(_, count)| *count);
        assert_eq!(counted, values.len(), "seed {seed}");
        if name == "__name__" {
            let by_name: BTreeSet<_> =
                counts.metrics.iter().map(|(name, n)| (name.to_string(), *n)).collect();
            let count = |metric: &String| of_name().filter(|name| name == metric).count();
            assert_eq!(
                by_name,
                values.iter().map(|name| (name.clone(), count(name))).collect(),
                "seed {seed}"
            );
        }
    }
    let mut sorted = ids;
    sorted.sort_by(|a, b| index.compare(*a, *b));
    let labels: Vec<_> = sorted.iter().map(|id| index.labels(*id).unwrap()).collect();
    assert!(labels.is_sorted_by(|a, b| a < b), "seed {seed}");
    let gone = SeriesId::new(u32::MAX);
    assert!(sorted.iter().all(|id| index.compare(gone, *id).is_lt() && index.compare(*id, gone).is_gt()));
}

#[test]
fn memory_is_reckoned_from_above_before_and_given_back_after() {
    let mut dice = Dice::seeded(3);
    let mut index = Index::default();
    let mut pairs = Vec::new();
    for _ in 0..500 {
        let labels = labels(&mut dice);
        if index.find(&labels, &mut pairs).is_none() {
            let before = index.bytes();
            index.add("s", &labels, (0, 0)).unwrap();
            // The sender's name is a text too.
            let grown = index.bytes() - before;
            assert!(grown <= bytes_of(&labels) + texts::bytes_of(1), "{grown} of {}", bytes_of(&labels));
        }
    }
    assert!(index.bytes() >= index.len() * SERIES_BYTES);
    let last = index.last();
    index.forget(|_| true);
    assert_eq!((index.bytes(), index.len(), index.last()), (0, 0, last));
}

/// Three labels, one of them of 400 bytes and its own.
#[test]
fn a_sender_at_its_limit_fits_into_memory_by_default() {
    const COUNT: u64 = 2_000;
    let mut index = Index::default();
    for n in 0..COUNT {
        index.add("s", &of_three(n), (0, 0)).unwrap();
    }
    let all = index.bytes() as u64 / COUNT * SERIES_DEFAULT;
    assert!(all < SERIES_BYTES_DEFAULT, "{all} bytes");
}
