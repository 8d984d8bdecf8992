//! What a source is asked, and how often.

use pingup_promql::{
    Error, Intake, Labels, METRIC_NAME, MemorySource, Moments, Options, Query, Reading, STALE, Selection,
    SeriesSource, Steps, Thinned, Value,
};
use std::sync::Mutex;

/// Remembers what it was asked.
#[derive(Default)]
struct Asked(Mutex<Vec<Vec<Selection>>>);

impl SeriesSource for Asked {
    fn select(&self, selections: &[Selection], intake: &mut dyn Intake) -> Result<(), Error> {
        self.0.lock().unwrap().push(selections.to_vec());
        MemorySource::default().select(selections, intake)
    }
}

fn asked(text: &str) -> Vec<Vec<Selection>> {
    let source = Asked::default();
    let steps = Steps { start_ms: 3_600_000, end_ms: 7_200_000, step_ms: 60_000 };
    Query::parse(text).unwrap().range(&source, steps, &Options::default()).unwrap();
    source.0.into_inner().unwrap()
}

fn times(selection: &Selection) -> (i64, i64) {
    (selection.first_ms, selection.last_ms)
}

#[test]
fn everything_is_asked_for_at_once() {
    let rounds = asked("sum(rate(a[5m])) / max_over_time(sum(b)[10m:1m]) - c offset 1h + absent(d)");
    assert_eq!(rounds.iter().map(Vec::len).collect::<Vec<_>>(), [4]);
    assert!(asked("vector(1) + time()").is_empty());
}

#[test]
fn a_parameter_made_of_series_is_asked_for_before() {
    let rounds = asked("quantile_over_time(scalar(q), x[5m]) + y");
    let names = |round: &Vec<Selection>| {
        round.iter().map(|selection| selection.matchers[0].to_string()).collect::<Vec<_>>().join(" ")
    };
    let names: Vec<String> = rounds.iter().map(names).collect();
    assert_eq!(names, [r#"__name__="q" __name__="y""#, r#"__name__="x""#]);
}

#[test]
fn a_selection_says_what_becomes_of_its_samples() {
    let (start, end) = (3_600_000, 7_200_000);
    let one = |text: &str| asked(text).remove(0).remove(0);
    let by_the_minute = Moments { first_ms: start, step_ms: 60_000, count: 61 };

    let newest = one("x");
    // Five minutes back, that moment itself left out.
    assert_eq!(times(&newest), (start - 300_000 + 1, end));
    assert_eq!(newest.reading, Reading::Newest { lookback_ms: 300_000 });
    assert_eq!(newest.moments, by_the_minute);

    let window = one("max_over_time(x[1h] offset 10m)");
    assert_eq!(times(&window), (start - 4_200_000 + 1, end - 600_000));
    assert_eq!(window.reading, Reading::Window { function: "max_over_time", range_ms: 3_600_000 });
    assert_eq!(window.moments, Moments { first_ms: start - 600_000, ..by_the_minute });

    let held = one("sum_over_time(x[5m] @ end())");
    assert_eq!(times(&held), (end - 300_000 + 1, end));
    assert_eq!(held.moments, Moments { first_ms: end, step_ms: 0, count: 1 });

    let inner = one("sum_over_time(x[1h:5m])");
    assert_eq!(times(&inner), (1, end));
    assert_eq!(inner.moments, Moments { first_ms: 300_000, step_ms: 300_000, count: 24 });
}

#[test]
fn queries_and_answers_may_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Query>();
    crosses::<Options>();
    crosses::<pingup_promql::Answer>();
    crosses::<Error>();
}

/// One series, of which the first hours were thinned: of each its last sample is left.
struct Hours;

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

impl SeriesSource for Hours {
    fn select(&self, selections: &[Selection], intake: &mut dyn Intake) -> Result<(), Error> {
        let labels = Labels::new([(METRIC_NAME, "x")]);
        // The second hour's last sample came early, the fourth's series ended, and the sixth is whole.
        let times =
            [HOUR - MINUTE, HOUR + 10 * MINUTE, 4 * HOUR - MINUTE, 4 * HOUR - 1, 5 * HOUR + 10 * MINUTE];
        let values = [1.0, 2.0, 4.0, STALE, 6.0];
        let thinned = [Thinned { first_ms: times[0], last_ms: times[3], bucket_ms: HOUR }];
        for selection in 0..selections.len() {
            intake.thinned_series(selection, &labels, &times, &values, &thinned)?;
        }
        Ok(())
    }
}

#[test]
fn where_few_samples_are_left_the_last_one_counts_until_the_next_bucket_ends() {
    let at = |text: &str, moment: i64| {
        let answer = Query::parse(text).unwrap().instant(&Hours, moment, &Options::default()).unwrap();
        let Value::Vector(found) = answer.value else { panic!("a vector is answered") };
        found.first().map(|sample| sample.value)
    };
    for (moment, value, seconds) in [
        (HOUR - MINUTE - 1, None, None),
        (HOUR - MINUTE, Some(1.0), Some(3_540.0)),
        (HOUR + 10 * MINUTE - 1, Some(1.0), Some(3_540.0)),
        (HOUR + 10 * MINUTE, Some(2.0), Some(4_200.0)),
        (3 * HOUR - 1, Some(2.0), Some(4_200.0)),
        (3 * HOUR, None, None),
        (4 * HOUR - 2, Some(4.0), Some(14_340.0)),
        (4 * HOUR, None, None),
        (5 * HOUR + 15 * MINUTE - 1, Some(6.0), Some(18_600.0)),
        (5 * HOUR + 15 * MINUTE, None, None),
    ] {
        assert_eq!(at("x", moment), value, "{moment}");
        assert_eq!(at("timestamp(x)", moment), seconds, "its own moment, {moment}");
        assert_eq!(at("x @ 1e9 offset -1s", moment), None, "{moment}");
    }
    assert_eq!(at("last_over_time(x[5m])", 2 * HOUR), None, "a window is a window");
}
