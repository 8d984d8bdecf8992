//! Answers in Prometheus's JSON, written straight into what leaves: no tree of values in between, and each series is
//! gone from memory once it is written.

use super::{
    json::{at, labels, point, string},
    stats::Stats,
};
use crate::http::{envelope::Complaint, pack::Packing};
use pingup_promql::{Answer, Labels, Matrix, Sample, Value, format};
use std::sync::Arc;

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
        Value::Matrix(matrix) => {
            if let Some(most) = excess(matrix.len(), limit, &mut notes) {
                matrix.truncate(most);
            }
        }
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
    if let Some(most) = excess(items.len(), limit, notes) {
        items.truncate(most);
    }
}

/// To how many `count` are to be cut, if they are; then it is said.
pub(super) fn excess(count: usize, limit: Option<usize>, notes: &mut Notes) -> Option<usize> {
    let most = limit.filter(|&limit| limit < count)?;
    notes.warnings.push(TRUNCATED.to_owned());
    Some(most)
}

/// A list of texts.
pub(super) fn names(out: &mut Packing<'_>, names: &[Arc<str>]) -> Result<(), Complaint> {
    list(out, names, |text, name| string(text, name))
}

/// A list of label sets, each made when its turn comes.
pub(super) fn label_sets(out: &mut Packing<'_>, sets: impl Iterator<Item = Labels>) -> Result<(), Complaint> {
    list(out, sets, |text, set| labels(text, &set))
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

fn matrix(out: &mut Packing<'_>, all: Matrix) -> Result<(), Complaint> {
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

#[cfg(test)]
mod tests;
