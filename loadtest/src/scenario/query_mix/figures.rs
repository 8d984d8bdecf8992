//! What the questions came to, told and held to the table.

use super::{QueryMix, TABLE_QUERIES, TABLE_SECONDS, beside::Beside, kinds::NOTHING};
use crate::{
    load_report::Latency,
    verdict::{Finding, Must, Terms},
};
use serde::Serialize;
use std::fmt::Write;

/// Agents that the table's store has; with fewer, questions are easier.
const TABLE_AGENTS: usize = 1_000;

/// What one kind came to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    /// For people.
    pub(super) name: &'static str,
    /// The line of the table that it is held to.
    #[serde(skip)]
    pub(super) must: Option<Must>,
    /// Why there is no answer; null where there is one.
    pub(super) not_offered: Option<String>,
    /// How many came.
    pub(super) answers: u64,
    /// Bytes of the longest answer.
    pub(super) bytes_max: usize,
    /// How long they took.
    pub(super) milliseconds: Latency,
}

/// Everything that is told of a run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    pub(super) seed: u64,
    pub(super) agents: usize,
    pub(super) agents_with_scans: usize,
    pub(super) asked: Vec<Asked>,
    pub(super) beside: Option<Beside>,
}

/// What an agent's month takes in the store at most, milliseconds.
fn in_store(asked: &[Asked]) -> Option<f64> {
    let answered = || asked.iter().filter(|asked| asked.answers > 0);
    let month = answered().find(|asked| asked.must == Some(Must::MonthByHour))?;
    let nothing = answered().find(|asked| asked.name == NOTHING)?;
    Some((month.milliseconds.p50 - nothing.milliseconds.p50).max(0.0))
}

impl Figures {
    /// What was found of the table.
    pub(super) fn findings(&self, asked: &QueryMix) -> Vec<Finding> {
        let small = Terms::default().needs(self.agents as u64, TABLE_AGENTS as u64, "agents");
        let terms = small.clone().needs(asked.queries as u64, TABLE_QUERIES as u64, "questions");
        let mut findings = Vec::new();
        for asked in &self.asked {
            let Some(must) = asked.must else { continue };
            findings.push(match &asked.not_offered {
                None => Finding::new(must, asked.milliseconds.p50).under(&terms),
                Some(why) => Finding::not_shown(must, why.clone()),
            });
        }
        findings
            .extend(in_store(&self.asked).map(|value| Finding::new(Must::MonthInStore, value).under(&terms)));
        let terms = small.needs(asked.seconds, TABLE_SECONDS, "s");
        findings.extend(self.beside.as_ref().and_then(|beside| beside.finding(asked.ingest_rate, &terms)));
        findings
    }

    /// The same for people.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "query-mix, {} agents, {} with scans, seed {}\n",
            self.agents, self.agents_with_scans, self.seed
        );
        text += "\n  question                answers    p50 ms    p99 ms    max ms   longest answer\n";
        let heavy = self.beside.as_ref().map(|beside| &beside.heavy);
        for Asked { name, not_offered, answers, bytes_max, milliseconds, .. } in
            self.asked.iter().chain(heavy)
        {
            let Latency { p50, p99, max, .. } = milliseconds;
            // Writing to a String cannot fail.
            let _ = match not_offered {
                None => writeln!(
                    text,
                    "  {name:<22} {answers:>8} {p50:>9.2} {p99:>9.2} {max:>9.2} {bytes_max:>10} bytes"
                ),
                Some(_) => writeln!(text, "  {name:<22} not offered"),
            };
        }
        if let Some(beside) = &self.beside {
            let _ = write!(
                text,
                "\nbeside {} heavy questions at once, on {}",
                beside.heavy_at_once, beside.ingest
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::microseconds;

    fn asked(name: &'static str, must: Option<Must>, micros: &[u64]) -> Asked {
        let mut all = microseconds();
        micros.iter().for_each(|micros| all.saturating_record(*micros));
        let milliseconds = Latency::of(&all);
        Asked { name, must, not_offered: None, answers: all.len(), bytes_max: 0, milliseconds }
    }

    #[test]
    fn the_store_took_what_an_empty_answer_does_not() {
        let month = || asked("month by hour", Some(Must::MonthByHour), &[4_000, 5_000, 9_000]);
        let nothing = |micros: &[u64]| asked(NOTHING, None, micros);
        let value = in_store(&[month(), nothing(&[900, 1_000, 1_100])]).unwrap();
        assert!((value - 4.0).abs() < 0.05, "{value}");
        assert_eq!(in_store(&[month(), nothing(&[8_000])]), Some(0.0), "never less than nothing");
        assert_eq!(in_store(&[month(), nothing(&[])]), None, "of what was not answered nothing is known");
        assert_eq!(in_store(&[nothing(&[1_000])]), None);
    }
}
