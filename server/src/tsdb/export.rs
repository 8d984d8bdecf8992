//! Exports: an agent's samples of a range, ordered by time, read from its files beside a running hub.
//!
//! What is handed over has [`RAW`]'s columns; a Parquet file of it marks its moments as UTC, which the hub's own do
//! not.
//!
//! The hub deletes nothing while an [`Export`] is open, so the catalogue, the parts that it lists and what of the
//! journal is not in them are one moment's. Days come one after the other: what it takes in memory is the
//! journal's rows and one day of one agent.
//!
//! Refuses: an agent that never was, records that are not migrated.

mod told;

use super::{
    Places, Tier, TsdbError,
    backup::open_beside,
    catalogue,
    former::{as_samples, columns},
    head::Sorted,
    open::read_segment,
    quote,
    rollup::DAY,
    schema::RAW,
};
use crate::storage::{DataFolder, Duck, DuckSettings, Hold, Journal, StorageError, Tray, inspect};
use arrow::array::RecordBatch;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::Write,
    ops::Range,
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use told::{TOLD, told};

/// What DuckDB may keep in memory; it spills what is more.
const MEMORY: &str = "128MB";

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Nobody of that id was ever here.
    #[error("there is no agent {0:?}")]
    UnknownAgent(String),
    /// The records are not what this program needs.
    #[error("the records are not migrated; run `pingup-server migrate` or start the hub first")]
    NotMigrated,
    /// The history.
    #[error(transparent)]
    History(#[from] TsdbError),
}

impl From<StorageError> for ExportError {
    fn from(error: StorageError) -> Self {
        Self::History(error.into())
    }
}

/// What is to be exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Whose samples.
    pub agent_id: AgentId,
    /// From when on, the moment included; from the beginning without one.
    pub from: Option<Timestamp>,
    /// Until when, the moment excluded; to the end without one.
    pub to: Option<Timestamp>,
}

/// Where samples of one day lie.
#[derive(Debug, Default)]
struct Day {
    parts: Vec<PathBuf>,
    head: Vec<(Arc<Sorted>, Range<usize>)>,
}

/// Samples of one agent, ready to be read.
#[derive(Debug)]
pub struct Export {
    engine: Duck,
    question: Question,
    days: BTreeMap<i64, Day>,
    stopped: AtomicBool,
    _held: Hold,
}

impl Export {
    /// Finds out where the samples lie, and keeps them there.
    pub fn open(folder: &DataFolder, question: Question) -> Result<Self, ExportError> {
        let held = folder.hold()?;
        let records = open_beside(&folder.sqlite_path())?;
        if inspect::records_state(&records).map_err(StorageError::from)?.missing > 0 {
            return Err(ExportError::NotMigrated);
        }
        let id = question.agent_id.as_str();
        let known = records.prepare("SELECT 1 FROM agents WHERE id = ?").and_then(|mut of| of.exists([id]));
        if !known.map_err(StorageError::from)? {
            return Err(ExportError::UnknownAgent(id.to_owned()));
        }
        let catalogue = catalogue::load(&records).map_err(StorageError::from)?;
        let places = Places::below(folder.path());
        let mut days: BTreeMap<i64, Day> = BTreeMap::new();
        for part in catalogue.parts.iter().filter(|part| part.tier == Tier::Raw) {
            let has_agent = (part.agents.0.as_str()..=part.agents.1.as_str()).contains(&id);
            let (first, last) = part.times;
            if has_agent && question.overlaps(first, last) {
                days.entry(part.period).or_default().parts.push(places.parts.join(part.file()));
            }
        }
        let journal = &places.journal;
        let segments = if journal.exists() { Journal::segments(journal)? } else { Vec::new() };
        for number in segments.into_iter().filter(|number| *number > catalogue.sealed) {
            let (segment, _) = read_segment(journal, number)?;
            let sorted = Arc::new(Sorted::new(Arc::new(segment)));
            for day in sorted.sample_days() {
                if question.overlaps(day.day.saturating_mul(DAY), (day.day + 1).saturating_mul(DAY) - 1) {
                    days.entry(day.day).or_default().head.push((Arc::clone(&sorted), day.rows));
                }
            }
        }
        let settings = DuckSettings { memory: MEMORY.to_owned(), ..DuckSettings::default() };
        let spill = env::temp_dir().join(format!("pingup-export-{}", process::id()));
        // Where nothing was ever sealed there may be no folder of parts.
        let readable: Vec<_> = Some(places.parts).into_iter().filter(|parts| parts.is_dir()).collect();
        let engine = Duck::open(settings, &spill, &readable)?;
        Ok(Self { engine, question, days, stopped: AtomicBool::new(false), _held: held })
    }

    /// Ends what reads now, and what would read later, with an error.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.engine.interrupt_all();
    }

    /// Days that may have samples.
    pub fn days(&self) -> usize {
        self.days.len()
    }

    /// The names of all measurements without a column of their own.
    pub fn further_names(&self) -> Result<BTreeSet<String>, TsdbError> {
        let mut names = BTreeSet::new();
        for day in self.days.values() {
            let (samples, _trays) = self.samples(day)?;
            let sql = format!("SELECT DISTINCT unnest(map_keys(further)) FROM ({samples})");
            self.engine.run_blocking(|connection| {
                let mut statement = connection.prepare(&sql)?;
                let found = statement.query_map([], |row| row.get::<_, String>(0))?;
                names.extend(found.collect::<Result<Vec<_>, _>>()?);
                Ok::<_, TsdbError>(())
            })?;
        }
        Ok(names)
    }

    /// Hands over the samples in batches of [`RAW`]'s columns, ordered by time; `after_day` is told after each.
    pub fn each_batch<E: From<TsdbError>>(
        &self,
        mut take: impl FnMut(&RecordBatch) -> Result<(), E>,
        mut after_day: impl FnMut(),
    ) -> Result<(), E> {
        for day in self.days.values() {
            for batch in self.read(day)? {
                self.go_on()?;
                take(&batch)?;
            }
            after_day();
        }
        Ok(())
    }

    /// Writes all samples as a Parquet file of [`RAW`]'s columns, moments marked as UTC; how many there are.
    pub fn write_parquet(&self, to: impl Write + Send, after_day: impl FnMut()) -> Result<u64, TsdbError> {
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let mut writer = ArrowWriter::try_new(to, Arc::clone(&TOLD), Some(properties))?;
        let mut rows = 0;
        let write = |batch: &RecordBatch| {
            rows += batch.num_rows() as u64;
            Ok::<_, TsdbError>(writer.write(&told(batch)?)?)
        };
        self.each_batch(write, after_day)?;
        writer.close()?;
        Ok(rows)
    }

    fn go_on(&self) -> Result<(), TsdbError> {
        if self.stopped.load(Ordering::Acquire) { Err(StorageError::Closed.into()) } else { Ok(()) }
    }

    fn read(&self, day: &Day) -> Result<Vec<RecordBatch>, TsdbError> {
        let (samples, _trays) = self.samples(day)?;
        let sql = format!("{samples} ORDER BY timestamp, boot NULLS FIRST, seq NULLS FIRST");
        self.engine.run_blocking(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let batches = statement.query_arrow([])?;
            Ok(batches.map(|batch| as_samples(&batch)).collect::<Result<_, _>>()?)
        })
    }

    /// A query for the agent's samples of a day, and the rows in memory that it reads: once.
    fn samples(&self, day: &Day) -> Result<(String, Vec<Tray>), TsdbError> {
        let mut trays = Vec::new();
        for (sorted, rows) in &day.head {
            let batches = sorted.sample_batches(rows.clone()).collect::<Result<Vec<_>, _>>()?;
            trays.push(Tray::serve(Arc::clone(&RAW), batches.into_iter()));
        }
        let columns = columns();
        let mut sources = Vec::new();
        if !day.parts.is_empty() {
            let files: Vec<_> = day.parts.iter().map(|part| quote(part)).collect();
            sources.push(format!("SELECT {columns} FROM read_parquet([{}])", files.join(", ")));
        }
        sources.extend(trays.iter().map(|tray| format!("SELECT {columns} FROM tray({})", tray.id())));
        let all = sources.join(" UNION ALL ");
        Ok((format!("SELECT {columns} FROM ({all}) WHERE {}", self.question.condition()), trays))
    }
}

impl Question {
    /// Whether anything from `first` to `last` is asked for.
    fn overlaps(&self, first: i64, last: i64) -> bool {
        self.from.is_none_or(|from| last >= from.as_micros())
            && self.to.is_none_or(|to| first < to.as_micros())
    }

    /// The same in SQL. An agent's id has no quote.
    fn condition(&self) -> String {
        let mut all = vec![format!("agent_id = '{}'", self.agent_id.as_str())];
        all.extend(self.from.map(|from| format!("timestamp >= make_timestamp({})", from.as_micros())));
        all.extend(self.to.map(|to| format!("timestamp < make_timestamp({})", to.as_micros())));
        all.join(" AND ")
    }
}

#[cfg(test)]
mod tests;
