//! A segment against plain lists of rows. Its bounds: `bounds`; its order on disk and its rollups: `order`; who waits for
//! whom: `lock`.

mod bounds;
mod lock;
mod order;

use super::*;
use crate::tsdb::{
    record::{OwnedRows, OwnedSample, OwnedScan},
    rows::Mark,
    testing::{AGENTS, Dice, EVER, agent_id, sample},
};
use pingup_protocol::{discovery::Scan, ids::AgentId, metrics::Measurements};
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// All that was pushed, in that order.
#[derive(Default)]
struct Model(OwnedRows);

impl Model {
    fn push(&mut self, rows: OwnedRows) {
        self.0.samples.extend(rows.samples);
        self.0.scans.extend(rows.scans);
        self.0.marks.extend(rows.marks);
    }

    fn marks(&self) -> BTreeMap<(AgentId, u64), u64> {
        let samples = self.0.samples.iter().map(|row| (&row.agent_id, row.stream));
        let scans = self.0.scans.iter().map(|row| (&row.agent_id, row.stream));
        let of_rows = samples.chain(scans).filter_map(|(id, stream)| Some((id.clone(), stream?)));
        let alone = self.0.marks.iter().map(|row| (row.agent_id.clone(), (row.boot, row.mark.seq)));
        let mut marks = BTreeMap::new();
        for (id, (boot, seq)) in of_rows.chain(alone) {
            let mark = marks.entry((id, boot)).or_insert(seq);
            *mark = seq.max(*mark);
        }
        marks
    }
}

fn random(seed: u64) -> (Arc<Segment>, Model, Dice) {
    let mut dice = Dice::seeded(seed);
    let (segment, mut model) = (Arc::new(Segment::new(1)), Model::default());
    for _ in 0..20 {
        let group = dice.group(30);
        segment.push(&group.borrow());
        model.push(group);
    }
    (segment, model, dice)
}

fn owned(row: HeadSample<'_>) -> OwnedSample {
    OwnedSample {
        agent_id: row.agent_id().clone(),
        stream: row.stream(),
        timestamp: row.timestamp(),
        status: row.status().to_owned(),
        metrics: row.to_measurements(|_| true),
    }
}

fn samples(segment: &Segment, agent: Option<&str>, range: &Range<Timestamp>) -> Vec<OwnedSample> {
    let mut shown = Vec::new();
    segment.each_sample(agent, range, |row| shown.push(owned(row)));
    shown
}

fn scans(segment: &Segment, agent: &str, range: &Range<Timestamp>) -> Vec<OwnedScan> {
    let mut shown = Vec::new();
    segment.each_scan(agent, range, |row| {
        let (networks, hosts) = (row.networks().to_vec(), row.hosts().to_vec());
        let scan = Scan { duration: row.duration(), networks, hosts };
        let (agent_id, timestamp) = (row.agent_id().clone(), row.timestamp());
        shown.push(OwnedScan { agent_id, stream: row.stream(), timestamp, scan });
    });
    shown
}

#[test]
fn readers_see_what_was_pushed_in_its_order() {
    for seed in 1..=40 {
        let (segment, model, mut dice) = random(seed);
        let mut moments: Vec<_> = model.0.samples.iter().map(|row| row.timestamp).collect();
        moments.sort_unstable();
        let mut moment = || moment_of(&moments, &mut dice);
        for range in [EVER, moment()..moment(), moment()..EVER.end] {
            let in_range = |agent: &str, id: &AgentId, at| id.as_str() == agent && range.contains(&at);
            for agent in AGENTS.into_iter().chain(["nobody"]) {
                let of = model.0.samples.iter().filter(|row| in_range(agent, &row.agent_id, row.timestamp));
                assert_eq!(
                    samples(&segment, Some(agent), &range),
                    of.cloned().collect::<Vec<_>>(),
                    "seed {seed}"
                );
                let of = model.0.scans.iter().filter(|row| in_range(agent, &row.agent_id, row.timestamp));
                assert_eq!(scans(&segment, agent, &range), of.cloned().collect::<Vec<_>>(), "seed {seed}");
            }
            let all = model.0.samples.iter().filter(|row| range.contains(&row.timestamp));
            assert_eq!(samples(&segment, None, &range), all.cloned().collect::<Vec<_>>(), "seed {seed}");
        }
        assert_eq!(segment.samples(), model.0.samples.len());
    }
}

#[test]
fn a_measurement_is_found_by_its_name() {
    let (segment, model, _) = random(3);
    let mut expected = model.0.samples.iter();
    segment.each_sample(None, &EVER, |row| {
        let metrics = &expected.next().unwrap().metrics;
        assert_eq!([row.get("cpu"), row.get("ram")], [metrics.cpu, metrics.ram]);
        let further = |name: &str| metrics.further.iter().find(|(known, _)| known == name).map(|pair| pair.1);
        assert_eq!(row.get("load1"), further("load1"));
        assert_eq!(row.get("never"), None);
        let narrowed = row.to_measurements(|name| name == "disk" || name == "net.rx");
        let kept = further("net.rx").map(|value| ("net.rx".to_owned(), value));
        let wanted =
            Measurements { disk: metrics.disk, further: kept.into_iter().collect(), ..Default::default() };
        assert_eq!(narrowed, wanted);
    });
}

#[test]
fn marks_are_the_greatest_numbers_and_their_moments() {
    for seed in 1..=40 {
        let (segment, model, _) = random(seed);
        let told: BTreeMap<_, _> =
            segment.marks().into_iter().map(|row| ((row.agent_id, row.boot), row.mark.seq)).collect();
        assert_eq!(told, model.marks(), "seed {seed}");
        assert!(!segment.is_empty());
    }
    let segment = Segment::new(1);
    assert!(segment.is_empty());
    let at = Timestamp::from_micros;
    let row = |seq, micros| sample("a", (1, seq), at(micros));
    let rows = OwnedRows { samples: vec![row(5, 10), row(3, 20)], ..OwnedRows::default() };
    segment.push(&rows.borrow());
    let mark = |seq, timestamp| MarkRow { agent_id: agent_id("a"), boot: 1, mark: Mark { seq, timestamp } };
    assert_eq!(segment.marks(), [mark(5, Some(at(10)))]);
    let rejected = OwnedRows { marks: vec![mark(4, None), mark(9, None)], ..OwnedRows::default() };
    segment.push(&rejected.borrow());
    assert_eq!(segment.marks(), [mark(9, None)]);
}

#[test]
fn the_newest_row_without_numbers_is_found_by_kind_and_range() {
    for seed in 1..=40 {
        let (segment, model, mut dice) = random(seed);
        let moments: Vec<_> = model.0.samples.iter().map(|row| row.timestamp).collect();
        for _ in 0..40 {
            let from = moment_of(&moments, &mut dice);
            let to = if dice.once_in(2) { EVER.end } else { moment_of(&moments, &mut dice) };
            let agent = agent_id(dice.agent());
            let fits = |id: &AgentId, stream: Option<_>, at: Timestamp| {
                (*id == agent && stream.is_none() && from <= at && at <= to).then_some(at)
            };
            let newest = |kind| segment.newest_unnumbered(Sought { kind, agent_id: &agent, from, to });
            let of = model.0.samples.iter().filter_map(|row| fits(&row.agent_id, row.stream, row.timestamp));
            assert_eq!(newest(Kind::Metrics), of.max(), "seed {seed}");
            let of = model.0.scans.iter().filter_map(|row| fits(&row.agent_id, row.stream, row.timestamp));
            assert_eq!(newest(Kind::Discovery), of.max(), "seed {seed}");
        }
    }
}

fn moment_of(moments: &[Timestamp], dice: &mut Dice) -> Timestamp {
    moments[dice.below(moments.len() as u64) as usize]
}
