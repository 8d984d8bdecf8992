//! What must hold of any query over any series: a range query is what its steps are by themselves.
//!
//! `PINGUP_PROMQL_SEED` and `PINGUP_PROMQL_CASES` choose other queries, and more of them.

use pingup_promql::{
    Answer, Edition, Error, ErrorKind, Labels, Limits, MemorySource, Options, Query, Steps, Value,
    testing::{Expression, Grammar, Random, counters_and_gauges, shrink},
};
use std::collections::BTreeMap;

/// Queries of a common run; a few seconds.
const CASES: u64 = 1_500;
/// Series are made anew for so many queries.
const CASES_A_SOURCE: u64 = 25;
const LENGTH_MS: i64 = 30 * 60_000;

type Points = BTreeMap<(Labels, i64), f64>;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn points(answer: Answer) -> Points {
    match answer.value {
        Value::Vector(samples) => {
            samples.into_iter().map(|sample| ((sample.labels, sample.timestamp_ms), sample.value)).collect()
        }
        Value::Matrix(all) => all
            .into_iter()
            .flat_map(|series| {
                let labels = series.labels;
                series
                    .timestamps
                    .into_iter()
                    .zip(series.values)
                    .map(move |(at, value)| ((labels.clone(), at), value))
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-9)
}

/// What is wrong with a query, if anything is.
fn difference(text: &str, source: &MemorySource, steps: Steps, options: &Options) -> Option<String> {
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(error) => return Some(format!("does not parse: {error}")),
    };
    let each: Result<Vec<Answer>, Error> = (steps.start_ms..=steps.end_ms)
        .step_by(usize::try_from(steps.step_ms).unwrap())
        .map(|moment| query.instant(source, moment, options))
        .collect();
    match (query.range(source, steps, options), each) {
        (Ok(range), Ok(each)) => {
            let (range, each) = (points(range), each.into_iter().flat_map(points).collect::<Points>());
            let keys = |points: &Points| points.keys().cloned().collect::<Vec<_>>();
            if keys(&range) != keys(&each) {
                return Some(format!("range {range:?}\nsteps {each:?}"));
            }
            let differs = range.iter().find(|(key, value)| !close(**value, each[*key]));
            differs.map(|(key, value)| format!("{key:?}: {value} and {}", each[key]))
        }
        (Ok(_), Err(error)) => Some(format!("only a step fails: {error}")),
        // Functions of whole series refuse two of one name even if they are never there together.
        (Err(error), Ok(_)) if error.to_string().contains("same labelset") => None,
        (Err(error), Ok(_)) => Some(format!("only the range fails: {error}")),
        (Err(_), Err(_)) => None,
    }
}

#[test]
fn a_range_is_its_steps() {
    let seed = setting("PINGUP_PROMQL_SEED", 20_261_121);
    let cases = setting("PINGUP_PROMQL_CASES", CASES);
    println!("seed {seed}, {cases} queries");
    let mut random = Random::new(seed);
    let grammar = Grammar::of_random_series();
    let mut source = MemorySource::default();
    let mut answered = 0;
    for case in 0..cases {
        if case % CASES_A_SOURCE == 0 {
            source = counters_and_gauges(&mut random, LENGTH_MS);
        }
        let start_ms = 300_000 + random.below(600) as i64 * 1_000;
        let step_ms = [1_000, 15_000, 20_000, 60_000, 300_000][random.below(5)];
        let steps = Steps { start_ms, end_ms: start_ms + step_ms * 9, step_ms };
        let edition = if random.percent(20) { Edition::Prometheus2 } else { Edition::Prometheus3 };
        let lookback_ms = [300_000, 300_000, 60_000, 15_000, 1][random.below(5)];
        let options = Options { edition, lookback_ms, ..Options::default() };
        let query = grammar.query(&mut random);
        let differs = |query: &Expression| difference(&query.to_string(), &source, steps, &options);
        if differs(&query).is_some() {
            let query = shrink(query, |query| differs(query).is_some());
            panic!("seed {seed}, case {case}, {steps:?}\n{query}\n{}", differs(&query).unwrap_or_default());
        }
        let range = Query::parse(&query.to_string()).unwrap().range(&source, steps, &options);
        answered += u64::from(range.is_ok_and(|answer| !points(answer).is_empty()));
    }
    assert!(answered * 2 > cases, "only {answered} of {cases} queries had an answer");
}

/// What queries are cut and patched with.
const SCRAPS: [&str; 24] = [
    "(", ")", "[", "]", "{", "}", "5m", ":", "\"", "'", "`", "\\", "@", " offset ", "-", "1e300", "0x",
    "NaN", ",", "=~", "by", "é", "\0", "#",
];

#[test]
fn no_text_does_more_than_fail() {
    let seed = setting("PINGUP_PROMQL_SEED", 20_261_121);
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let grammar = Grammar::of_random_series();
    let source = counters_and_gauges(&mut random, 600_000);
    for _ in 0..setting("PINGUP_PROMQL_CASES", CASES) {
        let mut text: Vec<char> = grammar.query(&mut random).to_string().chars().collect();
        for _ in 0..=random.below(3) {
            let from = random.below(text.len() + 1);
            let to = text.len().min(from + random.below(4));
            let scrap: Vec<char> = random.pick(&SCRAPS).chars().collect();
            text.splice(from..to, scrap);
        }
        let text: String = text.into_iter().collect();
        if let Ok(query) = Query::parse(&text) {
            let limits = Limits { points: 1_000_000, ..Limits::default() };
            let answer = query.instant(&source, 600_000, &Options { limits, ..Options::default() });
            assert!(answer.is_ok() || answer.is_err_and(|error| error.kind() != ErrorKind::Source), "{text}");
        }
    }
}
