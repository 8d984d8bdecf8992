//! What a segment holds, by agent and name, kept up to date by looking at what came since the last time.

use super::{Columns, Segment};
use crate::tsdb::schema::{OWN_COLUMNS, SAMPLES};
use pingup_protocol::ids::AgentId;
use std::ops::Range;

/// Rows that are looked at while a group has to wait.
const ROWS_AT_ONCE: usize = 256;

/// The name under which scans are told: no measurement can have it.
pub const SCANS: &str = "~";

/// The places of names that are no further measurements: the own ones, then these.
const OF_SAMPLES: u32 = OWN_COLUMNS.len() as u32;
const OF_SCANS: u32 = OF_SAMPLES + 1;
const OF_FURTHER: u32 = OF_SCANS + 1;

/// What of a segment was looked at, and what that holds.
#[derive(Debug, Default)]
pub struct Told {
    samples: usize,
    scans: usize,
    names: Vec<Box<str>>,
    agents: Vec<(AgentId, Vec<Stretch>)>,
}

/// A name's place, and the first and the last moment of what was measured under it, microseconds.
type Stretch = (u32, i64, i64);

impl Told {
    /// Shows agents, each with the names that it has and the first and last moment of each, microseconds. The name of its
    /// samples, whatever is in them, is [`SAMPLES`], that of its scans [`SCANS`].
    pub fn each(&self, mut show: impl FnMut(&AgentId, &str, Range<i64>)) {
        for (agent, stretches) in &self.agents {
            for (name, first, last) in stretches {
                show(agent, self.name(*name), *first..last.saturating_add(1));
            }
        }
    }

    /// The agents, in no order.
    pub fn agents(&self) -> impl Iterator<Item = &AgentId> {
        self.agents.iter().map(|(agent, _)| agent)
    }

    fn name(&self, place: u32) -> &str {
        match place {
            OF_SAMPLES => SAMPLES,
            OF_SCANS => SCANS,
            own if own < OF_SAMPLES => OWN_COLUMNS[own as usize],
            further => self.names.get((further - OF_FURTHER) as usize).map_or("", |name| name),
        }
    }

    fn note(&mut self, agent: u32, name: u32, at: i64) {
        let Some((_, stretches)) = self.agents.get_mut(agent as usize) else { return };
        match stretches.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, first, last)) => (*first, *last) = ((*first).min(at), (*last).max(at)),
            None => stretches.push((name, at, at)),
        }
    }

    /// Names and agents that came; both only ever come behind those that are there.
    fn meet(&mut self, columns: &Columns) {
        self.names.extend(columns.names.texts[self.names.len()..].iter().cloned());
        let strangers = &columns.agents[self.agents.len()..];
        self.agents.extend(strangers.iter().map(|agent| (agent.id.clone(), Vec::new())));
    }
}

impl Segment {
    /// Brings `told`, which was of this segment before or is new, up to what is there now.
    pub fn tell(&self, told: &mut Told) {
        loop {
            let columns = self.read();
            told.meet(&columns);
            let rows = told.samples..columns.at.len().min(told.samples + ROWS_AT_ONCE);
            told.samples = rows.end;
            for row in rows {
                let (agent, at) = (columns.streams[columns.stream[row] as usize].agent, columns.at[row]);
                told.note(agent, OF_SAMPLES, at);
                for (place, own) in (0..).zip(&columns.own) {
                    if !own[row].is_nan() {
                        told.note(agent, place, at);
                    }
                }
                for (name, _) in columns.further(super::place(row)) {
                    told.note(agent, OF_FURTHER + name, at);
                }
            }
            for scan in columns.scans.get(told.scans..).into_iter().flatten() {
                told.note(columns.streams[scan.stream as usize].agent, OF_SCANS, scan.at);
            }
            told.scans = columns.scans.len();
            if told.samples == columns.at.len() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::{
        record::OwnedRows,
        testing::{Bench, NOW, sample},
    };

    fn told(told: &Told) -> Vec<String> {
        let mut found = Vec::new();
        told.each(|agent, name, times| {
            let since = |at: i64| (at - NOW.as_micros()) / 1_000_000;
            found.push(format!("{agent} {name:?} {}..={}", since(times.start), since(times.end - 1)));
        });
        found.sort();
        found
    }

    #[test]
    fn what_came_since_is_added_to_what_was_told() {
        let mut bench = Bench::new();
        let mut known = Told::default();
        let view = bench.tsdb.view();
        let segment = view.segments.last().unwrap();
        let mut put = |agent: &str, seqs: std::ops::RangeInclusive<u64>| {
            let samples = seqs.map(|seq| sample(agent, (1, seq), NOW.plus_seconds(seq.cast_signed())));
            bench.append(&OwnedRows { samples: samples.collect(), ..OwnedRows::default() }).unwrap();
        };
        put("a", 1..=600);
        segment.tell(&mut known);
        let of_a = |last| ["", "cpu", "load1"].map(|name| format!("a {name:?} 1..={last}"));
        assert_eq!(told(&known), of_a(600));
        put("b", 2..=2);
        put("a", 601..=700);
        segment.tell(&mut known);
        let of_b = ["", "cpu", "load1"].map(|name| format!("b {name:?} 2..=2"));
        assert_eq!(told(&known), [of_a(700), of_b].concat());
        assert_eq!(known.agents().count(), 2);
    }
}
