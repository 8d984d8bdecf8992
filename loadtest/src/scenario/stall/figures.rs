//! What a stall came to, told and held to the table.

use super::{
    TABLE,
    pusher::{PATIENCE, Pusher},
};
use crate::{
    load_report::Latency,
    spool::Audit,
    verdict::{Finding, Must, Terms},
};
use hdrhistogram::Histogram;
use indicatif::HumanCount;
use serde::Serialize;

/// An answer that took this share of the stall shows that there was one.
const STALLED_SHARE: f64 = 0.5;
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// Everything that is told of a stall.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    pub(super) seed: u64,
    pub(super) agents: usize,
    pub(super) rate: u64,
    pub(super) stall_seconds: u64,
    /// Whether the hub did stand still: an answer was late.
    pub(super) stalled: bool,
    /// Rows that the agents took.
    pub(super) taken: u64,
    /// Rows not delivered when patience ended.
    pub(super) undelivered: u64,
    /// Rows that a 200 did not account for.
    pub(super) missed: u64,
    pub(super) refused: u64,
    pub(super) refused_without_time: u64,
    pub(super) refusal_milliseconds: Latency,
    /// Requests whose answer never came in time.
    pub(super) broken: u64,
    /// What the hub grew by from before the stall, bytes.
    pub(super) resident_growth_bytes: Option<u64>,
    pub(super) found: Audit,
}

impl Figures {
    /// Adds what became of an agent.
    pub(super) fn add(&mut self, pusher: &Pusher, stall_seconds: u64) {
        self.taken += pusher.taken();
        self.undelivered += pusher.taken() - pusher.spool.acked();
        self.missed += pusher.missed;
        self.refused_without_time += pusher.refused_without_time;
        self.broken += pusher.broken;
        let patience = PATIENCE.as_secs_f64().min(STALLED_SHARE * stall_seconds as f64);
        self.stalled |= pusher.longest.as_secs_f64() >= patience;
    }

    /// Takes down how long refusals took.
    pub(super) fn note_refusals(&mut self, refusals: &Histogram<u64>) {
        self.refused = refusals.len();
        self.refusal_milliseconds = Latency::of(refusals);
    }

    fn wrong(&self) -> u64 {
        self.found.wrong() + self.missed + self.undelivered
    }

    /// Whether nothing was lost or doubled, and every refusal named a time.
    pub(super) fn sound(&self) -> bool {
        self.wrong() == 0 && self.refused_without_time == 0
    }

    /// What was found of the table. A hub that did not stall shows nothing; neither does the memory of one whose queue
    /// was never full, for then nothing was there to be bounded.
    pub(super) fn findings(&self) -> [Finding; 2] {
        let terms = Terms::default()
            .needs(self.stall_seconds, TABLE.seconds, "s")
            .needs(self.rate, TABLE.rate, "rows/s")
            .needs(self.agents as u64, TABLE.agents as u64, "agents");
        let rows = match self.stalled {
            true => Finding::new(Must::Stall, self.wrong() as f64).under(&terms),
            false => Finding::not_shown(Must::Stall, "this hub did not stall"),
        };
        let memory = match self.resident_growth_bytes {
            _ if self.refused == 0 => Finding::not_shown(Must::StallMemory, "its queue was never full"),
            None => Finding::not_shown(Must::StallMemory, "its memory is unknown"),
            Some(bytes) => Finding::new(Must::StallMemory, bytes as f64 / MEBIBYTE).under(&terms),
        };
        [rows, memory]
    }

    /// The same for people.
    pub(super) fn text(&self) -> String {
        let growth = match self.resident_growth_bytes {
            Some(bytes) => format!("{:.1} MiB", bytes as f64 / MEBIBYTE),
            None => "unknown".to_owned(),
        };
        let Audit { rows, lost, doubled, strange } = self.found;
        format!(
            "stall: {} s, {} agents, {} rows/s, seed {}{}\n\n  rows taken      {:>12}\n  read back       {:>12}\n  \
             undelivered     {:>12}\n  lost            {lost:>12}\n  doubled         {doubled:>12}\n  \
             not as sent     {strange:>12}\n  not accounted   {:>12}\n\n  refused (503)   {:>12}, {} without a time to \
             come again\n  answers broken  {:>12}\n  memory grew by  {growth:>12}\n\n  \
             until a refusal was said{}",
            self.stall_seconds,
            self.agents,
            HumanCount(self.rate),
            self.seed,
            if self.stalled { "" } else { " (this hub did not stall)" },
            HumanCount(self.taken),
            HumanCount(rows),
            HumanCount(self.undelivered),
            self.missed,
            HumanCount(self.refused),
            self.refused_without_time,
            HumanCount(self.broken),
            self.refusal_milliseconds,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::microseconds;

    fn figures(stalled: bool, refused: u64, resident_growth_bytes: Option<u64>) -> Figures {
        Figures {
            seed: 1,
            agents: 1,
            rate: 1,
            stall_seconds: 30,
            stalled,
            taken: 1,
            undelivered: 0,
            missed: 0,
            refused,
            refused_without_time: 0,
            refusal_milliseconds: Latency::of(&microseconds()),
            broken: 0,
            resident_growth_bytes,
            found: Audit::default(),
        }
    }

    fn values(figures: &Figures) -> [Option<f64>; 2] {
        figures.findings().map(|finding| finding.value)
    }

    #[test]
    fn a_shorter_stall_is_easier() {
        let easier = |figures: &Figures| figures.findings().map(|finding| finding.easier);
        let table = Figures { agents: 500, rate: 20_000, ..figures(true, 1, Some(1)) };
        assert_eq!(easier(&table), [false, false]);
        assert_eq!(easier(&Figures { stall_seconds: 8, ..table }), [true, true]);
    }

    #[test]
    fn memory_is_shown_by_a_queue_that_was_full() {
        let grown = Some(10 * 1024 * 1024);
        assert_eq!(values(&figures(true, 1, grown)), [Some(0.0), Some(10.0)]);
        assert_eq!(values(&figures(true, 0, grown)), [Some(0.0), None]);
        assert_eq!(values(&figures(true, 1, None)), [Some(0.0), None]);
        assert_eq!(values(&figures(false, 0, grown)), [None, None]);
    }
}
