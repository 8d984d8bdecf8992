//! For tests of this room: ready-made jobs, and a store that breaks on purpose.

pub(super) use crate::tsdb::testing::Dice;

use super::{Fate, Job, Load, Record, store::Store, unnumbered::Lookup};
use crate::{
    storage::StorageError,
    tsdb::{
        Appender, TsdbError, record,
        rows::{Look, MarkRow, Rows, Sought},
    },
};
use pingup_protocol::{ids::AgentId, metrics::Measurements, time::Timestamp};
use std::sync::{Arc, Mutex, mpsc};

pub(super) fn agent(name: &str) -> AgentId {
    AgentId::parse(name).unwrap()
}

pub(super) fn sample(cpu: f64) -> Record {
    let metrics = Measurements { cpu: Some(cpu), ..Measurements::default() };
    Record::Sample { status: "online".to_owned(), metrics }
}

/// A job of a stream; each entry's timestamp follows from its number.
pub(super) fn numbered(agent_id: &str, boot: u64, seqs: std::ops::RangeInclusive<u64>) -> Job {
    let fate = |seq: u64| Fate::Store(Timestamp::from_micros(i64::try_from(seq).unwrap()), sample(1.0));
    let entries = seqs.map(|seq| (seq, fate(seq))).collect();
    Job { agent_id: agent(agent_id), load: Load::Stream { boot, entries } }
}

pub(super) fn unnumbered(agent_id: &str, micros: i64) -> Job {
    Job {
        agent_id: agent(agent_id),
        load: Load::Unnumbered(Timestamp::from_micros(micros), Some(sample(1.0))),
    }
}

/// How a commit goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing reaches the disk.
    Before,
    /// All of it does, and the failure is reported all the same.
    After,
    /// Nothing reaches the disk, and the thread panics.
    Panic,
}

/// The history's real end in which chosen commits fail, counted from 1, and which waits to be let go on if told to.
pub(super) struct Breaking {
    pub(super) inner: Appender,
    pub(super) commits: u64,
    pub(super) fault: Box<dyn FnMut(u64) -> Option<Fault> + Send>,
    pub(super) stalled: Option<Stall>,
}

/// Says that a commit has begun, then waits for the word to go on.
pub(super) struct Stall {
    pub(super) begun: mpsc::Sender<usize>,
    pub(super) go_on: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Breaking {
    pub(super) fn new(inner: Appender, fault: impl FnMut(u64) -> Option<Fault> + Send + 'static) -> Self {
        Self { inner, commits: 0, fault: Box::new(fault), stalled: None }
    }
}

impl Store for Breaking {
    type Lookup = Appender;

    fn lookup(&mut self) -> &mut Appender {
        &mut self.inner
    }

    fn load_marks(&mut self) -> Result<Vec<MarkRow>, TsdbError> {
        self.inner.load_marks()
    }

    fn append(&mut self, rows: &Rows<'_>) -> Result<(), TsdbError> {
        self.commits += 1;
        if let Some(stall) = &self.stalled {
            stall.begun.send(rows.samples.len()).unwrap();
            stall.go_on.lock().unwrap().recv().unwrap();
        }
        match (self.fault)(self.commits) {
            None => self.inner.append(rows),
            Some(Fault::Before) => Err(StorageError::Full.into()),
            Some(Fault::After) => self.inner.append(rows).and(Err(StorageError::Full.into())),
            Some(Fault::Panic) => panic!("a panic that the test asked for"),
        }
    }
}

/// A history that only tells how large each record would be, and waits for the word to go on while someone can
/// give it.
pub(super) struct Measuring {
    pub(super) records: mpsc::Sender<usize>,
    pub(super) go_on: mpsc::Receiver<()>,
}

impl Lookup for Measuring {
    fn newest_unnumbered(&mut self, _: Sought<'_>, _: bool) -> Result<Option<Look>, TsdbError> {
        Ok(Some(Look::default()))
    }
}

impl Store for Measuring {
    type Lookup = Self;

    fn lookup(&mut self) -> &mut Self {
        self
    }

    fn load_marks(&mut self) -> Result<Vec<MarkRow>, TsdbError> {
        Ok(Vec::new())
    }

    fn append(&mut self, rows: &Rows<'_>) -> Result<(), TsdbError> {
        let mut bytes = Vec::new();
        record::write(rows, &mut bytes);
        self.records.send(bytes.len()).unwrap();
        let _until_nobody_can = self.go_on.recv();
        Ok(())
    }
}
