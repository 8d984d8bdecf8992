//! How a run went: the same figures as a table for people and as JSON for programs.

use crate::{
    settings::IngestSettings,
    tally::{Rows, Tally},
};
use indicatif::HumanCount;
use serde::Serialize;
use std::{
    io::{self, Write},
    time::Duration,
};

/// Everything there is to say about a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    scenario: &'static str,
    hub: String,
    agents: usize,
    connections: usize,
    batch: usize,
    /// Rows a second asked for; null: a closed loop.
    rate: Option<u64>,
    /// From the first push to the last answer.
    seconds: f64,
    rows_per_second: f64,
    requests_per_second: f64,
    latency_milliseconds: Latency,
    rows: RowCounts,
    /// Answers of every kind, by status and problem.
    answers: Vec<AnswerCount>,
    /// Requests sent again because the hub asked for it.
    retries: u64,
    /// Requests whose connection broke or whose answer never came.
    broken: u64,
    passed: bool,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    #[serde(rename = "p99.9")]
    p999: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RowCounts {
    accepted: u64,
    duplicates: u64,
    rejected: u64,
    refused: u64,
    never_stored: u64,
    unanswered: u64,
    unsent: u64,
    lost: u64,
}

#[derive(Debug, Serialize)]
struct AnswerCount {
    status: u16,
    problem: Option<&'static str>,
    count: u64,
}

impl Report {
    /// Sums a run up.
    pub(crate) fn new(settings: &IngestSettings, tally: &Tally, elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs_f64();
        let Rows { accepted, duplicates, never_stored, rejected, refused, unanswered } = tally.rows;
        let answers = tally.answers.iter().map(|(&(status, problem), &count)| {
            let problem = problem.map(|kind| kind.name());
            AnswerCount { status, problem, count }
        });
        let lost = tally.rows.lost();
        Self {
            scenario: "ingest",
            hub: settings.hub.url(),
            agents: settings.agents,
            connections: settings.connections,
            batch: settings.batch,
            rate: settings.rate,
            seconds,
            rows_per_second: (accepted + duplicates) as f64 / seconds,
            requests_per_second: tally.requests() as f64 / seconds,
            latency_milliseconds: Latency::of(tally),
            rows: RowCounts {
                accepted,
                duplicates,
                rejected,
                refused,
                never_stored,
                unanswered,
                unsent: tally.unsent,
                lost,
            },
            answers: answers.collect(),
            retries: tally.retries,
            broken: tally.broken,
            passed: lost == 0,
        }
    }

    /// Whether every row that was sent is stored.
    pub(crate) const fn passed(&self) -> bool {
        self.passed
    }

    /// Writes the report as one JSON object.
    pub(crate) fn write_json(&self, mut to: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut to, self)?;
        writeln!(to)
    }

    /// Writes the report for people.
    pub(crate) fn write_table(&self, to: &mut impl Write) -> io::Result<()> {
        let Self { agents, connections, batch, .. } = self;
        let pace = match self.rate {
            Some(rate) => format!("{} rows/s on schedule", HumanCount(rate)),
            None => "as fast as answers come".to_owned(),
        };
        writeln!(to, "{} on {} for {:.1} s", self.scenario, self.hub, self.seconds)?;
        writeln!(to, "{agents} agents, {connections} connections, {batch} a request, {pace}\n")?;
        writeln!(to, "  rows/s      {:>12}", HumanCount(self.rows_per_second as u64))?;
        writeln!(to, "  requests/s  {:>12}", HumanCount(self.requests_per_second as u64))?;
        self.write_latency(to)?;
        self.write_rows(to)?;
        self.write_answers(to)?;
        match self.passed {
            true => writeln!(to, "\nevery row that was sent is stored"),
            false => writeln!(to, "\n{} rows were not stored", HumanCount(self.rows.lost)),
        }
    }

    fn write_latency(&self, to: &mut impl Write) -> io::Result<()> {
        let Latency { p50, p90, p99, p999, max } = self.latency_milliseconds;
        writeln!(to, "\n  latency, ms      p50       p90       p99     p99.9       max")?;
        writeln!(to, "            {p50:>9.2} {p90:>9.2} {p99:>9.2} {p999:>9.2} {max:>9.2}")
    }

    fn write_rows(&self, to: &mut impl Write) -> io::Result<()> {
        writeln!(to, "\n  rows")?;
        let rows = &self.rows;
        writeln!(to, "    accepted      {:>12}", HumanCount(rows.accepted))?;
        for (name, count) in [
            ("duplicates", rows.duplicates),
            ("rejected", rows.rejected),
            ("refused", rows.refused),
            ("never stored", rows.never_stored),
            ("unanswered", rows.unanswered),
            ("due, not sent", rows.unsent),
        ] {
            if count > 0 {
                writeln!(to, "    {name:<13} {:>12}", HumanCount(count))?;
            }
        }
        Ok(())
    }

    fn write_answers(&self, to: &mut impl Write) -> io::Result<()> {
        writeln!(to, "\n  answers")?;
        for AnswerCount { status, problem, count } in &self.answers {
            writeln!(to, "    {status} {:<24} {:>9}", problem.unwrap_or("-"), HumanCount(*count))?;
        }
        for (name, count) in [("sent again", self.retries), ("broken connections", self.broken)] {
            if count > 0 {
                writeln!(to, "    {name:<28} {:>9}", HumanCount(count))?;
            }
        }
        Ok(())
    }
}

impl Latency {
    fn of(tally: &Tally) -> Self {
        let at = |quantile| tally.latency.value_at_quantile(quantile) as f64 / 1_000.0;
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: tally.latency.max() as f64 / 1_000.0,
        }
    }
}
