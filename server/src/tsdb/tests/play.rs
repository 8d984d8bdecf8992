//! Random play: groups come, segments are sealed, parts merged, old ones let go, hubs restarted, in any order.
//! After every step everything is there once.

use super::model::{Model, check_files, past};
use crate::tsdb::{
    Retention, SEGMENTS_MAX,
    record::OwnedRows,
    rows::{Kind, Mark, MarkRow, Sought},
    testing::{Bench, Dice, EVER, agent_id},
};
use pingup_protocol::time::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Short, so that a few steps of the clock let everything go.
const RETENTION: Retention = Retention { raw: days(2), minute: days(5), hour: days(35) };
const STEPS: u64 = 70;

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

struct Play {
    bench: Bench,
    model: Model,
    dice: Dice,
    seqs: BTreeMap<(&'static str, u64), u64>,
    taken: BTreeSet<(&'static str, Timestamp)>,
}

impl Play {
    fn new(seed: u64) -> Self {
        Self {
            bench: Bench::with(RETENTION),
            model: Model::default(),
            dice: Dice::seeded(seed),
            seqs: BTreeMap::new(),
            taken: BTreeSet::new(),
        }
    }

    /// A group as the ingest makes it: numbers rise, no agent has two rows of one moment.
    fn group(&mut self) -> OwnedRows {
        let mut rows = OwnedRows::default();
        for _ in 0..=self.dice.below(12) {
            let agent = self.dice.agent();
            // The window of the ingest: nothing older than raw samples are kept.
            let at = past(self.bench.clock.now(), 2, &mut self.dice);
            if !self.taken.insert((agent, at)) {
                continue;
            }
            let stream = (!self.dice.once_in(3)).then(|| {
                let boot = self.dice.below(3);
                let seq = self.seqs.entry((agent, boot)).or_default();
                *seq += 1 + self.dice.below(2);
                (boot, *seq)
            });
            match (self.dice.below(6), stream) {
                (0, _) => rows.scans.push(self.dice.scan(agent, stream, at)),
                (1, Some((boot, seq))) => {
                    let mark = Mark { seq, timestamp: Some(at) };
                    rows.marks.push(MarkRow { agent_id: agent_id(agent), boot, mark });
                }
                _ => rows.samples.push(self.dice.sample(agent, stream, at)),
            }
        }
        if self.dice.once_in(2) {
            // On whole minutes, so that many are there more than once.
            for _ in 0..=self.dice.below(30) {
                let at = past(self.bench.clock.now(), 2, &mut self.dice).as_micros();
                let at_ms = at.div_euclid(60_000_000) * 60_000;
                rows.points.push(self.dice.point(at_ms));
            }
            let again = self.model.any_point(self.dice.below(1_000) as usize);
            rows.points.extend(again);
        }
        rows
    }

    fn step(&mut self) -> &'static str {
        match self.dice.below(12) {
            0..=4 => {
                let group = self.group();
                self.bench.append(&group).unwrap();
                self.model.answered(group);
                "append"
            }
            5 => {
                let full = self.bench.tsdb.view().segments.len() == SEGMENTS_MAX;
                assert_eq!(self.bench.appender.begin_segment().unwrap(), !full);
                "begin a segment"
            }
            6 | 7 => {
                let waits = self.bench.tsdb.has_to_seal();
                assert_eq!(self.bench.tsdb.seal_oldest().unwrap(), waits);
                "seal"
            }
            8 => {
                self.bench.tsdb.compact_once().unwrap();
                "merge"
            }
            9 => {
                self.bench.retain_all();
                self.model.retained(&self.bench);
                "let go"
            }
            10 => {
                self.bench.reopen();
                "reopen"
            }
            _ => {
                let hours = [1, 7, 30, 60][self.dice.below(4) as usize];
                self.bench.clock.advance(hours * 3_600);
                "advance the clock"
            }
        }
    }

    /// What tells a row without numbers from one that was there before.
    fn check_unnumbered(&mut self, when: &str) {
        let (agent, now) = (self.dice.agent(), self.bench.clock.now());
        let from = past(now, 3, &mut self.dice);
        let to = if self.dice.once_in(2) { EVER.end } else { now.plus_seconds(-3_600) };
        let fits = |at: &Timestamp| from <= *at && *at <= to;
        let of =
            self.model.samples.iter().filter(|row| row.agent_id.as_str() == agent && row.stream.is_none());
        let expected = of.map(|row| row.timestamp).filter(fits).max();
        let sought = Sought { kind: Kind::Metrics, agent_id: &agent_id(agent), from, to };
        let told = self.bench.appender.newest_unnumbered(sought, true);
        assert_eq!(told.unwrap().unwrap().newest, expected, "{when}: the newest without numbers");
    }
}

#[test]
fn every_row_is_there_once_whatever_happens_in_whatever_order() {
    for seed in 1..=8 {
        let mut play = Play::new(seed);
        for step in 0..STEPS {
            let did = play.step();
            let when = format!("seed {seed}, step {step}, {did}");
            play.model.check(&play.bench, &when);
            play.check_unnumbered(&when);
            check_files(&play.bench, &when);
        }
        play.bench.seal_all();
        play.bench.clock.advance(3_600);
        play.bench.compact_all();
        play.model.check(&play.bench, &format!("seed {seed}, all sealed and merged"));
    }
}

#[test]
fn what_is_let_go_gives_its_room_back_and_leaves_its_minutes() {
    let mut play = Play::new(9);
    let yesterday = play.bench.clock.now().plus_seconds(-86_400);
    for group in 0..20 {
        let second = |n: i64| yesterday.plus_seconds(group * 200 + n);
        let samples = (0..200).map(|n| play.dice.sample("a", None, second(n))).collect();
        let scans = vec![play.dice.scan("b", None, second(0))];
        let rows = OwnedRows { samples, scans, ..OwnedRows::default() };
        play.bench.append(&rows).unwrap();
        play.model.answered(rows);
    }
    play.bench.seal_all();
    let bytes = |play: &Play| -> u64 {
        play.bench.collect_garbage();
        play.bench.files().iter().map(|file| file.metadata().unwrap().len()).sum()
    };
    let mut last = bytes(&play);
    // Samples leave their minutes behind; then those go; then the hours.
    for (after, parts_left) in [(4, true), (4, true), (70, false)] {
        play.bench.clock.advance(after * 86_400);
        play.bench.retain_all();
        play.model.retained(&play.bench);
        play.model.check(&play.bench, &format!("{after} days later"));
        check_files(&play.bench, &format!("{after} days later"));
        let now = bytes(&play);
        assert!(now < last, "{after} days later: {now} of {last} bytes");
        assert_eq!(play.bench.tsdb.view().parts.is_empty(), !parts_left);
        last = now;
    }
    assert_eq!(last, 0);
}
