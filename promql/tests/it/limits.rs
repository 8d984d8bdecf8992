//! Each limit is reached, and a query is stopped.

use pingup_promql::{
    Cancel, Clock, Error, ErrorKind, Intake, Labels, Limits, MemorySource, Options, Query, Selection,
    SeriesSource, Steps,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

fn source() -> MemorySource {
    let mut source = MemorySource::default();
    for series in 0..10 {
        let labels = Labels::new([("__name__", "m".to_owned()), ("i", series.to_string())]);
        for at in 0..100 {
            source.put(&labels, at * 1_000, at as f64);
        }
    }
    source
}

fn ask(text: &str, options: &Options) -> Result<(), Error> {
    let steps = Steps { start_ms: 0, end_ms: 99_000, step_ms: 1_000 };
    Query::parse(text).unwrap().range(&source(), steps, options).map(|_| ())
}

fn limited(text: &str, limits: Limits) -> Result<(), ErrorKind> {
    ask(text, &Options { limits, ..Options::default() }).map_err(|error| error.kind())
}

#[test]
fn samples_series_points_and_steps_are_limited() {
    let all = Limits::default();
    assert_eq!(limited("sum(m)", Limits { samples: 1_000, series: 10, steps: 99, ..all }), Ok(()));
    assert_eq!(limited("sum(m)", Limits { samples: 999, ..all }), Err(ErrorKind::Limit));
    assert_eq!(limited("sum(m)", Limits { series: 9, ..all }), Err(ErrorKind::Limit));
    assert_eq!(limited("sum(m)", Limits { steps: 98, ..all }), Err(ErrorKind::Query));
    // Ten series and their sum, at a hundred steps.
    assert_eq!(limited("sum(m)", Limits { points: 1_100, ..all }), Ok(()));
    assert_eq!(limited("sum(m)", Limits { points: 1_099, ..all }), Err(ErrorKind::Limit));
}

#[test]
fn points_count_while_they_are_kept() {
    let fits = |text: &str, points: u64| {
        let limits = Limits { points, ..Limits::default() };
        assert_eq!(limited(text, limits), Ok(()), "{text}");
        let limits = Limits { points: points - 1, ..limits };
        assert_eq!(limited(text, limits), Err(ErrorKind::Limit), "{text}");
    };
    // A selector is ten series at a hundred steps, a number is one.
    fits("m", 1_000);
    fits("topk(3, m)", 1_100);
    fits("topk(3, max_over_time(m[10s]))", 1_100);
    fits("sum by (i) (m)", 1_100);
    fits("sum(sum by (i) (sum by (i) (m)))", 1_100);
    fits("m * on (i) m", 2_000);
    fits("-(m + m) + 0 * (m / m)", 4_000);
    // What a step has is a bit of an eighth of a point, for each of the right side's series.
    fits("m unless on (i) m", 2_130);
    fits("count_values(\"v\", m > 97)", 1_200);
    // A subquery's steps, of which there are 109, count by themselves too.
    fits("max_over_time(m[10s:1s])", 109 + 10 * 109 + 1_000);
}

#[test]
fn samples_that_are_answered_count_twice() {
    let asked = |points| {
        let limits = Limits { points, ..Limits::default() };
        let options = Options { limits, ..Options::default() };
        let answer = Query::parse("m[1h]").unwrap().instant(&source(), 99_000, &options);
        answer.map(|answer| answer.samples).map_err(|error| error.kind())
    };
    assert_eq!((asked(2_000), asked(1_999)), (Ok(1_000), Err(ErrorKind::Limit)));
}

#[test]
fn what_reads_nothing_is_limited_too() {
    for text in ["vector(1)[1000y:1ms]", "1", "time()", "m[1h:1ms]", "sum_over_time(vector(1)[1y:1s])[1y:1s]"]
    {
        let limits = Limits { points: 90, ..Limits::default() };
        let text = if text.ends_with(']') { format!("max_over_time({text})") } else { text.to_owned() };
        assert_eq!(limited(&text, limits), Err(ErrorKind::Limit), "{text}");
    }
}

#[test]
fn a_query_that_is_not_wanted_any_more_ends() {
    struct Cancelling(MemorySource, Cancel);
    impl SeriesSource for Cancelling {
        fn select(&self, selections: &[Selection], intake: &mut dyn Intake) -> Result<(), Error> {
            self.1.cancel();
            self.0.select(selections, intake)
        }
    }
    let options = Options::default();
    let source = Cancelling(source(), options.cancel.clone());
    let answer = Query::parse("m").unwrap().instant(&source, 0, &options);
    assert_eq!(answer.map_err(|error| error.kind()), Err(ErrorKind::Cancelled));
    assert!(options.cancel.is_cancelled());
}

#[test]
fn time_is_limited() {
    /// A second passes whenever somebody looks.
    struct Looks(AtomicU64);
    impl Clock for Looks {
        fn now(&self) -> Duration {
            Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
        }
    }
    let ask = |seconds: u64| {
        let limits = Limits { time: Duration::from_secs(seconds), ..Limits::default() };
        let clock = Arc::new(Looks(AtomicU64::new(0)));
        ask("sum(m)", &Options { limits, clock, ..Options::default() }).map_err(|error| error.kind())
    };
    assert_eq!(ask(1_000), Ok(()));
    assert_eq!(ask(10), Err(ErrorKind::Timeout));
}

#[test]
fn one_long_series_is_stopped_too() {
    /// Nobody looks twice while the series comes, but for the windows' own checks.
    struct Later(AtomicU64);
    impl Clock for Later {
        fn now(&self) -> Duration {
            Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed) / 40)
        }
    }
    let mut source = MemorySource::default();
    let labels = Labels::new([("__name__", "m")]);
    for at in 0..4_000 {
        source.put(&labels, at * 1_000, at as f64);
    }
    let steps = Steps { start_ms: 4_000_000, end_ms: 15_000_000, step_ms: 1_000 };
    let limits = Limits { time: Duration::from_secs(1), ..Limits::default() };
    let options = Options { limits, clock: Arc::new(Later(AtomicU64::new(0))), ..Options::default() };
    let query = Query::parse("quantile_over_time(0.5, m[1d])").unwrap();
    let refused = query.range(&source, steps, &options).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Timeout);
}

#[test]
fn a_source_that_fails_or_lies_is_told() {
    type Hand = fn(&mut dyn Intake) -> Result<(), Error>;
    struct Handing(Hand);
    impl SeriesSource for Handing {
        fn select(&self, _: &[Selection], intake: &mut dyn Intake) -> Result<(), Error> {
            (self.0)(intake)
        }
    }
    fn up() -> Labels {
        Labels::new([("__name__", "up")])
    }
    let cases: [(Hand, &str); 6] = [
        (|_| Err(Error::source("the disk is gone")), "the disk is gone"),
        (|intake| intake.series(0, &up(), &[1, 1], &[0.0, 0.0]), "do not ascend"),
        (|intake| intake.series(0, &up(), &[1], &[]), "different numbers"),
        (|intake| intake.series(1, &up(), &[], &[]), "no selection 1"),
        (|intake| intake.series(0, &up(), &[i64::MIN], &[0.0]), "out of range"),
        (
            |intake| {
                intake.series(0, &up(), &[1], &[0.0])?;
                intake.series(0, &up(), &[1], &[0.0])
            },
            "a series came twice",
        ),
    ];
    for (hand, words) in cases {
        let error = Query::parse("up").unwrap().instant(&Handing(hand), 1, &Options::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source);
        assert!(error.to_string().contains(words), "{error}");
    }
}
