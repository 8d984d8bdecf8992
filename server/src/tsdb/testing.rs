//! For tests: a history in a folder of its own, with a clock that stands still, faults on purpose, and a plain
//! look at all of its rows. Nothing runs beside: sealing, merging and letting go happen when they are asked for.

mod random;

pub(crate) use random::{AGENTS, Dice};

use super::{
    Appender, Opened, Places, Retention, Tier, Tsdb, TsdbError, View, file_list,
    record::{OwnedRows, OwnedSample, OwnedScan},
};
use crate::{
    clock::Clock,
    storage::{Duck, Faults, Sqlite, scratch::Scratch},
};
use duckdb::types::Value;
use pingup_protocol::{discovery::Scan, ids::AgentId, metrics::Measurements, time::Timestamp};
use std::{
    collections::BTreeSet,
    fs,
    ops::{Range, RangeInclusive},
    path::{Path, PathBuf},
    time::Duration,
};

/// What the clock says at first: 2027-01-15T08:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// As the hub has it by default.
pub(crate) const RETENTION: Retention = Retention { raw: days(30), minute: days(90), hour: days(730) };

/// Every moment but the last.
pub(crate) const EVER: Range<Timestamp> = Timestamp::from_micros(i64::MIN)..Timestamp::from_micros(i64::MAX);

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// A history, and all it lies on.
pub(crate) struct Bench {
    pub(crate) clock: Clock,
    pub(crate) sqlite: Sqlite,
    /// For readers and the keeper alike.
    pub(crate) engine: Duck,
    pub(crate) tsdb: Tsdb,
    pub(crate) appender: Appender,
    pub(crate) retention: Retention,
    // Goes last: everything above lies in it.
    pub(crate) scratch: Scratch,
}

impl Bench {
    /// An empty history at [`NOW`].
    pub(crate) fn new() -> Self {
        Self::with(RETENTION)
    }

    /// An empty history at [`NOW`] that keeps what it has for so long.
    pub(crate) fn with(retention: Retention) -> Self {
        Self::on(Scratch::new(), retention)
    }

    /// An empty history at [`NOW`] in this folder.
    pub(crate) fn on(scratch: Scratch, retention: Retention) -> Self {
        let clock = Clock::fixed(NOW);
        let (sqlite, engine) = (scratch.sqlite(), scratch.duck());
        let opened = open(&scratch, &sqlite, &engine, &clock, retention, Faults::none()).unwrap();
        let Opened { tsdb, appender } = opened;
        Self { clock, sqlite, engine, tsdb, appender, retention, scratch }
    }

    /// Opens it anew, as after a crash: nothing is finished before.
    pub(crate) fn reopen(&mut self) {
        self.reopen_with(Faults::none()).unwrap();
    }

    /// Opens it anew, keeping what it has for so long from now on.
    pub(crate) fn reopen_keeping(&mut self, retention: Retention) {
        self.retention = retention;
        self.reopen();
    }

    /// Opens it anew with these faults; on failure the old one stays.
    pub(crate) fn reopen_with(&mut self, faults: Faults) -> Result<(), TsdbError> {
        let Opened { tsdb, appender } =
            open(&self.scratch, &self.sqlite, &self.engine, &self.clock, self.retention, faults)?;
        (self.tsdb, self.appender) = (tsdb, appender);
        Ok(())
    }

    /// Appends samples of a stream, a second apart, the first at `at`; see [`sample`].
    pub(crate) fn push(&mut self, agent: &str, boot: u64, seqs: RangeInclusive<u64>, at: Timestamp) {
        let samples =
            (0..).zip(seqs).map(|(second, seq)| sample(agent, (boot, seq), at.plus_seconds(second)));
        self.append(&OwnedRows { samples: samples.collect(), ..OwnedRows::default() }).unwrap();
    }

    /// Appends a group.
    pub(crate) fn append(&mut self, rows: &OwnedRows) -> Result<(), TsdbError> {
        self.appender.append(&rows.borrow())
    }

    /// Seals whatever is in memory.
    pub(crate) fn seal_all(&mut self) {
        while self.tsdb.has_to_seal() {
            assert!(self.tsdb.seal_oldest().unwrap());
        }
        assert!(self.appender.begin_segment().unwrap());
        assert!(self.tsdb.seal_oldest().unwrap());
    }

    /// Merges as long as it is worth it.
    pub(crate) fn compact_all(&self) {
        while self.tsdb.compact_once().unwrap() {}
    }

    /// Lets go of all that is past its time.
    pub(crate) fn retain_all(&self) {
        while self.tsdb.retain_once().unwrap() {}
    }

    /// Deletes files that nobody needs any more.
    pub(crate) fn collect_garbage(&self) {
        self.tsdb.collect_garbage(&self.scratch.folder).unwrap();
    }

    /// Every sample there is, ordered by agent, time and number.
    pub(crate) fn rows(&self) -> Vec<OwnedSample> {
        samples(&self.engine, &self.tsdb.view())
    }

    /// Every scan there is, ordered by agent, time and number; those in memory of these agents only.
    pub(crate) fn scans(&self, agents: &[&str]) -> Vec<OwnedScan> {
        scans(&self.engine, &self.tsdb.view(), agents)
    }

    /// The files of parts on disk.
    pub(crate) fn files(&self) -> BTreeSet<PathBuf> {
        let folder = Places::below(self.scratch.folder.path()).parts;
        Tier::ALL.iter().flat_map(|tier| list(&folder.join(tier.as_str()))).collect()
    }

    /// Files that are, or were, being made.
    pub(crate) fn unfinished_files(&self) -> Vec<PathBuf> {
        list(&Places::below(self.scratch.folder.path()).scratch)
    }
}

fn open(
    scratch: &Scratch,
    sqlite: &Sqlite,
    engine: &Duck,
    clock: &Clock,
    retention: Retention,
    faults: Faults,
) -> Result<Opened, TsdbError> {
    let (places, disk) = (Places::below(scratch.folder.path()), scratch.disk.clone());
    Tsdb::open(places, sqlite.clone(), engine.clone(), clock.clone(), retention, disk, faults)
}

/// Every sample of a view, ordered by agent, time and number.
pub(crate) fn samples(engine: &Duck, view: &View) -> Vec<OwnedSample> {
    let mut rows = on_disk(engine, view, Tier::Raw, sample_of);
    for segment in &view.segments {
        segment.each_sample(None, &EVER, |sample| {
            rows.push(OwnedSample {
                agent_id: sample.agent_id().clone(),
                stream: sample.stream(),
                timestamp: sample.timestamp(),
                status: sample.status().to_owned(),
                metrics: sample.to_measurements(|_| true),
            });
        });
    }
    rows.sort_by(|a, b| sample_key(a).cmp(&sample_key(b)));
    rows
}

/// What samples are ordered by.
pub(crate) fn sample_key(row: &OwnedSample) -> (&AgentId, Timestamp, Option<(u64, u64)>) {
    (&row.agent_id, row.timestamp, row.stream)
}

/// Every scan of a view, ordered by agent, time and number; those in memory of `agents` only.
pub(crate) fn scans(engine: &Duck, view: &View, agents: &[&str]) -> Vec<OwnedScan> {
    let mut rows = on_disk(engine, view, Tier::Scans, scan_of);
    for segment in &view.segments {
        for agent in agents {
            segment.each_scan(agent, &EVER, |row| {
                let scan = Scan { duration: row.duration(), hosts: row.hosts().to_vec() };
                let (agent_id, timestamp) = (row.agent_id().clone(), row.timestamp());
                rows.push(OwnedScan { agent_id, stream: row.stream(), timestamp, scan });
            });
        }
    }
    rows.sort_by(|a, b| (&a.agent_id, a.timestamp, a.stream).cmp(&(&b.agent_id, b.timestamp, b.stream)));
    rows
}

/// What `row` makes of every row of a tier's parts.
pub(crate) fn on_disk<T>(engine: &Duck, view: &View, tier: Tier, row: fn(&[Value]) -> T) -> Vec<T> {
    let parts: Vec<_> = view.parts.iter().filter(|part| part.row().tier == tier).collect();
    if parts.is_empty() {
        return Vec::new();
    }
    let sql = format!("SELECT * FROM read_parquet({})", file_list(parts));
    let read = |connection: &duckdb::Connection| {
        let mut statement = connection.prepare(&sql)?;
        let mut found = statement.query([])?;
        let mut rows = Vec::new();
        while let Some(next) = found.next()? {
            let columns = next.as_ref().column_count();
            let values: Vec<Value> = (0..columns).map(|place| next.get(place)).collect::<Result<_, _>>()?;
            rows.push(row(&values));
        }
        Ok::<_, TsdbError>(rows)
    };
    engine.run_blocking(read).unwrap()
}

fn list(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// An agent's id.
pub(crate) fn agent_id(name: &str) -> AgentId {
    AgentId::parse(name).unwrap()
}

/// A sample whose numbers can be told from its seq: `cpu` its last two digits, `load1` a quarter of it.
pub(crate) fn sample(agent: &str, (boot, seq): (u64, u64), at: Timestamp) -> OwnedSample {
    let metrics = Measurements {
        cpu: Some((seq % 100) as f64),
        further: vec![("load1".to_owned(), seq as f64 / 4.0)],
        ..Measurements::default()
    };
    let status = "online".to_owned();
    OwnedSample { agent_id: agent_id(agent), stream: Some((boot, seq)), timestamp: at, status, metrics }
}

pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => panic!("a text was expected: {other:?}"),
    }
}

pub(crate) fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Double(double) => Some(*double),
        Value::Null => None,
        other => panic!("a double was expected: {other:?}"),
    }
}

pub(crate) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::BigInt(number) => Some(u64::try_from(*number).unwrap()),
        Value::Null => None,
        other => panic!("an integer was expected: {other:?}"),
    }
}

pub(crate) fn moment(value: &Value) -> Timestamp {
    match value {
        Value::Timestamp(duckdb::types::TimeUnit::Microsecond, micros) => Timestamp::from_micros(*micros),
        other => panic!("a moment was expected: {other:?}"),
    }
}

/// A row of [`super::schema::RAW`].
fn sample_of(row: &[Value]) -> OwnedSample {
    let further = match &row[9] {
        Value::Map(pairs) => pairs.iter().map(|(name, value)| (text(name), double(value).unwrap())).collect(),
        Value::Null => Vec::new(),
        other => panic!("a map was expected: {other:?}"),
    };
    OwnedSample {
        agent_id: agent_id(&text(&row[0])),
        stream: number(&row[7]).zip(number(&row[8])),
        timestamp: moment(&row[1]),
        status: text(&row[6]),
        metrics: Measurements {
            cpu: double(&row[2]),
            ram: double(&row[3]),
            disk: double(&row[4]),
            latency: double(&row[5]),
            further,
        },
    }
}

/// A row of [`super::schema::SCANS`].
fn scan_of(row: &[Value]) -> OwnedScan {
    let hosts: Vec<pingup_protocol::discovery::Host> = serde_json::from_str(&text(&row[6])).unwrap();
    assert_eq!(number(&row[5]), Some(hosts.len() as u64));
    OwnedScan {
        agent_id: agent_id(&text(&row[0])),
        stream: number(&row[3]).zip(number(&row[4])),
        timestamp: moment(&row[1]),
        scan: Scan { duration: double(&row[2]).unwrap(), hosts },
    }
}
