//! The language of the tests.
//!
//! A script is lines. Series come first, one sample for each `every` from the moment 0 on:
//!
//! ```text
//! every 30s
//! up{job="a"} 1 2 _ stale 5x3 0+10x4
//! ```
//!
//! `_` is no sample, `5x3` is 5 three times, `0+10x4` is 0 10 20 30. Then questions, each with what must come back:
//!
//! ```text
//! at 5m: sum(up)
//!   {} 3
//! from 0s to 2m by 1m: up > 2
//!   {__name__="up", job="a"} _ 5 30
//! ```
//!
//! Instead of series may stand `nothing`, `scalar 1`, `text abc` or `fails part of the error`; beside them `warns …` and
//! `informs …`. The order of an instant vector counts where the question says `in order`.

use pingup_promql::{Answer, Error, Labels, MemorySource, Options, Query, STALE, Steps, Value, format};

/// Runs a script with common options.
pub(crate) fn run(script: &str) {
    run_with(script, &Options::default());
}

/// Runs a script.
pub(crate) fn run_with(script: &str, options: &Options) {
    let mut source = MemorySource::default();
    let mut every = 60_000;
    let mut lines = script.lines().filter(|line| !line.trim().is_empty()).peekable();
    let mut asked = 0;
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(interval) = line.strip_prefix("every ") {
            every = milliseconds(interval);
        } else if let Some((head, text)) = question(line) {
            let mut expected = Vec::new();
            while let Some(line) =
                lines.next_if(|line| line.starts_with(' ') && question(line.trim()).is_none())
            {
                expected.push(line.trim());
            }
            asked += 1;
            compare(line, &expected, &ask(&source, head, text, options), head.ends_with("in order"));
        } else {
            load(&mut source, line, every);
        }
    }
    assert!(asked > 0, "the script asks nothing");
}

/// The head and the text of a question.
fn question(line: &str) -> Option<(&str, &str)> {
    (line.starts_with("at ") || line.starts_with("from ")).then(|| line.split_once(": "))?
}

fn ask(source: &MemorySource, head: &str, text: &str, options: &Options) -> Result<Answer, Error> {
    let query = Query::parse(text)?;
    let words: Vec<&str> = head.split(' ').collect();
    match words[..] {
        ["at", moment, ..] => query.instant(source, milliseconds(moment), options),
        ["from", start, "to", end, "by", step, ..] => {
            let [start_ms, end_ms, step_ms] = [start, end, step].map(milliseconds);
            query.range(source, Steps { start_ms, end_ms, step_ms }, options)
        }
        _ => panic!("no question: {head}"),
    }
}

fn compare(question: &str, expected: &[&str], answer: &Result<Answer, Error>, ordered: bool) {
    let shown: Vec<String> = match answer {
        Ok(answer) => shown(answer, ordered),
        Err(error) => vec![format!("fails {error}")],
    };
    let (said, came): (Vec<&String>, Vec<&String>) = shown
        .iter()
        .partition(|line| ["warns ", "informs ", "fails "].iter().any(|word| line.starts_with(word)));
    let (wanted_said, mut wanted): (Vec<&str>, Vec<&str>) = expected
        .iter()
        .partition(|line| ["warns ", "informs ", "fails "].iter().any(|word| line.starts_with(word)));
    if !ordered {
        wanted.sort_unstable();
    }
    wanted.retain(|line| *line != "nothing");
    let same =
        wanted.len() == came.len() && wanted.iter().zip(&came).all(|(wanted, came)| close(wanted, came));
    let heard = said.len() == wanted_said.len()
        && wanted_said.iter().all(|wanted| {
            let (kind, part) = wanted.split_once(' ').unwrap();
            said.iter().any(|said| said.starts_with(kind) && said.contains(part))
        });
    assert!(same && heard, "{question}\n expected {expected:#?}\n got {shown:#?}");
}

/// Lines are the same but for the last digits of their numbers.
fn close(wanted: &str, came: &str) -> bool {
    let (name, values) = split_name(wanted);
    let (came_name, came_values) = split_name(came);
    let words = |text: &str| text.split([' ', '@']).map(str::to_owned).collect::<Vec<_>>();
    let (values, came_values) = (words(values), words(came_values));
    let same = |(wanted, came): (&String, &String)| match (wanted.parse::<f64>(), came.parse::<f64>()) {
        (Ok(a), Ok(b)) => {
            a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
        }
        _ => wanted == came,
    };
    name == came_name && values.len() == came_values.len() && values.iter().zip(&came_values).all(same)
}

fn split_name(line: &str) -> (&str, &str) {
    match line.rfind("} ") {
        Some(at) => line.split_at(at + 2),
        None => ("", line),
    }
}

/// An answer as lines.
fn shown(answer: &Answer, ordered: bool) -> Vec<String> {
    let mut lines = match &answer.value {
        Value::Scalar { value, .. } => vec![format!("scalar {}", format::value(*value))],
        Value::Text { text, .. } => vec![format!("text {text}")],
        Value::Vector(samples) => samples
            .iter()
            .map(|sample| format!("{} {}", sample.labels, format::value(sample.value)))
            .collect::<Vec<_>>(),
        Value::Matrix(all) => all
            .clone()
            .into_iter()
            .map(|series| {
                let points = series.timestamps.iter().zip(&series.values);
                let points: Vec<String> = points
                    .map(|(at, value)| format!("{}@{}", format::value(*value), format::timestamp(*at)))
                    .collect();
                format!("{} {}", series.labels, points.join(" "))
            })
            .collect(),
    };
    if !ordered {
        lines.sort_unstable();
    }
    lines.extend(answer.warnings.iter().map(|text| format!("warns {text}")));
    lines.extend(answer.infos.iter().map(|text| format!("informs {text}")));
    lines
}

/// Puts a line's series into the source.
fn load(source: &mut MemorySource, line: &str, every: i64) {
    let (labels, values) = series(line);
    for (at, value) in values.into_iter().enumerate() {
        if let Some(value) = value {
            source.put(&labels, at as i64 * every, value);
        }
    }
}

fn series(line: &str) -> (Labels, Vec<Option<f64>>) {
    let (name, values) = match line.find('}') {
        Some(at) => line.split_at(at + 1),
        None => line.split_once(' ').unwrap(),
    };
    let (metric, rest) = name.split_once('{').unwrap_or((name, ""));
    let pairs = rest.trim_end_matches('}').split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.trim().split_once('=').unwrap();
        (name.to_owned(), value.trim_matches('"').to_owned())
    });
    let labels = Labels::new([("__name__".to_owned(), metric.to_owned())].into_iter().chain(pairs));
    (labels, values.split_whitespace().flat_map(values_of).collect())
}

fn values_of(token: &str) -> Vec<Option<f64>> {
    match token {
        "_" => return vec![None],
        "stale" => return vec![Some(STALE)],
        _ => {}
    }
    let number = |text: &str| text.parse::<f64>().unwrap_or_else(|_| panic!("no number: {text}"));
    let Some((first, count)) = token.split_once('x') else { return vec![Some(number(token))] };
    let count: usize = count.parse().unwrap();
    if first == "_" {
        return vec![None; count];
    }
    let (first, step) = first.split_once('+').unwrap_or((first, "0"));
    (0..count).map(|at| Some(number(first) + number(step) * at as f64)).collect()
}

fn milliseconds(text: &str) -> i64 {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        unit => panic!("no unit: {unit:?} of {text:?}"),
    };
    digits.parse::<i64>().unwrap() * unit
}
