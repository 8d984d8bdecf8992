//! What is answered where samples were let go.

use super::*;
use crate::tsdb::{Retention, testing::NOW};
use std::time::Duration;

const DAY: i64 = 86_400;

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// Two samples a minute for half an hour, ten days before [`NOW`] and on that day; then what is past its time goes.
fn house(retention: Retention) -> House {
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

fn value(source: &Source, query: &str, back: i64) -> f64 {
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
    assert_eq!(value(&source, &over("count_over_time"), 10 * DAY), 31.0, "minutes");
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
    assert_eq!(ids, ["a", "b"]);
}
