//! How many questions had which outcome.

use super::judge::{Excuse, Verdict};
use std::{collections::BTreeMap, fmt};

/// A count of verdicts.
pub struct Tally {
    of: &'static str,
    same: u64,
    nothing: u64,
    refused: u64,
    excused: BTreeMap<Excuse, u64>,
    differences: Vec<String>,
}

impl Tally {
    /// Nothing counted yet, of what it says.
    pub fn new(of: &'static str) -> Self {
        Self { of, same: 0, nothing: 0, refused: 0, excused: BTreeMap::new(), differences: Vec::new() }
    }

    /// Counts one.
    pub fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Same => self.same += 1,
            Verdict::Nothing => self.nothing += 1,
            Verdict::Refused => self.refused += 1,
            Verdict::Excused(excuse, told) => {
                println!("excused by {excuse:?}: {told}");
                *self.excused.entry(excuse).or_default() += 1;
            }
            Verdict::Different(told) => {
                eprintln!("{told}");
                self.differences.push(told);
            }
        }
    }

    /// Those that differ without an excuse.
    pub fn differences(&self) -> &[String] {
        &self.differences
    }

    /// How often this was an excuse.
    pub fn excused_by(&self, excuse: Excuse) -> u64 {
        self.excused.get(&excuse).copied().unwrap_or(0)
    }

    fn all(&self) -> u64 {
        self.same
            + self.nothing
            + self.refused
            + self.excused.values().sum::<u64>()
            + self.differences.len() as u64
    }

    /// Tells it, and fails if anything differs.
    pub fn close(&self) {
        println!("{self}");
        let told = self.differences.join("\n");
        assert!(self.differences.is_empty(), "{} differ:\n{told}", self.differences.len());
    }

    /// Fails if too few were compared by what they answer: too many say nothing or are refused, or are excused.
    pub fn check(&self, answered_percent_min: u64, excused_permille_max: u64) {
        let excused: u64 = self.excused.values().sum();
        assert!(self.same * 100 >= answered_percent_min * self.all(), "too few are answered: {self}");
        assert!(excused * 1_000 <= excused_permille_max * self.all(), "too many are excused: {self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, same, nothing, refused, excused, differences } = self;
        write!(
            f,
            "{of}: {} asked, {same} the same, {nothing} without an answer in both, {refused} refused by both, ",
            self.all()
        )?;
        for (excuse, count) in excused {
            write!(f, "{count} excused by {excuse:?}, ")?;
        }
        write!(f, "{} different", differences.len())
    }
}
