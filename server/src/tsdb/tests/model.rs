//! The naive model: every row that was answered, what retention took of them, and a comparison of all of that
//! with a history.

use crate::tsdb::testing::{double, moment, number};
use crate::tsdb::{
    Tier, View, checksum,
    fleet::FLEET,
    record::{OwnedRows, OwnedSample, OwnedScan},
    retain::before,
    rollup::{Aggregate, DAY, HOUR, MINUTE, bucket, day},
    rows::{PointRow, SeriesId},
    schema::SAMPLES,
    testing::{AGENTS, Bench, EVER, on_disk, sample_key, text},
    total::Total,
};
use duckdb::types::Value;
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
};

/// Agent, measurement and bucket.
type Key = (String, String, i64);
type Rollups = BTreeMap<Key, Aggregate>;
/// Of each series and moment the point that counts.
type Points = BTreeMap<(SeriesId, i64), PointRow>;

/// What there must be.
#[derive(Clone, Default)]
pub(super) struct Model {
    pub(super) samples: Vec<OwnedSample>,
    scans: Vec<OwnedScan>,
    points: Points,
    marks: BTreeMap<(AgentId, u64), u64>,
    /// Samples that rollups by the hour count.
    hourly: Vec<OwnedSample>,
    /// What samples that went left behind.
    minutes: Rollups,
}

impl Model {
    /// Takes in a group that was answered.
    pub(super) fn answered(&mut self, group: OwnedRows) {
        let of_samples = group.samples.iter().map(|row| (&row.agent_id, row.stream));
        let of_rows = of_samples.chain(group.scans.iter().map(|row| (&row.agent_id, row.stream)));
        let numbered = of_rows.filter_map(|(id, stream)| stream.map(|stream| (id.clone(), stream)));
        let alone = group.marks.iter().map(|row| (row.agent_id.clone(), (row.boot, row.mark.seq)));
        for (id, (boot, seq)) in numbered.chain(alone) {
            let mark = self.marks.entry((id, boot)).or_insert(seq);
            *mark = seq.max(*mark);
        }
        self.hourly.extend(group.samples.iter().cloned());
        self.samples.extend(group.samples);
        self.scans.extend(group.scans);
        counting(&mut self.points, group.points);
    }

    /// One of the points that are there.
    pub(super) fn any_point(&self, place: usize) -> Option<PointRow> {
        self.points.values().nth(place % self.points.len().max(1)).copied()
    }

    /// Takes away what retention took: whole periods past their time, of what was in files. To be called after
    /// everything that can go has gone.
    pub(super) fn retained(&mut self, bench: &Bench) {
        let view = bench.tsdb.view();
        let (mut samples, mut scans) = (BTreeSet::new(), BTreeSet::new());
        for segment in &view.segments {
            segment.each_sample(None, &EVER, |row| {
                samples.insert((row.agent_id().clone(), row.timestamp()));
            });
            for agent in AGENTS {
                segment.each_scan(agent, &EVER, |row| {
                    scans.insert((row.agent_id().clone(), row.timestamp()));
                });
            }
        }
        let (now, kept) = (bench.clock.now(), bench.retention);
        let is_over =
            |tier: Tier, at: i64, kept| tier.end(tier.period(day(at))) <= before(now, kept).as_micros();
        let in_memory = |row: &OwnedSample| samples.contains(&(row.agent_id.clone(), row.timestamp));
        let raw_goes = |at: Timestamp| is_over(Tier::Raw, at.as_micros(), kept.raw);
        let gone = self.samples.extract_if(.., |row| raw_goes(row.timestamp) && !in_memory(row));
        gone.for_each(|row| roll(&mut self.minutes, &row, MINUTE));
        self.minutes.retain(|(_, _, start), _| !is_over(Tier::Minute, *start, kept.minute));
        self.scans
            .retain(|row| !raw_goes(row.timestamp) || scans.contains(&(row.agent_id.clone(), row.timestamp)));
        let mut points = Points::new();
        for segment in &view.segments {
            segment.each_point(&EVER, |point| counting(&mut points, [point]));
        }
        self.points.retain(|(_, at_ms), _| !raw_goes(Timestamp::from_micros(at_ms * 1_000)));
        counting(&mut self.points, points.into_values());
        self.hourly
            .retain(|row| !is_over(Tier::Hour, row.timestamp.as_micros(), kept.hour) || in_memory(row));
    }

    /// Compares everything a history says with what it must say; `when` tells of the play.
    pub(super) fn check(&self, bench: &Bench, when: &str) {
        let mut samples = self.samples.clone();
        samples.sort_by(|a, b| sample_key(a).cmp(&sample_key(b)));
        assert_eq!(bench.rows(), samples, "{when}: samples");
        let mut scans = self.scans.clone();
        scans.sort_by(|a, b| (&a.agent_id, a.timestamp, a.stream).cmp(&(&b.agent_id, b.timestamp, b.stream)));
        assert_eq!(bench.scans(&AGENTS), scans, "{when}: scans");
        self.check_rollups(bench, when);
        let mut points = Points::new();
        counting(&mut points, bench.points());
        assert_eq!(points, self.points, "{when}: points");
        let mut marks = BTreeMap::new();
        for row in bench.appender.marks().unwrap() {
            let mark = marks.entry((row.agent_id, row.boot)).or_insert(row.mark.seq);
            *mark = row.mark.seq.max(*mark);
        }
        assert_eq!(marks, self.marks, "{when}: marks");
    }

    fn check_rollups(&self, bench: &Bench, when: &str) {
        let mut hours = in_parts(bench, Tier::Hour);
        for segment in &bench.tsdb.view().segments {
            segment.each_sample(None, &EVER, |row| {
                let agent = row.agent_id().as_str();
                let values = row.measurements().map(|(name, value)| (name.to_owned(), value));
                add_all(&mut hours, agent, row.timestamp(), values, HOUR);
            });
        }
        let mut expected = Rollups::new();
        self.hourly.iter().for_each(|row| roll(&mut expected, row, HOUR));
        assert_eq!(hours, expected, "{when}: hours");
        assert_eq!(in_parts(bench, Tier::Minute), self.minutes, "{when}: minutes");
        check_fleet(bench, when);
    }
}

/// Puts in points where they count.
fn counting(known: &mut Points, more: impl IntoIterator<Item = PointRow>) {
    for point in more {
        let known = known.entry((point.series, point.at_ms)).or_insert(point);
        if point.order(known).is_lt() {
            *known = point;
        }
    }
}

/// Files on disk are those that are listed, once nobody holds others; of the journal, those that are read back.
pub(super) fn check_files(bench: &Bench, when: &str) {
    bench.collect_garbage();
    let view = bench.tsdb.view();
    let listed: BTreeSet<_> = view.parts.iter().map(|part| part.path().to_owned()).collect();
    assert_eq!(bench.files(), listed, "{when}: files of parts");
    assert_eq!(bench.unfinished_files(), Vec::<std::path::PathBuf>::new(), "{when}: unfinished files");
    let journal = fs::read_dir(bench.scratch.folder.path().join("journal")).unwrap().count();
    assert_eq!(journal, view.segments.len(), "{when}: segments of the journal");
    for part in &view.parts {
        assert_eq!(part.path().metadata().unwrap().len(), part.row().bytes, "{when}: a file's size");
        assert!(part.row().rows > 0, "{when}: an empty part");
        let found = checksum::of_file(part.path()).unwrap();
        assert_eq!(part.row().crc32, Some(found), "{when}: a file's checksum");
    }
}

fn roll(rollups: &mut Rollups, row: &OwnedSample, step: i64) {
    let metrics = &row.metrics;
    let own =
        [("cpu", metrics.cpu), ("ram", metrics.ram), ("disk", metrics.disk), ("latency", metrics.latency)];
    let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    add_all(rollups, row.agent_id.as_str(), row.timestamp, own.chain(metrics.further.clone()), step);
}

fn add_all(
    rollups: &mut Rollups,
    agent: &str,
    at: Timestamp,
    values: impl Iterator<Item = (String, f64)>,
    step: i64,
) {
    for (name, value) in values.chain([(SAMPLES.to_owned(), 0.0)]) {
        add(rollups, (agent.to_owned(), name, bucket(at.as_micros(), step)), &Aggregate::of(value, at));
    }
}

fn add(rollups: &mut Rollups, key: Key, more: &Aggregate) {
    rollups.entry(key).and_modify(|known| known.add(more)).or_insert(*more);
}

/// What a tier's parts add up to, by agent.
fn in_parts(bench: &Bench, tier: Tier) -> Rollups {
    let mut rollups = Rollups::new();
    for (key, aggregate) in on_disk(&bench.engine, &bench.tsdb.view(), tier, rollup_of) {
        if key.0 != FLEET {
            add(&mut rollups, key, &aggregate);
        }
    }
    rollups
}

/// In each part, once each, the fleet's rows are what its agents' add up to.
fn check_fleet(bench: &Bench, when: &str) {
    for part in &bench.tsdb.view().parts {
        let tier = part.row().tier;
        if !matches!(tier, Tier::Minute | Tier::Hour) {
            continue;
        }
        assert!(part.row().has_fleet(), "{when}: {part:?}");
        let alone = View { parts: vec![Arc::clone(part)], ..View::default() };
        let (mut told, mut added_up) = (Rollups::new(), Rollups::new());
        for ((whose, name, start), aggregate) in on_disk(&bench.engine, &alone, tier, rollup_of) {
            let key = (FLEET.to_owned(), name, start);
            if whose == FLEET {
                assert_eq!(told.insert(key, aggregate), None, "{when}: twice");
            } else {
                add(&mut added_up, key, &aggregate);
            }
        }
        assert_eq!(told, added_up, "{when}: {part:?}");
    }
}

/// A row of [`crate::tsdb::schema::ROLLUP`].
fn rollup_of(row: &[Value]) -> (Key, Aggregate) {
    let value = |place: usize| double(&row[place]).unwrap();
    // Of quarters no sum is beyond a double.
    let aggregate = Aggregate {
        count: number(&row[3]).unwrap(),
        min: value(4),
        max: value(5),
        sum: Total::Ones(value(6)),
        last: value(7),
        last_at: moment(&row[8]),
    };
    ((text(&row[0]), text(&row[1]), moment(&row[2]).as_micros()), aggregate)
}

/// A moment of the last `days` before `now`, of which each agent has one sample at most.
pub(super) fn past(now: Timestamp, days: u64, dice: &mut crate::tsdb::testing::Dice) -> Timestamp {
    let back = dice.below(days * DAY.cast_unsigned());
    Timestamp::from_micros(now.as_micros() - back.cast_signed())
}
