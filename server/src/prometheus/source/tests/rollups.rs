//! What is answered where samples were let go.

use super::*;
use crate::tsdb::{Retention, testing::NOW};
use std::time::Duration;

pub(super) const DAY: i64 = 86_400;

pub(super) fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// Two samples a minute for half an hour, ten days before [`NOW`] and on that day; then what is past its time goes.
pub(super) fn house(retention: Retention) -> House {
    let mut house = House::new(Bench::with(retention), vec![agent("a", None), agent("b", None)]);
    for (boot, back) in [(1, 10 * DAY), (2, 0)] {
        let samples = ["a", "b"].into_iter().flat_map(|id| {
            (1..=60).map(move |n: u64| OwnedSample {
                stream: Some((boot, n)),
                ..sample(id, n, NOW.plus_seconds(n.cast_signed() * 30 - 2_400 - back), cpu(n as f64))
            })
        });
        house.append(samples.collect());
    }
    house.bench.seal_all();
    house.bench.retain_all();
    house.now_ms = NOW.as_micros() / 1_000;
    house
}

pub(super) fn value(source: &Source, query: &str, back: i64) -> f64 {
    let at = NOW.as_micros() / SECOND - back;
    let told = instant(source, &format!("sum({query})"), at);
    told.strip_prefix("{} ").unwrap_or("NaN").parse().unwrap()
}

#[test]
fn of_each_minute_one_stands_in_and_that_is_told() {
    let house = house(Retention { raw: days(5), minute: days(90), hour: days(730) });
    let source = house.source();
    let over = |function: &str| format!("{function}(pingup_cpu_percent{{agent_id=\"a\"}}[1h])");
    for (back, told) in [(0, 0), (10 * DAY, 1)] {
        assert_eq!(value(&source, &over("min_over_time"), back), 1.0, "{back}");
        assert_eq!(value(&source, &over("max_over_time"), back), 60.0, "{back}");
        assert_eq!(value(&source, &over("sum_over_time"), back), 1_830.0, "{back}");
        assert_eq!(source.infos().len(), told, "{back}");
    }
    assert_eq!(value(&source, &over("count_over_time"), 0), 60.0);
    assert_eq!(value(&source, &over("count_over_time"), 10 * DAY), 60.0, "as many as there were");
    // Two functions of one query each have what they ask for.
    let both = format!("{} - {}", over("max_over_time"), over("min_over_time"));
    assert_eq!(value(&source, &both, 10 * DAY), 59.0);
    assert_eq!(value(&source, "pingup_cpu_percent", 10 * DAY + 600), 120.0, "the last, of both agents");
    assert!(value(&source, "pingup_cpu_percent{agent_id=\"~\"}", 10 * DAY + 600).is_nan(), "all are nobody");
    // A day that has samples has no stand-ins beside them.
    assert_eq!(value(&source, "sum_over_time(pingup_cpu_percent{agent_id=\"a\"}[11d])", 0), 2.0 * 1_830.0);
}

#[test]
fn where_minutes_went_too_the_hours_stand_in() {
    let house = house(Retention { raw: days(5), minute: days(5), hour: days(730) });
    let source = house.source();
    let over = |function: &str| format!("{function}(pingup_cpu_percent{{agent_id=\"b\"}}[2h])");
    assert_eq!(value(&source, &over("max_over_time"), 10 * DAY), 60.0);
    assert_eq!(value(&source, &over("sum_over_time"), 10 * DAY), 1_830.0);
    assert_eq!(value(&source, &over("count_over_time"), 0), 60.0, "no hour beside the samples");
    let ids = source.label_values("agent_id", &[], 0, house.now_ms - 9 * DAY * 1_000).unwrap();
    assert_eq!(ids.iter().map(|id| &**id).collect::<Vec<_>>(), ["a", "b"]);
}

/// An agent that was busy and then was not, and measured more often at some times than at others; `b` came lately.
pub(super) fn busy_then_idle(retention: Retention) -> House {
    let mut house = House::new(Bench::with(retention), vec![agent("a", None), agent("b", None)]);
    let started = NOW.plus_seconds(-NOW.as_micros().rem_euclid(3_600 * SECOND) / SECOND - 8 * DAY);
    let mut samples = Vec::new();
    for hour in 0..8 * 24 {
        for n in 0..2 + hour * 7 % 31 {
            let at = started.plus_seconds(hour * 3_600 + n * 20 + hour % 3);
            let value = if hour < 72 { 100.0 + n as f64 / 8.0 } else { 0.0 };
            samples.push(sample("a", samples.len() as u64 + 1, at, cpu(value)));
        }
    }
    house.append(samples);
    let lately =
        (1..=9).map(|n: u64| sample("b", n, NOW.plus_seconds(n.cast_signed() * 60 - 3_600), cpu(n as f64)));
    house.append(lately.collect());
    house.bench.seal_all();
    house.now_ms = NOW.as_micros() / 1_000;
    house
}

/// Samples, minutes and hours in one window weigh what was measured: the answers are those from before anything was let
/// go.
#[test]
fn what_is_known_of_whole_hours_is_the_same_when_the_samples_are_gone() {
    for (minute, tiers) in [(5, "hours, minutes and samples"), (2, "hours and samples")] {
        let house = busy_then_idle(Retention { raw: days(2), minute: days(minute), hour: days(730) });
        let asked = |source: &dyn SeriesSource, function: &str, back: i64| {
            let query = format!("{function}(pingup_cpu_percent{{agent_id=\"a\"}}[9d])");
            let told = instant(source, &query, NOW.as_micros() / SECOND - back);
            told.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
        };
        let functions = ["avg", "count", "sum", "min", "max", "last", "present"];
        let before = house.model();
        house.bench.retain_all();
        let source = house.source();
        for name in functions {
            let function = format!("{name}_over_time");
            for back in [0, DAY / 2] {
                let (found, expected) = (asked(&source, &function, back), asked(&before, &function, back));
                let apart = (found - expected).abs();
                assert!(apart <= 1e-12 * expected.abs(), "{name}, {tiers}, {back}: {found} for {expected}");
            }
        }
        let over = |name: &str| format!("{name}_over_time(pingup_cpu_percent{{agent_id=\"a\"}}[9d])");
        let quotient = format!("{} / {}", over("sum"), over("count"));
        assert!((value(&source, &quotient, 0) - asked(&before, "avg_over_time", 0)).abs() < 1e-9);
        assert_eq!(source.infos().len(), 1);
    }
}

#[test]
fn what_needs_every_sample_is_refused_where_they_were_let_go() {
    let house = busy_then_idle(Retention { raw: days(2), minute: days(5), hour: days(730) });
    house.bench.retain_all();
    let now_ms = NOW.as_micros() / 1_000;
    let asked = |query: &str| {
        let steps = Steps { start_ms: now_ms, end_ms: now_ms, step_ms: 0 };
        answer(&house.source(), query, steps)
    };
    for function in ["quantile_over_time(0.5, ", "stddev_over_time(", "changes(", "rate(", "deriv("] {
        let name = function.split('(').next().unwrap();
        let refused = asked(&format!("{function}pingup_cpu_percent[9d])"));
        let told = format!("Limit {name} needs every sample, and those until 20");
        assert!(refused.starts_with(&told), "{refused}");
        assert!(refused.contains("retention"), "{refused}");
        for fine in ["pingup_cpu_percent[1h])", "pingup_cpu_percent{agent_id=\"b\"}[9d])"] {
            let answered = asked(&format!("{function}{fine}"));
            assert!(answered.starts_with("Vector"), "{fine}: {answered}");
        }
        let of_hours = asked(&format!("{function}avg_over_time(pingup_cpu_percent[1h])[8d:1h])"));
        assert!(of_hours.starts_with("Vector"), "{of_hours}");
    }
}
