//! For tests: a history in a folder of its own, with a clock that stands still, faults on purpose, and a plain
//! look at all of its rows. The clock is believed, also after a restart, unless a test sets it. Nothing runs beside: sealing, merging and letting go happen when they are asked for.

mod random;
mod rows;

pub(crate) use random::{AGENTS, Dice};
pub(crate) use rows::{double, moment, number, on_disk, points, sample_key, samples, scans, text};

use super::{
    Appender, Opened, Places, Retention, Tier, Tsdb, TsdbError,
    record::{OwnedRows, OwnedSample, OwnedScan},
    rows::PointRow,
};
use crate::{
    clock::Clock,
    storage::{Duck, Faults, Sqlite, scratch::Scratch},
};
use pingup_protocol::{ids::AgentId, metrics::Measurements, time::Timestamp};
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

/// A hub that started so long ago believes its clock, unless that is set.
const LONG_SECONDS: i64 = 7 * 86_400;

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
        tsdb.started_seconds_ago(LONG_SECONDS);
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
        tsdb.started_seconds_ago(LONG_SECONDS);
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

    /// Every point there is, as often as it is there, in the order of the disk.
    pub(crate) fn points(&self) -> Vec<PointRow> {
        points(&self.tsdb.view())
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
