//! A segment against plain lists of rows; its bounds; its order on disk and its rollups by brute force.

use super::*;
use crate::tsdb::{
    record::{OwnedRows, OwnedSample, OwnedScan},
    rollup::{Aggregate, DAY, HOUR, MINUTE, bucket, day},
    schema::{BATCH_ROWS_MAX, SAMPLES},
    testing::{AGENTS, Dice, EVER, agent_id, sample},
};
use pingup_protocol::{discovery::Scan, metrics::Measurements};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    ops::Range,
    sync::Arc,
};

mod lock;

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
        let scan = Scan { duration: row.duration(), hosts: row.hosts().to_vec() };
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

#[test]
fn a_segment_is_full_by_rows() {
    let segment = Segment::new(1);
    let rows_max = SEGMENT_ROWS_MAX as u64;
    let samples = (1..=rows_max - 2).map(|seq| sample("a", (1, seq), Timestamp::from_micros(1)));
    segment.push(&OwnedRows { samples: samples.collect(), ..OwnedRows::default() }.borrow());
    let scan = Dice::seeded(1).scan("a", None, Timestamp::from_micros(1));
    let one = |scan: OwnedScan| OwnedRows { scans: vec![scan], ..OwnedRows::default() };
    segment.push(&one(scan.clone()).borrow());
    assert!(!segment.is_full(), "one row is missing");
    segment.push(&one(scan).borrow());
    assert!(segment.is_full());
}

/// Makes a group, each one another by its number.
type Group<'a> = &'a dyn Fn(u64) -> OwnedRows;

/// Groups that take much, each by something else.
fn large(show: impl Fn(&str, Group<'_>)) {
    let further = |count: usize, row: u64| {
        let names = (0..count).map(|n| (format!("name-{n}"), 1.0)).collect();
        let metrics = Measurements { further: names, ..Measurements::default() };
        let samples = vec![OwnedSample { metrics, ..sample("a", (1, row), Timestamp::from_micros(1)) }];
        OwnedRows { samples, ..OwnedRows::default() }
    };
    let names = |row: u64| {
        let metrics = Measurements { further: vec![(format!("{row:064}"), 1.0)], ..Measurements::default() };
        let status = format!("{row:064}");
        let samples =
            vec![OwnedSample { metrics, status, ..sample("a", (1, row), Timestamp::from_micros(1)) }];
        OwnedRows { samples, ..OwnedRows::default() }
    };
    let agents = |row: u64| {
        let samples = vec![sample(&format!("agent-{row}"), (1, 1), Timestamp::from_micros(1))];
        OwnedRows { samples, ..OwnedRows::default() }
    };
    let hosts = |row: u64| {
        let mut scan = Dice::seeded(1).scan("a", Some((1, row)), Timestamp::from_micros(1));
        scan.scan.hosts = vec![
            Host {
                ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
                latency: None,
                ports: vec![1; 100],
                hostname: Some("h".repeat(100)),
                mac: None,
            };
            100
        ];
        OwnedRows { scans: vec![scan], ..OwnedRows::default() }
    };
    // Nothing in memory, but the journal grows by them.
    let marks = |row: u64| {
        let mark = Mark { seq: row, timestamp: None };
        let marks = (0..100).map(|_| MarkRow { agent_id: agent_id("a"), boot: 1, mark }).collect();
        OwnedRows { marks, ..OwnedRows::default() }
    };
    let boots = |row: u64| {
        let mark = Mark { seq: 1, timestamp: None };
        let marks =
            (0..100).map(|n| MarkRow { agent_id: agent_id("a"), boot: row * 100 + n, mark }).collect();
        OwnedRows { marks, ..OwnedRows::default() }
    };
    let kinds: [(&str, Group<'_>); 6] = [
        ("further", &|row| further(64, row)),
        ("names", &names),
        ("agents", &agents),
        ("hosts", &hosts),
        ("marks", &marks),
        ("boots", &boots),
    ];
    kinds.into_iter().for_each(|(kind, group)| show(kind, group));
}

/// However few the rows are, what makes them large counts: more than the bound never fits in.
#[test]
fn a_segment_is_full_by_bytes_whatever_takes_them() {
    large(|kind, group| {
        let segment = Segment::new(1);
        let mut rows = 0;
        while !segment.is_full() {
            assert!(rows < SEGMENT_ROWS_MAX as u64, "{kind}: only its rows made it full");
            segment.push(&group(rows).borrow());
            rows += 1;
        }
        assert!(segment.read().bytes() < SEGMENT_BYTES_MAX + 64 * 1024, "{kind}");
    });
}

/// What the elements of a column take; what it has room for beside them is not told.
fn column<T>(elements: &[T]) -> usize {
    size_of_val(elements)
}

/// What is allocated for what lies in a segment, told by the types of what lies there.
fn allocated(columns: &Columns) -> usize {
    let names = |names: &Names| {
        let texts = names.texts.iter().map(|text| text.len()).sum::<usize>();
        column(&names.texts) + names.numbers.len() * size_of::<(Box<str>, u32)>() + 2 * texts
    };
    let agent = |agent: &Agent| {
        let id = agent.id.as_str().len();
        2 * id + column(&agent.streams) + column(&agent.samples) + column(&agent.scans)
    };
    let host = |host: &Host| {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        column(&host.ports) + text(&host.hostname) + text(&host.mac)
    };
    let scan = |scan: &HeadScan| column(&scan.hosts) + scan.hosts.iter().map(host).sum::<usize>();
    let rows = column(&columns.stream) + column(&columns.seq) + column(&columns.at) + column(&columns.status);
    let own = columns.own.iter().map(|own| column(own)).sum::<usize>();
    let further = column(&columns.further_end) + column(&columns.further);
    let agents = column(&columns.agents) + columns.numbers.len() * size_of::<(AgentId, u32)>();
    rows + own
        + further
        + agents
        + column(&columns.streams)
        + column(&columns.scans)
        + names(&columns.statuses)
        + names(&columns.names)
        + columns.agents.iter().map(agent).sum::<usize>()
        + columns.scans.iter().map(scan).sum::<usize>()
}

/// What is counted is what is allocated, and some for what comes with it; of marks, which take the journal's room, more.
#[test]
fn what_is_counted_is_what_is_allocated() {
    large(|kind, group| {
        let segment = Segment::new(1);
        (0..200).for_each(|row| segment.push(&group(row).borrow()));
        let columns = segment.read();
        let (counted, allocated) = (columns.bytes(), allocated(&columns));
        assert!(counted >= allocated, "{kind}: {counted} bytes are counted of {allocated}");
        let at_most = if kind == "marks" { usize::MAX } else { 3 * allocated };
        assert!(counted <= at_most, "{kind}: {counted} bytes are counted of {allocated}");
    });
}

/// Rows as they lie in a segment, for comparing in order.
fn sort_key(row: &OwnedSample) -> (i64, AgentId, Timestamp, Option<(u64, u64)>) {
    (day(row.timestamp.as_micros()), row.agent_id.clone(), row.timestamp, row.stream)
}

#[test]
fn days_are_cut_and_ordered_as_on_disk() {
    for seed in 1..=20 {
        let (segment, model, _) = random(seed);
        let sorted = Arc::new(Sorted::new(Arc::clone(&segment)));
        let mut expected = model.0.samples.clone();
        expected.sort_by_key(sort_key);
        let mut seen = 0;
        for found in sorted.sample_days() {
            let rows = &expected[found.rows.clone()];
            assert_eq!(found.rows.start, seen, "seed {seed}");
            assert!(rows.iter().all(|row| day(row.timestamp.as_micros()) == found.day), "seed {seed}");
            let batches: Vec<_> = sorted.sample_batches(found.rows.clone()).map(Result::unwrap).collect();
            assert!(batches.iter().all(|batch| batch.num_rows() <= BATCH_ROWS_MAX));
            assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), rows.len());
            let told = batches.iter().flat_map(|batch| {
                (0..batch.num_rows()).map(|row| {
                    let text = crate::tsdb::schema::text_at(batch, 0, row).to_owned();
                    (text, crate::tsdb::schema::time_at(batch, 1, row))
                })
            });
            let wanted = rows.iter().map(|row| (row.agent_id.as_str().to_owned(), row.timestamp.as_micros()));
            assert!(told.eq(wanted), "seed {seed}");
            seen = found.rows.end;
        }
        assert_eq!(seen, expected.len(), "seed {seed}");
        let scans: usize = sorted.scan_days().iter().map(|day| day.rows.len()).sum();
        assert_eq!(scans, model.0.scans.len(), "seed {seed}");
        assert!(sorted.scan_days().is_sorted_by_key(|day| day.day));
    }
}

#[test]
fn rollups_equal_brute_force() {
    for seed in 1..=20 {
        let (segment, mut dice) = (Arc::new(Segment::new(1)), Dice::seeded(seed));
        let mut expected: BTreeMap<(String, String, i64), Aggregate> = BTreeMap::new();
        let step = [MINUTE, HOUR, DAY][dice.below(3) as usize];
        for row in 0..400 {
            // Of one moment each: which of two newest counts is not promised.
            let at = dice.below(2 * DAY.cast_unsigned() / 400).cast_signed() + row * (2 * DAY / 400) - DAY;
            let agent = dice.agent();
            let row = dice.sample(agent, None, Timestamp::from_micros(at));
            let measured = [row.metrics.cpu, row.metrics.ram, row.metrics.disk, row.metrics.latency];
            let own = ["cpu", "ram", "disk", "latency"].into_iter().zip(measured);
            let own = own.filter_map(|(name, value)| Some((name.to_owned(), value?)));
            for (name, value) in own.chain(row.metrics.further.clone()).chain([(SAMPLES.to_owned(), 0.0)]) {
                let of_one = Aggregate::of(value, row.timestamp);
                let bucket = expected.entry((agent.to_owned(), name, bucket(at, step)));
                bucket.and_modify(|known| known.add(&of_one)).or_insert(of_one);
            }
            segment.push(&OwnedRows { samples: vec![row], ..OwnedRows::default() }.borrow());
        }
        let sorted = Sorted::new(segment);
        let mut told: BTreeMap<(String, String, i64), Aggregate> = BTreeMap::new();
        for found in sorted.sample_days() {
            let rows = sorted.rollup(found.rows, step);
            let key = |row: &RollupRow| (row.agent_id.clone(), row.name.clone(), row.start);
            assert!(rows.is_sorted_by_key(key), "seed {seed}");
            for row in rows {
                let key = (row.agent_id.as_str().to_owned(), row.name.into_string(), row.start);
                assert_eq!(told.insert(key, row.aggregate), None, "seed {seed}: one row a bucket");
            }
        }
        assert_eq!(told, expected, "seed {seed}");
    }
}
