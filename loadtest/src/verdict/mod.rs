//! What must hold, and whether it does: the [`table`] that a hub on two cores, with the generator beside it, is held to.
//!
//! What was not measured does not hold: it is not shown, and that is told, by the table and by the exit code. Neither
//! does what held under a load that was easier than the table's; what was missed under such a load is missed.

mod finding;
mod table;

pub(crate) use finding::{Finding, Terms};
pub(crate) use table::Must;

use serde::Serialize;
use std::io::{self, Write};
use table::{Line, TABLE};

/// A line of the table with what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Verdict {
    what: &'static str,
    must: String,
    measured: Option<f64>,
    unit: &'static str,
    verdict: Word,
    note: String,
    #[serde(skip)]
    section: &'static str,
}

/// The word about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Word {
    #[serde(rename = "ok")]
    Ok,
    #[serde(rename = "missed")]
    Missed,
    /// It held, under a load that was easier than the table's: that does not show that it holds.
    #[serde(rename = "easier")]
    Easier,
    /// Nothing was measured that says whether it holds.
    #[serde(rename = "not shown")]
    NotShown,
}

/// What all lines come to: the worst of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Outcome {
    /// Everything holds.
    #[serde(rename = "passed")]
    Passed,
    /// Nothing was missed, but not everything was shown.
    #[serde(rename = "not shown")]
    NotShown,
    /// Something was missed.
    #[serde(rename = "failed")]
    Failed,
}

/// Holds what was found to the table, in its order. With `whole`, also the lines that nothing was found of.
pub(crate) fn judge(findings: &[Finding], whole: bool) -> Vec<Verdict> {
    let judged = TABLE.iter().filter_map(|line| {
        let found = findings.iter().find(|finding| finding.must == line.must);
        (whole || found.is_some()).then(|| line.judge(found))
    });
    judged.collect()
}

/// What the lines come to together.
pub(crate) fn outcome(verdicts: &[Verdict]) -> Outcome {
    let of = |verdict: &Verdict| match verdict.verdict {
        Word::Ok => Outcome::Passed,
        Word::Easier | Word::NotShown => Outcome::NotShown,
        Word::Missed => Outcome::Failed,
    };
    verdicts.iter().map(of).max().unwrap_or(Outcome::Passed)
}

/// Writes the table for people, each section under its name, and what it comes to.
pub(crate) fn write(verdicts: &[Verdict], to: &mut impl Write) -> io::Result<()> {
    let mut section = "";
    for verdict in verdicts {
        if verdict.section != section {
            section = verdict.section;
            writeln!(to, "\n  {section:<64} {:>18} {:>16}  verdict", "must", "measured")?;
        }
        verdict.write(to)?;
    }
    let count = |word| verdicts.iter().filter(|verdict| verdict.verdict == word).count();
    match (count(Word::Missed), count(Word::Easier), count(Word::NotShown)) {
        (0, 0, 0) => Ok(()),
        (missed, easier, not_shown) => {
            let held = count(Word::Ok);
            writeln!(
                to,
                "\n  of {} lines {held} hold, {missed} missed, {easier} held only under an easier load, \
                 {not_shown} not shown",
                verdicts.len()
            )
        }
    }
}

impl Verdict {
    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let Self { what, must, measured, unit, verdict, note, .. } = self;
        let measured = match measured {
            None => "-".to_owned(),
            // A wait that did not end.
            Some(f64::INFINITY) => "never".to_owned(),
            Some(value) => format!("{} {unit}", plain(*value)),
        };
        let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
        writeln!(to, "  {what:<64} {must:>18} {measured:>16}  {}{note}", verdict.as_str())
    }
}

impl Word {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missed => "missed",
            Self::Easier => "easier",
            Self::NotShown => "not shown",
        }
    }
}

impl Line {
    fn judge(&self, found: Option<&Finding>) -> Verdict {
        let measured = found.and_then(|finding| finding.value);
        let holds = |value| if self.at_least { value >= self.bound } else { value <= self.bound };
        let verdict = match measured {
            None => Word::NotShown,
            Some(value) if !holds(value) => Word::Missed,
            Some(_) if found.is_some_and(|finding| finding.easier) => Word::Easier,
            Some(_) => Word::Ok,
        };
        let relation = if self.at_least { ">=" } else { "<=" };
        Verdict {
            what: self.what,
            must: format!("{relation} {} {}", plain(self.bound), self.unit),
            measured,
            unit: self.unit,
            verdict,
            note: found.map(|finding| finding.note.clone()).unwrap_or_default(),
            section: self.section,
        }
    }
}

/// A figure with as many decimals as mean something, thousands set apart.
fn plain(value: f64) -> String {
    match value {
        _ if value >= 1_000.0 => indicatif::HumanCount(value as u64).to_string(),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_held_from_their_side() {
        let found = [
            Finding::new(Must::Singles64, 0.25),
            Finding::new(Must::Singles256, 0.449),
            Finding::new(Must::Memory, 100.0),
            Finding::new(Must::Disk, 351.1).under(&Terms::default().noted("in short")),
            Finding::not_shown(Must::Top, "not offered"),
        ];
        let told: Vec<_> = judge(&found, false).iter().map(|verdict| verdict.verdict.as_str()).collect();
        assert_eq!(told, ["missed", "ok", "ok", "not shown", "missed"]);
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        let held = Finding::new(Must::Singles64, 0.25);
        let open = Finding::not_shown(Must::Top, "not offered");
        let missed = Finding::new(Must::Disk, 351.1);
        let of = |found: &[Finding], whole| outcome(&judge(found, whole));
        assert_eq!(of(&[], false), Outcome::Passed);
        assert_eq!(of(std::slice::from_ref(&held), false), Outcome::Passed);
        assert_eq!(of(&[held.clone(), Finding::new(Must::Top, f64::NAN)], false), Outcome::Failed);
        assert_eq!(of(&[held.clone(), open.clone()], false), Outcome::NotShown);
        assert_eq!(of(&[held.clone(), open, missed], false), Outcome::Failed);
        assert_eq!(of(&[held], true), Outcome::NotShown, "a whole table has every line");
        assert_eq!(judge(&[], true).len(), TABLE.len());
    }

    #[test]
    fn what_held_under_an_easier_load_does_not_hold() {
        let terms = Terms::default().needs(1_000, 10_000, "agents");
        let of = |must, value| judge(&[Finding::new(must, value).under(&terms)], false);
        let (held, missed) = (of(Must::FanoutBegun, 0.2), of(Must::FanoutBegun, 3.1));
        assert_eq!((held[0].verdict, missed[0].verdict), (Word::Easier, Word::Missed));
        assert_eq!((outcome(&held), outcome(&missed)), (Outcome::NotShown, Outcome::Failed));
        let mut text = Vec::new();
        write(&held, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("0.20 s  easier (1000 of 10000 agents)"), "{text}");
        assert!(
            text.ends_with("of 1 lines 0 hold, 0 missed, 1 held only under an easier load, 0 not shown\n")
        );
    }

    #[test]
    fn a_wait_that_does_not_end_is_missed_and_said_so() {
        let mut text = Vec::new();
        write(&judge(&[Finding::new(Must::AbuseNormal, f64::INFINITY)], false), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("<= 5 s            never  missed\n"), "{text}");
    }

    #[test]
    fn every_line_stands_once_and_prints() {
        for (index, line) in TABLE.iter().enumerate() {
            assert!(TABLE[..index].iter().all(|other| other.must != line.must), "{}", line.what);
        }
        let mut text = Vec::new();
        write(&judge(&[Finding::new(Must::Batches, 512_345.6)], true), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("512,345 rows/s  ok") && text.contains(">= 0.60 x"), "{text}");
        let left = TABLE.len() - 1;
        let all = TABLE.len();
        let sum =
            format!("of {all} lines 1 hold, 0 missed, 0 held only under an easier load, {left} not shown\n");
        assert!(text.ends_with(&sum), "{text}");
    }
}
