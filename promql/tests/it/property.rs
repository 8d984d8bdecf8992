//! What must hold of any query over any series: a range query is what its steps are by themselves.
//!
//! `PINGUP_PROMQL_SEED` and `PINGUP_PROMQL_CASES` choose other queries, and more of them.

use pingup_promql::{
    Answer, Error, Labels, MemorySource, Options, Query, Steps, Value,
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
fn difference(text: &str, source: &MemorySource, steps: Steps) -> Option<String> {
    let options = Options::default();
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(error) => return Some(format!("does not parse: {error}")),
    };
    let each: Result<Vec<Answer>, Error> = (steps.start_ms..=steps.end_ms)
        .step_by(usize::try_from(steps.step_ms).unwrap())
        .map(|moment| query.instant(source, moment, &options))
        .collect();
    match (query.range(source, steps, &options), each) {
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
        let query = grammar.query(&mut random);
        let differs = |query: &Expression| difference(&query.to_string(), &source, steps);
        if differs(&query).is_some() {
            let query = shrink(query, |query| differs(query).is_some());
            panic!("seed {seed}, case {case}, {steps:?}\n{query}\n{}", differs(&query).unwrap_or_default());
        }
        let range = Query::parse(&query.to_string()).unwrap().range(&source, steps, &Options::default());
        answered += u64::from(range.is_ok_and(|answer| !points(answer).is_empty()));
    }
    assert!(answered * 2 > cases, "only {answered} of {cases} queries had an answer");
}
