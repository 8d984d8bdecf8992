//! What must hold, and whether it does: the table that a hub on two cores, with the generator beside it, is held to.

use serde::Serialize;
use std::io::{self, Write};

/// One thing that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    /// Singles over 1 000 connections, as a share of the bare handler.
    Singles1000,
    /// The same over 256.
    Singles256,
    /// The same over 64.
    Singles64,
    /// Batches.
    Batches,
    /// A steady load: its p99.
    SteadyP99,
    /// Its p99.9.
    SteadyP999,
    /// Its longest pause.
    SteadyPause,
    /// A light load: its median.
    LightP50,
    /// Its p99.
    LightP99,
    /// Resident memory.
    Memory,
    /// One agent, a month by the hour.
    MonthByHour,
    /// One agent, a day's raw rows.
    DayRaw,
    /// The fleet's mean, a month by the hour.
    Fleet,
    /// The top ten of the last hour.
    Top,
    /// One agent's scans, the first page.
    Scans,
    /// Disk space.
    Disk,
    /// Start after a clean stop.
    StartClean,
    /// Start after a kill under load.
    StartKilled,
    /// Ingest beside heavy queries.
    BesideQueries,
    /// Rows lost or doubled by kills.
    Crash,
    /// Rows lost or doubled by a stall.
    Stall,
}

struct Line {
    must: Must,
    what: &'static str,
    at_least: bool,
    bound: f64,
    unit: &'static str,
}

const fn at_least(must: Must, what: &'static str, bound: f64, unit: &'static str) -> Line {
    Line { must, what, at_least: true, bound, unit }
}

const fn at_most(must: Must, what: &'static str, bound: f64, unit: &'static str) -> Line {
    Line { must, what, at_least: false, bound, unit }
}

/// The table.
#[rustfmt::skip]
const TABLE: [Line; 21] = [
    at_least(Must::Singles1000,  "one sample a POST, 1 000 connections, share of the bare handler", 0.60, "x"),
    at_least(Must::Singles256,   "the same over 256 connections",                            0.45, "x"),
    at_least(Must::Singles64,    "the same over 64 connections",                             0.25, "x"),
    at_least(Must::Batches,      "batches of 500, 32 connections",                           500_000.0, "rows/s"),
    at_most(Must::SteadyP99,     "20 000 rows/s, p99",                                       15.0, "ms"),
    at_most(Must::SteadyP999,    "20 000 rows/s, p99.9",                                     40.0, "ms"),
    at_most(Must::SteadyPause,   "20 000 rows/s, longest pause",                             100.0, "ms"),
    at_most(Must::LightP50,      "1 000 rows/s, p50",                                        2.0, "ms"),
    at_most(Must::LightP99,      "1 000 rows/s, p99",                                        8.0, "ms"),
    at_most(Must::Memory,        "the hub's resident memory, peak",                          100.0, "MB"),
    at_most(Must::MonthByHour,   "one agent, 30 days by the hour, p50",                      8.0, "ms"),
    at_most(Must::DayRaw,        "one agent, raw rows of one day, p50",                      8.0, "ms"),
    at_most(Must::Fleet,         "fleet average by the hour over 30 days, p50",              50.0, "ms"),
    at_most(Must::Top,           "top ten of the last hour, p50",                            20.0, "ms"),
    at_most(Must::Scans,         "one agent's scans of 30 days, first page, p50",            50.0, "ms"),
    at_most(Must::Disk,          "disk for 86.4 million rows",                               351.0, "MB"),
    at_most(Must::StartClean,    "start with that store, after a clean stop",                100.0, "ms"),
    at_most(Must::StartKilled,   "start with that store, after kill -9 under load",          300.0, "ms"),
    at_most(Must::BesideQueries, "20 000 rows/s beside ten heavy queries, p99",              60.0, "ms"),
    at_most(Must::Crash,         "rows lost or doubled by kill -9",                          0.0, "rows"),
    at_most(Must::Stall,         "rows lost or doubled by a stalled writer",                 0.0, "rows"),
];

/// What was measured of one thing that must hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// Of what.
    pub(crate) must: Must,
    /// How much, in the table's unit; none: the hub does not offer it.
    pub(crate) value: Option<f64>,
    /// Where it was measured otherwise than the table says.
    pub(crate) note: String,
}

impl Finding {
    /// A measured value.
    pub(crate) fn new(must: Must, value: f64) -> Self {
        Self { must, value: Some(value), note: String::new() }
    }

    /// The same, measured otherwise than the table says.
    pub(crate) fn noted(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// A line of the table with what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Verdict {
    what: &'static str,
    must: String,
    measured: Option<f64>,
    unit: &'static str,
    /// `ok`, `missed` or `not measured`.
    verdict: &'static str,
    note: String,
}

/// Holds what was found to the table, in its order. With `whole`, also the lines that nothing was found of.
pub(crate) fn judge(findings: &[Finding], whole: bool) -> Vec<Verdict> {
    let judged = TABLE.iter().filter_map(|line| {
        let found = findings.iter().find(|finding| finding.must == line.must);
        (whole || found.is_some()).then(|| line.judge(found))
    });
    judged.collect()
}

/// Whether nothing was missed.
pub(crate) fn hold(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| verdict.verdict != "missed")
}

/// Writes the table for people.
pub(crate) fn write(verdicts: &[Verdict], to: &mut impl Write) -> io::Result<()> {
    if verdicts.is_empty() {
        return Ok(());
    }
    writeln!(to, "\n  {:<64} {:>18} {:>16}  verdict", "what", "must", "measured")?;
    for Verdict { what, must, measured, unit, verdict, note } in verdicts {
        let measured = measured.map_or_else(|| "-".to_owned(), |value| format!("{} {unit}", plain(value)));
        let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
        writeln!(to, "  {what:<64} {must:>18} {measured:>16}  {verdict}{note}")?;
    }
    Ok(())
}

impl Line {
    fn judge(&self, found: Option<&Finding>) -> Verdict {
        let measured = found.and_then(|finding| finding.value);
        let verdict = match measured {
            None => "not measured",
            Some(value) if self.at_least && value >= self.bound => "ok",
            Some(value) if !self.at_least && value <= self.bound => "ok",
            Some(_) => "missed",
        };
        let relation = if self.at_least { ">=" } else { "<=" };
        Verdict {
            what: self.what,
            must: format!("{relation} {} {}", plain(self.bound), self.unit),
            measured,
            unit: self.unit,
            verdict,
            note: found.map(|finding| finding.note.clone()).unwrap_or_default(),
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
            Finding::new(Must::Disk, 351.1).noted("in short"),
            Finding { must: Must::Top, value: None, note: "not offered".to_owned() },
        ];
        let verdicts = judge(&found, false);
        let told: Vec<_> = verdicts.iter().map(|verdict| verdict.verdict).collect();
        assert_eq!(told, ["missed", "ok", "ok", "not measured", "missed"]);
        assert!(!hold(&verdicts) && hold(&judge(&found[..1], true)));
        assert_eq!(judge(&found, true).len(), TABLE.len());
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
    }
}
