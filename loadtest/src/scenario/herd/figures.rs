//! How a fleet came back, told and held to the table.

use super::{Comeback, Herd};
use crate::{
    crew::Entries,
    load_report::Latency,
    spool::Audit,
    verdict::{Finding, Must, Terms},
};
use indicatif::HumanCount;
use serde::Serialize;
use std::fmt::Write;

/// Seconds of a comeback that are told one by one.
const SECONDS_TOLD_MAX: usize = 20;

/// Everything that is told of a comeback.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    seed: u64,
    agents: usize,
    /// Connections that each kept.
    lines: usize,
    /// How long the hub was away.
    down_seconds: u64,
    /// From the moment the hub listened again until all agents waited.
    waiting_seconds: f64,
    /// Until each of them opened the connection over which it waits.
    opened_milliseconds: Latency,
    /// Until the hub had everything that was taken before.
    delivered_seconds: f64,
    /// Attempts to connect since the hub went, by the second.
    attempts_by_second: Vec<u32>,
    /// Requests whose connection broke or did not open.
    broken: u64,
    /// Agents that an order to all reached afterwards.
    reached: u64,
    /// From a push to its 200, over the whole run.
    push_milliseconds: Latency,
    /// Rows that the hub has, and what is wrong with them.
    found: Audit,
    trouble: Option<String>,
}

impl Figures {
    /// Sums a comeback up.
    pub(super) fn new(
        herd: &Herd,
        (seed, lines): (u64, usize),
        comeback: Comeback,
        entries: &Entries,
        (found, reached): (Audit, u64),
    ) -> Self {
        Self {
            seed,
            agents: herd.agents,
            lines,
            down_seconds: herd.down,
            waiting_seconds: comeback.waiting.as_secs_f64(),
            opened_milliseconds: Latency::of(&comeback.opened),
            delivered_seconds: comeback.delivered.as_secs_f64(),
            attempts_by_second: comeback.attempts,
            broken: entries.broken,
            reached,
            push_milliseconds: Latency::of(&entries.pushed),
            found,
            trouble: entries.trouble(),
        }
    }

    /// Whether nothing was lost or doubled, and everybody is back.
    pub(super) fn sound(&self) -> bool {
        self.found.wrong() == 0 && self.reached == self.agents as u64 && self.trouble.is_none()
    }

    /// The worst second's attempts, as a share of the agents.
    fn attempts_share(&self) -> f64 {
        let worst = self.attempts_by_second.iter().copied().max().unwrap_or_default();
        f64::from(worst) / self.agents as f64
    }

    /// What was found of the table.
    pub(super) fn findings(&self, terms: &Terms) -> [Finding; 3] {
        let back = self.waiting_seconds.max(self.delivered_seconds);
        [
            (Must::HerdBack, back),
            (Must::HerdRows, self.found.wrong() as f64),
            (Must::HerdAttempts, self.attempts_share()),
        ]
        .map(|(must, value)| Finding::new(must, value).under(terms))
    }

    /// The same for people.
    pub(super) fn text(&self) -> String {
        let Audit { rows, lost, doubled, strange } = self.found;
        let told = self.attempts_by_second.iter().take(SECONDS_TOLD_MAX);
        let mut attempts = told.map(u32::to_string).collect::<Vec<_>>().join(" ");
        if self.attempts_by_second.len() > SECONDS_TOLD_MAX {
            attempts += " …";
        }
        let mut text = format!(
            "herd: {} agents, the hub away for {} s, {} connections each kept, seed {}\n\n  all wait again     {:>10.2} s \
             after the hub listened\n  all delivered      {:>10.2} s\n  reached by an order {:>9}\n  rows read back     \
             {:>10}\n  lost               {lost:>10}\n  doubled            {doubled:>10}\n  not as sent        \
             {strange:>10}\n  connections broken {:>10}\n\n  attempts to connect, second by second since the hub went: \
             {attempts}\n\n  from listening until each came back{}\n  a push until its 200{}",
            self.agents,
            self.down_seconds,
            self.lines,
            self.seed,
            self.waiting_seconds,
            self.delivered_seconds,
            self.reached,
            HumanCount(rows),
            HumanCount(self.broken),
            self.opened_milliseconds,
            self.push_milliseconds,
        );
        if let Some(trouble) = &self.trouble {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\n  not in order: {trouble}");
        }
        text
    }
}
