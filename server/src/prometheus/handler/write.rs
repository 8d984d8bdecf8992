//! Answers in Prometheus's JSON, written straight into what leaves: no tree of values in between, and each series is
//! gone from memory once it is written.

use crate::http::{envelope::Complaint, pack::Packing};
use pingup_promql::{Answer, Labels, Sample, Series, Value, format};
use serde::Serialize;

/// Points of a series that are written between two looks at whether to go on.
const POINTS_AT_ONCE: usize = 1024;
/// What Prometheus warns of when `limit` cut an answer.
const TRUNCATED: &str = "results truncated due to limit";

/// What is said beside an answer.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The answer may not be what was meant.
    pub(super) warnings: Vec<String>,
    /// Hints.
    pub(super) infos: Vec<String>,
}

/// What a query cost, in Prometheus's members.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Stats {
    timings: Timings,
    samples: SamplesRead,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Timings {
    /// Seconds that the evaluation took.
    eval_total_time: f64,
    /// Seconds that the question waited for its turn.
    exec_queue_time: f64,
    /// Both.
    exec_total_time: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SamplesRead {
    total_queryable_samples: u64,
}

impl Stats {
    /// Of a query that waited and was evaluated for so many seconds, and read so many samples.
    pub(super) fn new(queued: f64, evaluated: f64, samples: u64) -> Self {
        Self {
            timings: Timings {
                eval_total_time: evaluated,
                exec_queue_time: queued,
                exec_total_time: queued + evaluated,
            },
            samples: SamplesRead { total_queryable_samples: samples },
        }
    }
}

/// An answer around what `data` writes.
pub(super) fn success(
    out: &mut Packing<'_>,
    notes: &Notes,
    data: impl FnOnce(&mut Packing<'_>) -> Result<(), Complaint>,
) -> Result<(), Complaint> {
    out.text().push_str("{\"status\":\"success\",\"data\":");
    data(out)?;
    for (name, said) in [("warnings", &notes.warnings), ("infos", &notes.infos)] {
        if !said.is_empty() {
            let text = out.text();
            text.push_str(",\"");
            text.push_str(name);
            text.push_str("\":");
            list(out, said, |text, said| string(text, said))?;
        }
    }
    out.text().push('}');
    Ok(())
}

/// What a query answers; of its series no more than `limit`.
pub(super) fn answer(
    out: &mut Packing<'_>,
    answer: Answer,
    limit: Option<usize>,
    stats: Option<Stats>,
) -> Result<(), Complaint> {
    let Answer { mut value, warnings, infos, .. } = answer;
    let mut notes = Notes { warnings, infos };
    match &mut value {
        Value::Vector(samples) => truncate(samples, limit, &mut notes),
        Value::Matrix(series) => truncate(series, limit, &mut notes),
        Value::Scalar { .. } | Value::Text { .. } => {}
    }
    success(out, &notes, |out| {
        result(out, value)?;
        let text = out.text();
        if let Some(stats) = stats {
            text.push_str(",\"stats\":");
            text.push_str(&serde_json::to_string(&stats).unwrap_or_else(|_| "null".to_owned()));
        }
        text.push('}');
        Ok(())
    })
}

/// Cuts what is answered, and says so.
pub(super) fn truncate<T>(items: &mut Vec<T>, limit: Option<usize>, notes: &mut Notes) {
    if let Some(limit) = limit.filter(|&limit| limit < items.len()) {
        items.truncate(limit);
        notes.warnings.push(TRUNCATED.to_owned());
    }
}

/// A list of texts.
pub(super) fn names(out: &mut Packing<'_>, names: &[String]) -> Result<(), Complaint> {
    list(out, names, |text, name| string(text, name))
}

/// A list of label sets.
pub(super) fn label_sets(out: &mut Packing<'_>, sets: &[Labels]) -> Result<(), Complaint> {
    list(out, sets, labels)
}

/// All of a query's data but the brace behind it.
fn result(out: &mut Packing<'_>, value: Value) -> Result<(), Complaint> {
    let kind = match &value {
        Value::Scalar { .. } => "scalar",
        Value::Text { .. } => "string",
        Value::Vector(_) => "vector",
        Value::Matrix(_) => "matrix",
    };
    let text = out.text();
    text.push_str("{\"resultType\":\"");
    text.push_str(kind);
    text.push_str("\",\"result\":");
    match value {
        Value::Scalar { timestamp_ms, value } => {
            at(text, timestamp_ms);
            text.push('"');
            // A scalar's number never has an exponent.
            format::write_plain(text, value);
            text.push_str("\"]");
            Ok(())
        }
        Value::Text { timestamp_ms, text: said } => {
            at(text, timestamp_ms);
            string(text, &said);
            text.push(']');
            Ok(())
        }
        Value::Vector(samples) => list(out, samples, |text, sample| {
            let Sample { labels: set, timestamp_ms, value } = sample;
            text.push_str("{\"metric\":");
            labels(text, &set);
            text.push_str(",\"value\":");
            point(text, timestamp_ms, value);
            text.push('}');
        }),
        Value::Matrix(series) => matrix(out, series),
    }
}

fn matrix(out: &mut Packing<'_>, all: Vec<Series>) -> Result<(), Complaint> {
    out.text().push('[');
    for (number, series) in all.into_iter().enumerate() {
        let text = out.text();
        text.push_str(if number == 0 { "{\"metric\":" } else { ",{\"metric\":" });
        labels(text, &series.labels);
        text.push_str(",\"values\":[");
        let mut comma = false;
        let points = series.timestamps.chunks(POINTS_AT_ONCE).zip(series.values.chunks(POINTS_AT_ONCE));
        for (timestamps, values) in points {
            let text = out.text();
            for (&timestamp, &value) in timestamps.iter().zip(values) {
                if std::mem::replace(&mut comma, true) {
                    text.push(',');
                }
                point(text, timestamp, value);
            }
            out.settle()?;
        }
        out.text().push_str("]}");
    }
    out.text().push(']');
    Ok(())
}

/// A list, each item written by `write`.
fn list<T>(
    out: &mut Packing<'_>,
    items: impl IntoIterator<Item = T>,
    write: impl Fn(&mut String, T),
) -> Result<(), Complaint> {
    out.text().push('[');
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            out.text().push(',');
        }
        write(out.text(), item);
        out.settle()?;
    }
    out.text().push(']');
    Ok(())
}

fn labels(text: &mut String, set: &Labels) {
    text.push('{');
    for (number, (name, value)) in set.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        string(text, name);
        text.push(':');
        string(text, value);
    }
    text.push('}');
}

fn point(text: &mut String, timestamp_ms: i64, value: f64) {
    at(text, timestamp_ms);
    text.push('"');
    format::write_value(text, value);
    text.push_str("\"]");
}

/// The beginning of a pair: its moment.
fn at(text: &mut String, timestamp_ms: i64) {
    text.push('[');
    format::write_timestamp(text, timestamp_ms);
    text.push(',');
}

fn string(text: &mut String, content: &str) {
    if content.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        text.push('"');
        text.push_str(content);
        text.push('"');
    } else {
        // A text always can be written.
        text.push_str(&serde_json::to_string(content).unwrap_or_else(|_| "\"\"".to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Wanted;
    use serde_json::json;

    fn written(value: Value, limit: Option<usize>, stats: Option<Stats>) -> String {
        let wanted = Wanted::default();
        let mut out = Packing::new(false, &wanted);
        let warnings = vec!["a \"warning\"".to_owned()];
        answer(&mut out, Answer { value, warnings, infos: Vec::new(), samples: 0 }, limit, stats).unwrap();
        std::mem::take(out.text())
    }

    #[test]
    fn every_type_is_written_as_prometheus_writes_it() {
        let set = Labels::new([("__name__", "up"), ("a", "\"ä\"\n")]);
        let sample = |value| Sample { labels: set.clone(), timestamp_ms: 1_500, value };
        let series = Series { labels: set.clone(), timestamps: vec![0, 15_003], values: vec![1.5, f64::NAN] };
        for (value, data) in [
            (
                Value::Scalar { timestamp_ms: 4_000, value: 1e21 },
                r#"{"resultType":"scalar","result":[4,"1000000000000000000000"]}"#,
            ),
            (
                Value::Text { timestamp_ms: -1, text: "x\\y".into() },
                r#"{"resultType":"string","result":[-0.001,"x\\y"]}"#,
            ),
            (Value::Vector(Vec::new()), r#"{"resultType":"vector","result":[]}"#),
            (
                Value::Vector(vec![sample(f64::INFINITY), sample(1e-7)]),
                r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","a":"\"ä\"\n"},"value":[1.5,"+Inf"]},{"metric":{"__name__":"up","a":"\"ä\"\n"},"value":[1.5,"1e-07"]}]}"#,
            ),
            (
                Value::Matrix(vec![series]),
                r#"{"resultType":"matrix","result":[{"metric":{"__name__":"up","a":"\"ä\"\n"},"values":[[0,"1.5"],[15.003,"NaN"]]}]}"#,
            ),
        ] {
            let whole = format!(r#"{{"status":"success","data":{data},"warnings":["a \"warning\""]}}"#);
            assert_eq!(written(value, None, None), whole);
        }
    }

    #[test]
    fn a_limit_cuts_series_and_says_so() {
        let series = |n: i64| Series { labels: Labels::default(), timestamps: vec![n], values: vec![0.0] };
        let matrix = || Value::Matrix((0..3).map(series).collect());
        let read =
            |limit| -> serde_json::Value { serde_json::from_str(&written(matrix(), limit, None)).unwrap() };
        let cut = read(Some(2));
        assert_eq!(cut["data"]["result"].as_array().unwrap().len(), 2);
        assert_eq!(cut["warnings"], json!(["a \"warning\"", TRUNCATED]));
        assert_eq!(read(Some(3))["warnings"], read(None)["warnings"]);
    }

    #[test]
    fn long_series_and_statistics() {
        let count = 3 * POINTS_AT_ONCE + 1;
        let timestamps: Vec<i64> = (0..count as i64).collect();
        let series = Series { labels: Labels::default(), values: vec![0.5; count], timestamps };
        let text = written(Value::Matrix(vec![series]), None, Some(Stats::new(0.25, 0.5, 7)));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["data"]["result"][0]["values"].as_array().unwrap().len(), count);
        assert_eq!(
            value["data"]["stats"],
            json!({
                "timings": {"evalTotalTime": 0.5, "execQueueTime": 0.25, "execTotalTime": 0.75},
                "samples": {"totalQueryableSamples": 7},
            })
        );
    }
}
