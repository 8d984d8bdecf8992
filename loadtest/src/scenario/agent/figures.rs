//! What the agent takes, told and held to the table.

use crate::verdict::{Finding, Must, Terms};
use serde::Serialize;

const MEGABYTE: f64 = 1e6;
const PERCENT: f64 = 100.0;

/// Everything that is told of an agent. What the system does not say is null.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    seed: u64,
    /// The program without its symbols.
    binary_bytes: Option<u64>,
    /// From each start until the hub had a sample of it, milliseconds.
    pub(super) starts: Vec<f64>,
    /// Resident at the table's interval.
    pub(super) steady_bytes: Option<u64>,
    /// Processor time, as a share of one.
    pub(super) processor_share: Option<f64>,
    /// Resident when the day without its hub was over.
    pub(super) away_bytes: Option<u64>,
    /// The most that was resident on that day, and while it was delivered.
    pub(super) away_peak_bytes: Option<u64>,
    /// From the moment that the hub was started again until nothing of it waited, seconds.
    pub(super) delivery_seconds: f64,
    /// Whether it was.
    pub(super) delivered: bool,
}

impl Figures {
    /// Nothing is known yet but how large the program is.
    pub(super) const fn new(seed: u64, binary_bytes: Option<u64>) -> Self {
        Self {
            seed,
            binary_bytes,
            starts: Vec::new(),
            steady_bytes: None,
            processor_share: None,
            away_bytes: None,
            away_peak_bytes: None,
            delivery_seconds: f64::NAN,
            delivered: false,
        }
    }

    /// What was found of the table; `work` and `day` say in what these were easier.
    pub(super) fn findings(&self, terms: &Terms, work: &Terms, day: &Terms) -> [Finding; 5] {
        let megabytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / MEGABYTE);
        [
            (Must::AgentMemory, megabytes(self.steady_bytes), work),
            (Must::AgentAway, megabytes(self.away_peak_bytes), day),
            (Must::AgentProcessor, self.processor_share.map(|share| share * PERCENT), work),
            (Must::AgentBinary, megabytes(self.binary_bytes), terms),
            (Must::AgentStart, Some(self.start()), terms),
        ]
        .map(|(must, value, terms)| match value {
            Some(value) => Finding::new(must, value).under(terms),
            None => Finding::not_shown(must, "this system does not say"),
        })
    }

    /// The median of the starts.
    fn start(&self) -> f64 {
        let mut starts = self.starts.clone();
        starts.sort_by(f64::total_cmp);
        starts.get(starts.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The same for people.
    pub(super) fn text(&self) -> String {
        let told = |value: Option<f64>, unit: &str| {
            value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:.3} {unit}"))
        };
        let megabytes = |bytes: Option<u64>| told(bytes.map(|bytes| bytes as f64 / MEGABYTE), "MB");
        format!(
            "agent, seed {}\n\n  program, stripped              {}\n  start to first sample at the hub {:.0?} ms\n  resident \
             memory, at work      {}\n  processor, at work            {}\n  resident when a day had passed {}\n  most \
             that was resident then, and while it was delivered {}\n  delivered after                {:.1} s\n",
            self.seed,
            megabytes(self.binary_bytes),
            self.starts,
            megabytes(self.steady_bytes),
            told(self.processor_share.map(|share| share * PERCENT), "% of one"),
            megabytes(self.away_bytes),
            megabytes(self.away_peak_bytes),
            self.delivery_seconds,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_starts_counts_and_what_is_unknown_is_not_shown() {
        let mut figures = Figures::new(1, Some(5_500_000));
        figures.starts = vec![900.0, 250.0, 280.0];
        let terms = Terms::default();
        let found = figures.findings(&terms, &terms, &terms).map(|finding| finding.value);
        assert_eq!(found, [None, None, None, Some(5.5), Some(280.0)]);
        assert!(figures.text().contains("unknown") && figures.text().contains("5.500 MB"));
    }
}
