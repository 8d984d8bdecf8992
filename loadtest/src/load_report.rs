//! How a load went: rows by fate, rates, latencies, answers.

use crate::{
    lanes::{Load, Ran},
    tally::{Rows, Tally},
};
use hdrhistogram::Histogram;
use indicatif::HumanCount;
use serde::Serialize;
use std::fmt::{self, Display, Formatter};

/// A second with a latency beyond this had a pause, milliseconds.
pub(crate) const PAUSE_MILLISECONDS: f64 = 100.0;

/// The figures of one load.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadReport {
    hub: String,
    agents: usize,
    connections: usize,
    batch: usize,
    /// Rows a second asked for; null: a closed loop.
    rate: Option<u64>,
    /// What the figures of the samples follow from.
    seed: u64,
    /// From the first push to the last answer.
    seconds: f64,
    /// Rows stored a second.
    pub(crate) rows_per_second: f64,
    requests_per_second: f64,
    /// From due to stored.
    pub(crate) latency_milliseconds: Latency,
    /// Seconds in which something took longer than a pause may.
    seconds_with_pauses: usize,
    /// Rows by fate.
    pub(crate) rows: RowCounts,
    /// Answers of every kind, by status and problem.
    answers: Vec<AnswerCount>,
    /// Requests sent again because the hub asked for it.
    retries: u64,
    /// Requests whose connection broke or whose answer never came.
    broken: u64,
}

/// Latencies at the usual quantiles, milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Latency {
    /// The median.
    pub(crate) p50: f64,
    p90: f64,
    /// One in a hundred is beyond it.
    pub(crate) p99: f64,
    /// One in a thousand is beyond it.
    #[serde(rename = "p99.9")]
    pub(crate) p999: f64,
    /// The worst.
    pub(crate) max: f64,
}

/// Rows by fate.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RowCounts {
    /// Stored by the request that was answered.
    pub(crate) accepted: u64,
    /// Stored by an earlier try.
    pub(crate) duplicates: u64,
    rejected: u64,
    refused: u64,
    never_stored: u64,
    unanswered: u64,
    unsent: u64,
    /// Sent and not known to be stored.
    pub(crate) lost: u64,
}

#[derive(Clone, Debug, Serialize)]
struct AnswerCount {
    status: u16,
    problem: Option<&'static str>,
    count: u64,
}

impl LoadReport {
    /// Sums a load up.
    pub(crate) fn new(hub: String, agents: usize, seed: u64, load: &Load, ran: &Ran) -> Self {
        let (tally, seconds) = (&ran.tally, ran.elapsed.as_secs_f64());
        let rows = RowCounts::of(tally);
        let pause_micros = (PAUSE_MILLISECONDS * 1_000.0) as u32;
        let answers = tally.answers().into_iter().map(|((status, problem), count)| AnswerCount {
            status,
            problem: problem.map(|kind| kind.name()),
            count,
        });
        Self {
            hub,
            agents,
            connections: load.connections,
            batch: load.cargo.rows(),
            rate: load.rate.map(|rate| rate.get()),
            seed,
            seconds,
            rows_per_second: (rows.accepted + rows.duplicates) as f64 / seconds,
            requests_per_second: tally.requests() as f64 / seconds,
            latency_milliseconds: Latency::of(&tally.latency),
            seconds_with_pauses: tally.worst_by_second.iter().filter(|worst| **worst > pause_micros).count(),
            rows,
            answers: answers.collect(),
            retries: tally.retries,
            broken: tally.broken,
        }
    }

    /// Whether every row that was sent is stored.
    pub(crate) const fn sound(&self) -> bool {
        self.rows.lost == 0
    }
}

impl Display for LoadReport {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let Self { agents, connections, batch, seed, .. } = self;
        let pace = match self.rate {
            Some(rate) => format!("{} rows/s on schedule", HumanCount(rate)),
            None => "as fast as answers come".to_owned(),
        };
        writeln!(to, "{} for {:.1} s, seed {seed}", self.hub, self.seconds)?;
        writeln!(to, "{agents} agents, {connections} connections, {batch} a request, {pace}\n")?;
        writeln!(to, "  rows/s      {:>12}", HumanCount(self.rows_per_second as u64))?;
        writeln!(to, "  requests/s  {:>12}", HumanCount(self.requests_per_second as u64))?;
        write!(to, "{}", self.latency_milliseconds)?;
        if self.rate.is_some() {
            let seconds = self.seconds_with_pauses;
            writeln!(to, "  seconds with something above {PAUSE_MILLISECONDS} ms: {seconds}")?;
        }
        self.rows.fmt(to)?;
        self.write_answers(to)?;
        match self.sound() {
            true => writeln!(to, "\nevery row that was sent is stored"),
            false => writeln!(to, "\n{} rows were not stored", HumanCount(self.rows.lost)),
        }
    }
}

impl LoadReport {
    fn write_answers(&self, to: &mut Formatter<'_>) -> fmt::Result {
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

impl RowCounts {
    fn of(tally: &Tally) -> Self {
        let Rows { accepted, duplicates, never_stored, rejected, refused, unanswered } = tally.rows;
        let (unsent, lost) = (tally.unsent, tally.rows.lost());
        Self { accepted, duplicates, rejected, refused, never_stored, unanswered, unsent, lost }
    }
}

impl Display for RowCounts {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        writeln!(to, "\n  rows")?;
        writeln!(to, "    accepted      {:>12}", HumanCount(self.accepted))?;
        for (name, count) in [
            ("duplicates", self.duplicates),
            ("rejected", self.rejected),
            ("refused", self.refused),
            ("never stored", self.never_stored),
            ("unanswered", self.unanswered),
            ("due, not sent", self.unsent),
        ] {
            if count > 0 {
                writeln!(to, "    {name:<13} {:>12}", HumanCount(count))?;
            }
        }
        Ok(())
    }
}

impl Latency {
    /// The quantiles of a histogram of microseconds.
    pub(crate) fn of(micros: &Histogram<u64>) -> Self {
        let at = |quantile| micros.value_at_quantile(quantile) as f64 / 1_000.0;
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: micros.max() as f64 / 1_000.0,
        }
    }
}

impl Display for Latency {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let Self { p50, p90, p99, p999, max } = self;
        writeln!(to, "\n  latency, ms      p50       p90       p99     p99.9       max")?;
        writeln!(to, "            {p50:>9.2} {p90:>9.2} {p99:>9.2} {p999:>9.2} {max:>9.2}")
    }
}
