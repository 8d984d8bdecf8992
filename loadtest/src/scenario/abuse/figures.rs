//! What the abuse came to: a line for each load, and what the table must hold.

use super::{Abuse, TABLE_SECONDS, TABLE_TOKEN_SECONDS, timing::Timing};
use crate::{
    memory::Memory,
    verdict::{Finding, Must, Terms},
};
use indicatif::HumanCount;
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write};

const MEGABYTE: f64 = 1e6;

/// Everything that is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    pub(super) seed: u64,
    pub(super) agents: usize,
    pub(super) connections: usize,
    /// Samples in one request.
    pub(super) batch: usize,
    pub(super) loads: Vec<Beside>,
    pub(super) timing: Timing,
}

/// One abusive load beside good agents.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Beside {
    pub(super) name: &'static str,
    /// The table has a line of it.
    #[serde(skip)]
    pub(super) table: bool,
    /// The good agents' rows a second.
    pub(super) before: f64,
    pub(super) beside: f64,
    pub(super) after: f64,
    /// Their latency beside it.
    pub(super) p99_milliseconds: f64,
    /// Requests, connections, or writes of pipelined requests that the abusers made a second.
    pub(super) offered_per_second: f64,
    /// What they were answered.
    pub(super) answers: BTreeMap<String, u64>,
    pub(super) closed: u64,
    /// The most that the hub took at a look.
    pub(super) memory_bytes: u64,
    /// From the end of the load; none: not within the seconds that were looked at.
    pub(super) normal_after_seconds: Option<f64>,
}

impl Beside {
    /// The rate beside the load, as a share of what it is alone.
    fn share(&self) -> f64 {
        self.beside / f64::midpoint(self.before, self.after)
    }

    fn line(&self) -> String {
        let mut answers: Vec<_> =
            self.answers.iter().map(|(what, count)| format!("{what} × {}", HumanCount(*count))).collect();
        if self.closed > 0 {
            answers.push(format!("closed × {}", HumanCount(self.closed)));
        }
        let normal =
            self.normal_after_seconds.map_or("never".to_owned(), |seconds| format!("{seconds:.1} s"));
        format!(
            "  {:<36} {:>8} {:>8} {:>8} {:>6.2} {:>8.1} {:>9} {:>7.1} {:>8}  {}",
            self.name,
            HumanCount(self.before as u64).to_string(),
            HumanCount(self.beside as u64).to_string(),
            HumanCount(self.after as u64).to_string(),
            self.share(),
            self.p99_milliseconds,
            HumanCount(self.offered_per_second as u64).to_string(),
            self.memory_bytes as f64 / MEGABYTE,
            normal,
            answers.join(", ")
        )
    }
}

impl Figures {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "abuse beside {} good agents that push {} to a request over {} connections, as fast as they are answered, seed {}\n\n",
            self.agents, self.batch, self.connections, self.seed
        );
        text += "  load                                  rows/s:\n";
        text += "                                         before   beside    after  share   p99 ms offered/s      MB   normal  answers\n";
        for load in &self.loads {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", load.line());
        }
        text.push('\n');
        text += &self.timing.text();
        text
    }

    /// What the table must hold: the worst of the loads that it names, and of all others.
    pub(super) fn findings(&self, run: &Abuse, memory: &Memory) -> Vec<Finding> {
        let mut terms = Terms::default().needs(run.seconds, TABLE_SECONDS, "s").needs(
            run.token_seconds,
            TABLE_TOKEN_SECONDS,
            "s of bad tokens",
        );
        if run.pushers.batch > 1 {
            terms = terms.easier(format!("{} samples to a request", run.pushers.batch));
        }
        if run.only.is_some() {
            terms = terms.easier("not all loads");
        }
        let least = |table| {
            let shares = self.loads.iter().filter(|load| load.table == table).map(Beside::share);
            shares.reduce(f64::min)
        };
        let normal = self.loads.iter().map(|load| load.normal_after_seconds.unwrap_or(f64::INFINITY));
        let memory = memory.resident_peak_bytes.map(|bytes| bytes as f64 / MEGABYTE);
        [
            (Must::AbuseShare, least(true)),
            (Must::AbuseOthers, least(false)),
            (Must::AbuseMemory, memory),
            (Must::AbuseNormal, normal.reduce(f64::max)),
        ]
        .into_iter()
        .filter_map(|(must, value)| value.map(|value| Finding::new(must, value).under(&terms)))
        .collect()
    }
}
