//! The questions: their paths, and the lines of the table that they are held to.

use crate::{
    api::{PAGE_ROWS_MAX, PAGE_SCANS_MAX},
    request::encoded,
    verdict::Must,
};
use pingup_protocol::time::Timestamp;

/// How far back questions reach, seconds.
const MONTH_SECONDS: i64 = 30 * 86_400;
const DAY_SECONDS: i64 = 86_400;
const HOUR_SECONDS: i64 = 3_600;

/// Scans on a page that someone looks at.
const PAGE_SCANS_SHOWN: usize = 100;

/// A kind of question.
pub(super) struct Kind {
    /// For people.
    pub(super) name: &'static str,
    /// Whether it is about scans, which not every agent has.
    pub(super) of_scans: bool,
    /// The line of the table that its median is held to.
    pub(super) must: Option<Must>,
    /// The path about an agent.
    pub(super) path: fn(&Span, &str) -> String,
}

/// The question that nothing is found for: what is left of another beyond it was spent in the store, and on writing
/// what was found.
pub(super) const NOTHING: &str = "hours without samples";

/// The kinds, in the table's order.
pub(super) const KINDS: [Kind; 12] = [
    Kind {
        name: "month by hour",
        of_scans: false,
        must: Some(Must::MonthByHour),
        path: |span, id| format!("/api/v1/metrics/{id}?from={}&to={}&step=1h", span.month_ago(), span.end),
    },
    Kind {
        name: NOTHING,
        of_scans: false,
        must: None,
        // Planned, queued and answered as any other; no sample lies behind the newest.
        path: |span, id| {
            let (from, to) = (span.end.plus_seconds(HOUR_SECONDS), span.end.plus_seconds(2 * HOUR_SECONDS));
            format!("/api/v1/metrics/{id}?from={from}&to={to}&step=1h")
        },
    },
    Kind {
        name: "raw rows of a day",
        of_scans: false,
        must: Some(Must::DayRaw),
        path: |span, id| {
            let (from, to) = (span.end.plus_seconds(-2 * DAY_SECONDS), span.end.plus_seconds(-DAY_SECONDS));
            format!("/api/v1/metrics/{id}?from={from}&to={to}&limit={PAGE_ROWS_MAX}")
        },
    },
    Kind {
        name: "fleet by hour",
        of_scans: false,
        must: Some(Must::Fleet),
        path: |span, _| {
            format!("/api/v1/fleet/metrics?step=1h&from={}&to={}&fields=cpu", span.month_ago(), span.end)
        },
    },
    Kind {
        name: "top ten",
        of_scans: false,
        must: Some(Must::Top),
        path: |_, _| "/api/v1/fleet/top?field=cpu&window=1h&limit=10".to_owned(),
    },
    Kind {
        name: "scans of a month",
        of_scans: true,
        must: Some(Must::Scans),
        path: |span, id| span.scans(id, PAGE_SCANS_MAX) + "&hosts=count",
    },
    Kind {
        name: "newest 100 with hosts",
        of_scans: true,
        must: None,
        path: |span, id| span.scans(id, PAGE_SCANS_SHOWN),
    },
    Kind {
        name: "PromQL: month by hour",
        of_scans: false,
        must: Some(Must::PromMonth),
        path: |span, id| {
            let query = format!("avg_over_time(pingup_cpu_percent{{agent_id=\"{id}\"}}[1h])");
            span.promql(&query, MONTH_SECONDS, HOUR_SECONDS)
        },
    },
    Kind {
        name: "PromQL: an hour",
        of_scans: false,
        must: Some(Must::PromHour),
        path: |span, id| span.promql(&format!("pingup_cpu_percent{{agent_id=\"{id}\"}}"), HOUR_SECONDS, 15),
    },
    Kind {
        name: "PromQL: top ten",
        of_scans: false,
        must: Some(Must::PromTop),
        path: |span, _| span.promql("topk(10, avg_over_time(pingup_cpu_percent[5m]))", HOUR_SECONDS, 60),
    },
    Kind {
        name: "PromQL: mean of a day",
        of_scans: false,
        must: Some(Must::PromMean),
        path: |span, _| span.promql("avg(avg_over_time(pingup_cpu_percent[5m]))", DAY_SECONDS, 300),
    },
    Kind {
        name: "PromQL: label values",
        of_scans: false,
        must: None,
        path: |span, _| {
            let (start, end) = (span.seconds() - DAY_SECONDS, span.seconds());
            format!("/prometheus/api/v1/label/agent_id/values?start={start}&end={end}")
        },
    },
];

/// The time that the store covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Just after the newest sample.
    pub(super) end: Timestamp,
}

impl Span {
    /// As far back as questions reach.
    pub(super) const fn month_ago(self) -> Timestamp {
        self.end.plus_seconds(-MONTH_SECONDS)
    }

    /// The path of an agent's scans, the first page.
    pub(super) fn scans(&self, id: &str, limit: usize) -> String {
        format!("/api/v1/discovery/{id}?from={}&to={}&limit={limit}", self.month_ago(), self.end)
    }

    /// The path of a query of the last `back` seconds, by steps of `step`.
    fn promql(self, query: &str, back: i64, step: i64) -> String {
        let end = self.seconds().div_euclid(step) * step;
        format!(
            "/prometheus/api/v1/query_range?query={}&start={}&end={end}&step={step}",
            encoded(query),
            end - back
        )
    }

    /// The second that it ends in.
    const fn seconds(self) -> i64 {
        self.end.as_micros().div_euclid(1_000_000)
    }

    /// The path of a heavy question: an agent's month by the minute.
    pub(super) fn heavy(&self, id: &str) -> String {
        let (from, to) = (self.month_ago(), self.end);
        format!("/api/v1/metrics/{id}?from={from}&to={to}&step=1m&limit={PAGE_ROWS_MAX}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_end_on_a_step_and_travel_encoded() {
        let span = Span { end: Timestamp::from_micros(7_205_999_999) };
        let path = span.promql("topk(1, a{b=\"c\"})", 3_600, 60);
        let query = "topk%281%2C%20a%7Bb%3D%22c%22%7D%29";
        assert_eq!(path, format!("/prometheus/api/v1/query_range?query={query}&start=3600&end=7200&step=60"));
    }
}
