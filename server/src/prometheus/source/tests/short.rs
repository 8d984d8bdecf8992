//! What is answered where samples were let go, and windows or lookbacks are shorter than what stands in for them.

use super::{
    rollups::{DAY, busy_then_idle, days, house, value},
    *,
};
use crate::{
    prometheus::source::standin,
    tsdb::{Retention, testing::NOW},
};

/// What is left of an hour has one moment: windows that are shorter, and steps that lie closer, find it once.
#[test]
fn windows_shorter_than_what_stands_in_are_told() {
    let of =
        |over: &str| format!("count_over_time(avg_over_time(pingup_cpu_percent{{agent_id=\"a\"}}[{over}])");
    for (minute, back, over, found, told) in [
        (90, 0, "5m])[2h:5m]", 6.0, 0),
        (90, 10 * DAY, "5m])[2h:5m]", 6.0, 1),
        (90, 10 * DAY, "30s])[2h:30s]", 31.0, 2),
        (5, 10 * DAY, "5m])[2h:5m]", 1.0, 2),
        (5, 10 * DAY, "1h])[2h:1h]", 1.0, 1),
        (5, 10 * DAY, "2h])[2h:5m]", 3.0, 1),
    ] {
        let house = house(Retention { raw: days(5), minute: days(minute), hour: days(730) });
        let source = house.source();
        let (window, rest) = over.split_once("])").unwrap();
        let query = format!("{}{rest})", of(window));
        assert_eq!(value(&source, &query, back), found, "{over}");
        assert_eq!(source.infos().len(), told, "{over}: {:?}", source.infos());
    }
}

/// Which infos are told: that something stands in, and that windows are too short for it.
fn told(house: &House, query: &str, (from, to, step): (i64, i64, i64)) -> (bool, bool) {
    let source = house.source();
    let ms = |minute: i64| NOW.as_micros() / 1_000 + minute * 60_000;
    let steps = Steps { start_ms: ms(from), end_ms: ms(to), step_ms: step * 60_000 };
    let answered = answer(&source, query, steps);
    assert!(answered.starts_with("Vector") || answered.starts_with("Matrix"), "{answered}");
    let infos = source.infos();
    let is_told = |info: &str| infos.iter().any(|told| told == info);
    (is_told(standin::TOLD), is_told(standin::TOO_SHORT))
}

/// In half of the world's zones a day, and in some an hour, begins beside an hour of the hub.
#[test]
fn whole_hours_that_do_not_begin_on_one_are_told() {
    let house = house(Retention { raw: days(5), minute: days(5), hour: days(730) });
    let back = -10 * DAY / 60;
    // What there is is of the hour before `back`, until ten minutes before it.
    for (query, (from, to, step), expected) in [
        ("pingup_cpu_percent", (-120, 60, 60), (true, false)),
        ("pingup_cpu_percent", (-90, 90, 60), (true, false)),
        ("pingup_cpu_percent", (-1_470, 1_410, 1_440), (true, false)),
        ("pingup_cpu_percent offset 30m", (-120, 60, 60), (true, false)),
        ("avg_over_time(pingup_cpu_percent[5m])", (-116, 64, 60), (true, false)),
        ("avg_over_time(pingup_cpu_percent[5m])", (-115, 65, 60), (true, true)),
        ("avg_over_time(pingup_cpu_percent[5m] offset 30m)", (-120, 60, 60), (true, true)),
        ("avg_over_time(pingup_cpu_percent[5m])", (-90, 90, 60), (true, true)),
        ("avg_over_time(pingup_cpu_percent[31m])", (-90, 90, 60), (true, false)),
        ("avg_over_time(pingup_cpu_percent[1h])", (-90, 90, 60), (true, false)),
        ("max_over_time(pingup_cpu_percent[5m])", (-30, -30, 0), (false, true)),
        ("max_over_time(pingup_cpu_percent[5m])", (-90, -90, 0), (false, false)),
        ("pingup_cpu_percent", (-30, -30, 0), (false, false)),
        ("pingup_cpu_percent", (0, 0, 0), (true, false)),
        ("pingup_cpu_percent", (60, 60, 0), (false, false)),
    ] {
        let found = told(&house, query, (back + from, back + to, step));
        assert_eq!(found, expected, "{query} from {from} to {to} by {step}");
    }
}

/// A selector finds the last sample of a minute or hour until the next one ends, whatever the steps; it tells its own moment.
#[test]
fn a_selector_finds_what_is_left_of_the_hour_before() {
    let house = house(Retention { raw: days(5), minute: days(5), hour: days(730) });
    let source = house.source();
    let back = |minutes: i64| 10 * DAY - minutes * 60;
    // What there is is of the hour before, until ten minutes before it ended.
    for (minutes, found) in
        [(-11, None), (-10, Some(60.0)), (0, Some(60.0)), (30, Some(60.0)), (59, Some(60.0)), (60, None)]
    {
        let value = |query: &str| Some(value(&source, query, back(minutes))).filter(|value| !value.is_nan());
        assert_eq!(value("pingup_cpu_percent{agent_id=\"a\"}"), found, "{minutes}");
        assert_eq!(value("pingup_cpu_percent"), found.map(|one| 2.0 * one), "{minutes}");
        let at = NOW.as_micros() / SECOND - back(-10);
        let seconds = found.map(|_| at as f64);
        assert_eq!(value("timestamp(pingup_cpu_percent{agent_id=\"a\"})"), seconds, "{minutes}");
        let counted = value("count_over_time(pingup_cpu_percent{agent_id=\"a\"}[5m])");
        assert_eq!(counted.is_some(), (-10..-5).contains(&minutes), "{minutes}");
    }
    // Where samples are left, silence ends a series as ever.
    let lately = |minutes: i64| value(&source, "pingup_cpu_percent", -minutes * 60);
    assert_eq!((lately(-6), lately(-5).is_nan()), (120.0, true));
}

#[test]
fn a_farewell_ends_what_is_left_of_an_hour_too() {
    let mut house = house(Retention { raw: days(5), minute: days(5), hour: days(730) });
    house.agents[0].farewells = vec![NOW.plus_seconds(-10 * DAY + 600)];
    let count = |minutes: i64| value(&house.source(), "count(pingup_cpu_percent)", 10 * DAY - minutes * 60);
    assert_eq!([count(9), count(11)], [2.0, 1.0]);
}

/// At whatever moment something was measured lately, something is found: among hours, minutes and samples alike.
#[test]
fn half_hours_are_answered_among_hours_minutes_and_samples() {
    let house = busy_then_idle(Retention { raw: days(2), minute: days(5), hour: days(730) });
    let before = house.model();
    house.bench.retain_all();
    let source = house.source();
    let started = NOW.as_micros() / SECOND - 8 * DAY;
    for at in (0..8 * 48).map(|half| started + half * 1_800 + 600) {
        let asked = |source: &dyn SeriesSource| instant(source, "timestamp(pingup_cpu_percent)", at);
        let (found, measured) = (asked(&source), asked(&before));
        assert!(measured.is_empty() || !found.is_empty(), "{at}: {measured}");
    }
}

/// Windows of one part of a query say nothing of times that only another part asks for.
#[test]
fn short_windows_where_samples_are_left_are_not_told() {
    let house = house(Retention { raw: days(5), minute: days(5), hour: days(730) });
    let now = "pingup_cpu_percent";
    let then = "avg_over_time(pingup_cpu_percent[1h] offset 10d)";
    let lately = (-60, 0, 5);
    assert_eq!(told(&house, now, lately), (false, false));
    assert_eq!(told(&house, then, lately), (true, false));
    assert_eq!(told(&house, &format!("{now} - {then}"), lately), (true, false));
}
