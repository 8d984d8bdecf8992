//! Aggregations of series that come in order are done while they come: with the same result, in less room.

use pingup_promql::{
    Answer, Error, ErrorKind, Intake, Labels, Limits, METRIC_NAME, MemorySource, Options, Query, Selection,
    SeriesSource, Steps, Test,
    testing::{Grammar, Random, counters_and_gauges},
};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Promises an order for whatever names its metric, and counts how often it did.
struct Ordered<'a>(&'a MemorySource, AtomicUsize);

impl<'a> Ordered<'a> {
    fn new(source: &'a MemorySource) -> Self {
        Self(source, AtomicUsize::new(0))
    }
}

impl SeriesSource for Ordered<'_> {
    fn select(&self, selections: &[Selection], intake: &mut dyn Intake) -> Result<(), Error> {
        self.0.select(selections, intake)
    }

    fn is_in_order(&self, selection: &Selection) -> bool {
        let is_named = |test: &Test| matches!(test, Test::Equal(name) if !name.is_empty());
        let promised =
            selection.matchers.iter().any(|matcher| matcher.name == METRIC_NAME && is_named(&matcher.test));
        self.1.fetch_add(usize::from(promised), Ordering::Relaxed);
        promised
    }
}

/// To the bit: as text, which has NaN like NaN and tells -0 from 0.
fn told(answer: Result<Answer, Error>) -> String {
    format!("{answer:?}")
}

/// Fifty hosts in two zones of unequal size, some of them with gaps, values that do not add up the same in any order.
fn hosts() -> MemorySource {
    let mut source = MemorySource::default();
    let mut random = Random::new(11);
    for host in 0..50 {
        let zone = if host % 7 == 0 { "small" } else { "large" };
        let labels = Labels::new([
            (METRIC_NAME, "m".to_owned()),
            ("host", format!("{host:02}")),
            ("zone", zone.to_owned()),
        ]);
        for at in (0..40).filter(|at| host % 5 > 0 || at % 9 > 0) {
            let value = match random.below(30) {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => -0.0,
                scale => (random.below(2_000_000) as f64 - 1e6) * 10_f64.powi(scale as i32 - 14),
            };
            source.put(&labels, at * 15_000, value);
        }
    }
    source
}

#[test]
fn what_is_added_up_as_it_comes_is_the_same_to_the_bit() {
    let source = hosts();
    let steps = Steps { start_ms: 0, end_ms: 900_000, step_ms: 15_000 };
    for operation in ["sum", "avg", "count", "group", "min", "max", "stddev", "stdvar"] {
        for by in ["", "by (zone)", "by (host)", "without (host)", "by (nosuch)"] {
            for of in ["m", "avg_over_time(m[1m])", "rate(m[2m])", "last_over_time(m[1m])", "m offset 1m"] {
                same(&source, &format!("{operation} {by} ({of})"), steps);
            }
        }
    }
    for count in ["0", "1", "3", "49", "100", "-1", "2.9", "101", "NaN", "1e30", "scalar(sum(m))"] {
        for of in ["m", "max_over_time(m[1m])", "m{zone=\"large\"}"] {
            for by in ["", "by (zone)"] {
                same(&source, &format!("topk {by} ({count}, {of})"), steps);
                same(&source, &format!("bottomk {by} ({count}, {of})"), steps);
            }
        }
    }
    same(&source, "sum(m) / count(m) + on () group_left () max by (zone) (m)", steps);
    same(&source, "max_over_time(sum(m)[5m:30s])", steps);
}

#[track_caller]
fn same(source: &MemorySource, text: &str, steps: Steps) {
    let query = Query::parse(text).unwrap();
    let options = Options::default();
    let ordered = Ordered::new(source);
    let kept = told(query.range(source, steps, &options));
    assert_eq!(told(query.range(&ordered, steps, &options)), kept, "{text}");
    for moment in [0, 300_000, 600_000] {
        let kept = told(query.instant(source, moment, &options));
        assert_eq!(told(query.instant(&ordered, moment, &options)), kept, "{text} at {moment}");
    }
}

#[test]
fn any_query_answers_the_same_of_series_that_come_in_order() {
    let seed = 20_261_122;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let grammar = Grammar::of_random_series();
    let mut promised = 0;
    for _ in 0..20 {
        let source = counters_and_gauges(&mut random, 1_800_000);
        let ordered = Ordered::new(&source);
        for _ in 0..30 {
            let text = grammar.query(&mut random).to_string();
            let query = Query::parse(&text).unwrap();
            let steps = Steps { start_ms: 600_000, end_ms: 900_000, step_ms: 60_000 };
            let kept = told(query.range(&source, steps, &Options::default()));
            assert_eq!(told(query.range(&ordered, steps, &Options::default())), kept, "seed {seed}: {text}");
        }
        promised += ordered.1.into_inner();
    }
    assert!(promised > 20, "only {promised} aggregations of series in order");
}

#[test]
fn many_series_take_no_more_than_their_groups() {
    let source = hosts();
    let ordered = Ordered::new(&source);
    let steps = Steps { start_ms: 0, end_ms: 99 * 6_000, step_ms: 6_000 };
    let asked = |source: &dyn SeriesSource, text: &str, points: u64| {
        let limits = Limits { points, ..Limits::default() };
        let answer =
            Query::parse(text).unwrap().range(source, steps, &Options { limits, ..Options::default() });
        answer.map(|answer| answer.samples > 0).map_err(|error| error.kind())
    };
    // Eight columns are kept before they become what four take.
    assert_eq!(asked(&ordered, "sum(m)", 1_200), Ok(true));
    assert_eq!(asked(&ordered, "sum(m)", 1_199), Err(ErrorKind::Limit));
    assert_eq!(asked(&source, "sum(m)", 5_000), Err(ErrorKind::Limit));
    assert_eq!(asked(&ordered, "topk(1, max_over_time(m[1m]))", 4_500), Ok(true));
    assert_eq!(asked(&source, "topk(1, max_over_time(m[1m]))", 5_000), Err(ErrorKind::Limit));
    // Groups of one keep what they are.
    assert_eq!(asked(&ordered, "sum by (host) (m)", 5_100), Ok(true));
    assert_eq!(asked(&ordered, "sum by (host) (m)", 5_099), Err(ErrorKind::Limit));
}

#[test]
fn an_order_that_was_promised_is_looked_at() {
    struct Wrong;
    impl SeriesSource for Wrong {
        fn select(&self, _: &[Selection], intake: &mut dyn Intake) -> Result<(), Error> {
            for host in ["b", "a"] {
                intake.series(0, &Labels::new([(METRIC_NAME, "m"), ("host", host)]), &[1], &[0.0])?;
            }
            Ok(())
        }

        fn is_in_order(&self, _: &Selection) -> bool {
            true
        }
    }
    let error = Query::parse("sum(m)").unwrap().instant(&Wrong, 1, &Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert!(error.to_string().contains("out of order"), "{error}");
    assert!(Query::parse("m").unwrap().instant(&Wrong, 1, &Options::default()).is_ok());
}

#[test]
fn what_a_source_keeps_counts_until_it_says_otherwise() {
    struct Keeping(usize);
    impl SeriesSource for Keeping {
        fn select(&self, _: &[Selection], intake: &mut dyn Intake) -> Result<(), Error> {
            intake.keeps(self.0)?;
            intake.series(0, &Labels::new([(METRIC_NAME, "m")]), &[1], &[0.0])
        }
    }
    let ask = |kept: usize| {
        let limits = Limits { points: 10, held: 100, ..Limits::default() };
        let options = Options { limits, ..Options::default() };
        let answer = Query::parse("m + 1").unwrap().instant(&Keeping(kept), 1, &options);
        answer.map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!((ask(99), ask(100)), (Ok(()), Err(ErrorKind::Limit)));
}
