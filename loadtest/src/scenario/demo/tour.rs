//! The ten queries that one would try first, and what the hub answers to them at this moment.

use crate::{api::Api, error::LoadError, request::encoded};
use serde::Deserialize;
use std::{collections::BTreeMap, fmt::Write};

/// Series of an answer that are shown.
const SHOWN_MAX: usize = 5;

/// What one wants to know, how it is asked, and the labels that tell the answer's series apart.
const QUESTIONS: [(&str, &str, &[&str]); 10] = [
    ("How many agents are heard?", "count(pingup_agent_up)", &[]),
    (
        "Which are registered, and silent?",
        "pingup_agent_info unless on(agent_id) pingup_agent_up",
        &["instance", "label_site"],
    ),
    (
        "Which are the busiest, over the last fifteen minutes?",
        "topk(5, avg_over_time(pingup_cpu_percent[15m]))",
        &["instance"],
    ),
    ("Which disks are the fullest?", "topk(5, pingup_disk_percent)", &["instance"]),
    (
        "Which are full in a day, if they go on as in the last six hours?",
        "predict_linear(pingup_disk_percent[6h], 86400) >= 99",
        &["instance"],
    ),
    ("Whose clock is off, by how many seconds?", "abs(pingup_clock_offset_seconds) > 1", &["instance"]),
    (
        "How busy is each role?",
        "topk(5, avg by (label_role) (pingup_cpu_percent * on(agent_id) group_left(label_role) pingup_agent_info))",
        &["label_role"],
    ),
    (
        "How long is the way to the hub, by site? (seconds, 95 of 100 are below)",
        "quantile by (label_site) (0.95, pingup_latency_seconds * on(agent_id) group_left(label_site) pingup_agent_info)",
        &["label_site"],
    ),
    ("How often did machines start anew this week?", "resets(pingup_uptime_seconds[7d]) > 0", &["instance"]),
    (
        "How many hosts do the scans find?",
        "topk(5, last_over_time(pingup_discovery_hosts[1d]))",
        &["instance"],
    ),
];

/// A query and its answer.
pub(super) struct Stop {
    what: &'static str,
    query: &'static str,
    /// What each series is called, and its value; the greatest first.
    answers: Vec<(String, f64)>,
}

#[derive(Deserialize)]
struct Said {
    data: Vector,
}

#[derive(Deserialize)]
struct Vector {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

/// Asks all ten.
pub(super) async fn ask(api: &mut Api) -> Result<Vec<Stop>, LoadError> {
    let mut stops = Vec::new();
    for (what, query, labels) in QUESTIONS {
        let path = format!("/prometheus/api/v1/query?query={}", encoded(query));
        let said: Said = api.read("a query", &path).await?;
        let mut answers = Vec::new();
        for Series { metric, value: (_, value) } in said.data.result {
            let named: Vec<_> =
                labels.iter().filter_map(|label| metric.get(*label)).map(String::as_str).collect();
            let value: f64 =
                value.parse().map_err(|_| LoadError::Senseless { what: "a query", reason: value.clone() })?;
            answers.push((named.join(", "), value));
        }
        answers.sort_by(|one, other| other.1.total_cmp(&one.1));
        stops.push(Stop { what, query, answers });
    }
    Ok(stops)
}

/// How many queries had no answer.
pub(super) fn unanswered(stops: &[Stop]) -> usize {
    stops.iter().filter(|stop| stop.answers.is_empty()).count()
}

/// All of it for people.
pub(super) fn text(stops: &[Stop]) -> String {
    let mut text = String::new();
    for (number, Stop { what, query, answers }) in (1..).zip(stops) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n  {number:>2}  {what}\n      {query}");
        for (name, value) in answers.iter().take(SHOWN_MAX) {
            let _ = writeln!(text, "        {:<24} {:>12}", name, plain(*value));
        }
        match answers.len() {
            0 => text += "        nothing\n",
            found if found > SHOWN_MAX => {
                let _ = writeln!(text, "        and {} more", found - SHOWN_MAX);
            }
            _ => {}
        }
    }
    text
}

/// Whole numbers as they are, others with as many digits as mean something.
fn plain(value: f64) -> String {
    match value.abs() {
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_with_its_greatest_first_and_not_too_long() {
        let answers = (0..7).map(|number| (format!("m-{number}"), f64::from(number) / 2.0)).rev().collect();
        let stops = [
            Stop { what: "Which?", query: "x", answers },
            Stop { what: "None?", query: "y", answers: Vec::new() },
        ];
        let text = text(&stops);
        assert!(
            text.starts_with("\n   1  Which?\n      x\n        m-6                                 3\n"),
            "{text}"
        );
        assert!(
            text.contains("and 2 more\n") && text.ends_with("   2  None?\n      y\n        nothing\n"),
            "{text}"
        );
        assert_eq!(unanswered(&stops), 1);
    }
}
