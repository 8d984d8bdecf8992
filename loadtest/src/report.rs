//! What a scenario tells: text for people, the same figures as JSON for programs, and what it found of the table.

use crate::{
    machine::Machine,
    memory::Memory,
    verdict::{self, Finding, Must, Outcome, Terms, Verdict},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// The bytes of the megabyte that people mean.
const MEGABYTE: f64 = 1e6;

/// Everything there is to say about a run.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    text: String,
    json: Map<String, Value>,
    findings: Vec<Finding>,
    sound: bool,
    whole_table: bool,
}

impl Told {
    /// The figures of scenario `name`, and `text` that says the same. `sound`: no row was lost or doubled.
    pub(crate) fn new(name: &'static str, figures: &impl Serialize, text: String, sound: bool) -> Self {
        let mut json = Map::new();
        json.insert("scenario".to_owned(), name.into());
        // Figures are structs of ours; what is no object would have no place here.
        if let Ok(Value::Object(members)) = serde_json::to_value(figures) {
            json.extend(members);
        }
        Self { text, json, findings: Vec::new(), sound, whole_table: false }
    }

    /// Several scenarios as one, with the whole table.
    pub(crate) fn all(name: &'static str, parts: Vec<(&'static str, Self)>) -> Self {
        let mut whole = Self::new(name, &json!({}), String::new(), true);
        whole.whole_table = true;
        let mut scenarios = Map::new();
        for (name, part) in parts {
            whole.text += &part.text;
            whole.text.push('\n');
            whole.sound &= part.sound;
            for finding in part.findings {
                whole.merge(finding);
            }
            scenarios.insert(name.to_owned(), Value::Object(part.json));
        }
        whole.json.insert("scenarios".to_owned(), Value::Object(scenarios));
        whole
    }

    /// Adds what was found of the table. The hub's memory in a run that was easier is that of an easier run.
    pub(crate) fn with(mut self, findings: impl IntoIterator<Item = Finding>) -> Self {
        self.findings.extend(findings);
        if self.findings.iter().any(|finding| finding.easier) {
            let terms = Terms::default().easier("in an easier run");
            let memory = self.findings.iter_mut().filter(|finding| finding.must == Must::Memory);
            memory.for_each(|finding| *finding = finding.clone().under(&terms));
        }
        self
    }

    /// Adds what the hub took in memory, and holds it to what it may take for a load of samples.
    pub(crate) fn with_memory(self, memory: Memory) -> Self {
        let peak = memory.resident_peak_bytes.map(|bytes| bytes as f64 / MEGABYTE);
        self.telling_memory(memory).with(peak.map(|megabytes| Finding::new(Must::Memory, megabytes)))
    }

    /// Adds what the machine did by itself meanwhile, where that was looked at.
    pub(crate) fn telling_machine(mut self, machine: Option<Machine>) -> Self {
        if let Some(machine) = machine {
            self.text += &machine.text();
            if let Ok(value) = serde_json::to_value(machine) {
                self.json.insert("machine".to_owned(), value);
            }
        }
        self
    }

    /// Adds what the hub took in memory, for who reads it.
    pub(crate) fn telling_memory(mut self, memory: Memory) -> Self {
        if let Ok(value) = serde_json::to_value(memory) {
            self.json.insert("hubMemory".to_owned(), value);
        }
        self.text += &match memory.resident_peak_bytes {
            Some(bytes) => format!("\n  hub's resident memory, peak  {:>8.1} MB\n", bytes as f64 / MEGABYTE),
            None => "\n  hub's resident memory: unknown\n".to_owned(),
        };
        self
    }

    /// Whether every row is where it should be, and all of the table that is asked for was shown and holds.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.sound {
            true => verdict::outcome(&self.judge()),
            false => Outcome::Failed,
        }
    }

    fn judge(&self) -> Vec<Verdict> {
        verdict::judge(&self.findings, self.whole_table)
    }

    /// Writes the report as one JSON object.
    pub(crate) fn write_json(&self, mut to: impl Write) -> io::Result<()> {
        let mut json = self.json.clone();
        json.insert("verdicts".to_owned(), serde_json::to_value(self.judge())?);
        json.insert("passed".to_owned(), (self.outcome() == Outcome::Passed).into());
        json.insert("outcome".to_owned(), serde_json::to_value(self.outcome())?);
        serde_json::to_writer_pretty(&mut to, &json)?;
        writeln!(to)
    }

    /// Writes the report for people.
    pub(crate) fn write_table(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(self.text.as_bytes())?;
        verdict::write(&self.judge(), to)
    }

    /// A line of the table that several parts found something of: the most that any of them saw, and easier if one was.
    fn merge(&mut self, finding: Finding) {
        let Some(known) = self.findings.iter_mut().find(|known| known.must == finding.must) else {
            return self.findings.push(finding);
        };
        if finding.easier && !known.easier {
            (known.easier, known.note) = (true, finding.note.clone());
        }
        if known.value < finding.value {
            known.value = finding.value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(megabytes: u64, sound: bool) -> Told {
        let memory = Memory { resident_peak_bytes: Some(megabytes * 1_000_000), resident_seen_bytes: None };
        Told::new("part", &json!({"rows": 3}), "text".to_owned(), sound).with_memory(memory)
    }

    #[test]
    fn the_whole_is_as_good_as_its_worst_part() {
        let whole = |parts: [Told; 2]| Told::all("all", parts.map(|told| ("part", told)).into()).outcome();
        assert_eq!(whole([part(10, true), part(20, true)]), Outcome::NotShown, "of a whole table");
        assert_eq!(whole([part(10, true), part(101, true)]), Outcome::Failed);
        assert_eq!(whole([part(101, true), part(10, true)]), Outcome::Failed);
        assert_eq!(whole([part(10, false), part(20, true)]), Outcome::Failed);
        assert_eq!(part(10, true).outcome(), Outcome::Passed);
        assert_eq!(part(10, true).with([Finding::not_shown(Must::Top, "why")]).outcome(), Outcome::NotShown);
    }

    #[test]
    fn memory_in_an_easier_run_does_not_hold() {
        let terms = Terms::default().needs(4, 10, "s");
        let easier = || part(10, true).with([Finding::new(Must::Singles64, 0.3).under(&terms)]);
        let memory = |told: &Told| told.findings.iter().find(|found| found.must == Must::Memory).cloned();
        assert_eq!(memory(&easier()).map(|found| (found.value, found.easier)), Some((Some(10.0), true)));
        for parts in [[easier(), part(20, true)], [part(20, true), easier()]] {
            let whole = Told::all("all", parts.map(|told| ("part", told)).into());
            assert_eq!(memory(&whole).map(|found| (found.value, found.easier)), Some((Some(20.0), true)));
        }
    }

    #[test]
    fn json_has_the_figures_and_the_verdicts() {
        let mut text = Vec::new();
        part(10, true).write_json(&mut text).unwrap();
        let json: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!((&json["rows"], &json["passed"]), (&json!(3), &json!(true)));
        assert_eq!(json["outcome"], json!("passed"));
        assert_eq!(json["verdicts"][0]["measured"], json!(10.0));
    }
}
