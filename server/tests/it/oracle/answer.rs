//! Answers that can be compared: values by series and moment, whoever gave them and however they were asked for.

use crate::harness::wire;
use pingup_promql::{self as promql, Labels};
use serde_json::Value;
use std::collections::BTreeMap;

/// How far two numbers may lie apart, in parts of them.
pub const TOLERANCE: f64 = 1e-12;

/// Values by series and moment, milliseconds; a scalar's are those of no series.
pub type Points = BTreeMap<(Labels, i64), f64>;

/// What came back.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It was no query, or could not be evaluated.
    Refused(String),
    /// A text.
    Text(String),
    /// All else.
    Points(Points),
}

impl Answer {
    /// An answer over the wire.
    pub fn of_wire(answer: &wire::Answer) -> Self {
        let body = answer.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        if matches!(answer.status, 400 | 422) {
            return Self::Refused(text(&body["error"]));
        }
        assert_eq!(answer.status, 200, "{body}");
        let data = &body["data"];
        let mut points = Points::new();
        let mut put = |labels: Labels, point: &Value| {
            let moment = (point[0].as_f64().unwrap() * 1_000.0).round() as i64;
            let value = point[1].as_str().unwrap().parse().unwrap();
            assert!(points.insert((labels, moment), value).is_none(), "a series twice: {data}");
        };
        match data["resultType"].as_str().unwrap() {
            "string" => return Self::Text(text(&data["result"][1])),
            "scalar" => put(Labels::default(), &data["result"]),
            _ => {
                for series in data["result"].as_array().unwrap() {
                    let pairs = series["metric"].as_object().unwrap().iter();
                    let labels = Labels::new(pairs.map(|(name, value)| (name.clone(), text(value))));
                    let steps = series["values"].as_array().into_iter().flatten();
                    steps.chain(series.get("value")).for_each(|point| put(labels.clone(), point));
                }
            }
        }
        Self::Points(points)
    }

    /// An answer of the library.
    pub fn of_library(answer: Result<promql::Answer, promql::Error>) -> Self {
        let value = match answer {
            Ok(answer) => answer.value,
            Err(error) => return Self::Refused(error.to_string()),
        };
        Self::Points(match value {
            promql::Value::Text { text, .. } => return Self::Text(text),
            promql::Value::Scalar { timestamp_ms, value } => {
                Points::from([((Labels::default(), timestamp_ms), value)])
            }
            promql::Value::Vector(samples) => {
                samples.into_iter().map(|one| ((one.labels, one.timestamp_ms), one.value)).collect()
            }
            promql::Value::Matrix(all) => {
                let points = all.into_iter().flat_map(|series| {
                    let moments = series.timestamps.into_iter().zip(series.values);
                    moments.map(move |(at, value)| ((series.labels.clone(), at), value))
                });
                points.collect()
            }
        })
    }

    /// Whether it is the same answer, to the tolerance. Refusals are, whatever their words.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Refused(_), Self::Refused(_)) => true,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Points(a), Self::Points(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|((key, a), (other, b))| key == other && same(*a, *b))
            }
            _ => false,
        }
    }

    /// The values; none if it has none.
    pub fn points(&self) -> Points {
        match self {
            Self::Points(points) => points.clone(),
            _ => Points::new(),
        }
    }

    /// What of it differs from the other, in a few lines.
    pub fn told_beside(&self, other: &Self) -> String {
        /// Points that are shown of an answer.
        const SHOWN: usize = 12;
        let (Self::Points(points), Self::Points(others)) = (self, other) else {
            return match self {
                Self::Refused(error) => format!("refused: {error}"),
                Self::Text(text) => format!("the text {text:?}"),
                Self::Points(points) => format!("{} points", points.len()),
            };
        };
        let differs =
            |key: &(Labels, i64), value: f64| !others.get(key).is_some_and(|other| same(value, *other));
        let told = points.iter().filter(|(key, value)| differs(key, **value));
        let told: Vec<_> = told.map(|((labels, at), value)| format!("{labels} {value:e} @{at}")).collect();
        let more = told.len().saturating_sub(SHOWN);
        format!(
            "{} points; only here: {} and {more} more",
            points.len(),
            told[..told.len() - more].join(", ")
        )
    }
}

/// The values of an instant vector over the wire, in their order.
pub fn in_order(answer: &wire::Answer) -> Vec<f64> {
    let body = answer.json();
    let samples = body["data"]["result"].as_array().into_iter().flatten();
    samples.filter_map(|sample| sample["value"][1].as_str()?.parse().ok()).collect()
}

/// Whether numbers are the same, one by one.
pub fn all_same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b))
}

/// Whether two numbers are the same, to the tolerance.
pub fn same(a: f64, b: f64) -> bool {
    let are_numbers = a.is_finite() && b.is_finite();
    a == b || (a.is_nan() && b.is_nan()) || (are_numbers && (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()))
}

#[test]
fn numbers_are_the_same_to_the_twelfth_digit() {
    assert!(same(1.0, 1.0 + 0.9e-12) && same(f64::NAN, f64::NAN) && same(f64::INFINITY, f64::INFINITY));
    for (a, b) in [(1.0, 1.0 + 1.1e-12), (0.0, 1e-300), (f64::NAN, 1.0), (1.0, -1.0)] {
        assert!(!same(a, b) && !same(b, a), "{a} {b}");
    }
    assert!(!same(f64::INFINITY, f64::MAX) && !same(f64::INFINITY, f64::NEG_INFINITY));
}

#[test]
fn an_answer_is_itself_and_no_other() {
    let points = |all: &[(&str, i64, f64)]| {
        let point = |(host, at, value): &(&str, i64, f64)| ((Labels::new([("host", *host)]), *at), *value);
        Answer::Points(all.iter().map(point).collect())
    };
    let answer = points(&[("a", 0, 1.0), ("b", 0, 2.0)]);
    assert!(answer.is(&answer));
    let refused = Answer::Refused("a".to_owned());
    assert!(refused.is(&Answer::Refused("b".to_owned())));
    for other in [
        points(&[("a", 0, 1.0)]),
        points(&[("a", 0, 1.0), ("b", 1, 2.0)]),
        points(&[("a", 0, 1.0), ("c", 0, 2.0)]),
        points(&[("a", 0, 1.0), ("b", 0, 2.1)]),
        refused,
        Answer::Text(String::new()),
    ] {
        assert!(!answer.is(&other) && !other.is(&answer), "{other:?}");
    }
}
