//! The history of the former version, `analytics.duckdb`, taken over: a data folder of it goes on as it is.
//!
//! Promises: each of its rows is taken over once, whatever ends the program meanwhile. All parts are listed in one
//! transaction, which also notes that it was done. Before it nothing has happened (parts that are not listed do
//! not exist); after it, all that is left is to set the file aside as `analytics.duckdb.taken-over`, which the
//! next start does. Nothing of the file itself is changed.
//!
//! A day is taken at a time: DuckDB orders its rows into a file (spilling what memory does not hold), which is
//! read back as a stream.

mod file;
mod scans;

use self::file::Former;
use super::{
    Part, Tier, Tsdb, TsdbError, catalogue,
    catalogue::Change,
    compact::LEVEL_FINISHED,
    merge::{Merged, RAW_ORDER},
    parts::PartRow,
    rolled::Rolled,
    rollup::{DAY, HOUR},
    schema::{self, RAW, map_at},
    write::Draft,
};
use crate::storage::{DataFolder, StorageError};
use arrow::{
    array::{ArrayRef, RecordBatch},
    error::ArrowError,
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The level of rollups that cover a day of their month.
const LEVEL_OF_A_DAY: u32 = 1;
/// What the file's name ends with once its rows are here.
const TAKEN_OVER: &str = ".taken-over";

/// What was taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Samples.
    pub samples: u64,
    /// Scans.
    pub scans: u64,
}

impl Tsdb {
    /// Takes over the history of the former version, if there is one and it was not done before. Called before
    /// anything is appended, and before the keeper starts. Blocks.
    pub fn take_over_former(&self, folder: &DataFolder) -> Result<Option<TakenOver>, TsdbError> {
        let file = folder.duckdb_path();
        if !file.exists() || self.has_taken_over()? {
            set_aside(&file)?;
            return Ok(None);
        }
        tracing::info!(file = %file.display(), "taking over the history of the former version");
        let former = Former::open(&file, &self.0.places.scratch)?;
        let mut change = Change { marks: former.marks()?, ..Change::default() };
        for day in former.days("metrics", "timestamp")? {
            change.add.extend(self.take_samples(&former, day)?);
            tracing::info!(day = %Timestamp::from_micros(day * DAY), "samples of a day were taken over");
        }
        for day in former.days("scans", "scan_timestamp")? {
            change.add.extend(self.take_scans(&former, day)?);
        }
        former.close()?;
        let rows = |tier| change.add.iter().filter(|part| part.tier == tier).map(|part| part.rows).sum();
        let taken_over = TakenOver { samples: rows(Tier::Raw), scans: rows(Tier::Scans) };
        self.list_former(change)?;
        self.0.faults.at("former set aside")?;
        set_aside(&file)?;
        tracing::info!(
            taken_over.samples,
            taken_over.scans,
            "the history of the former version was taken over"
        );
        Ok(Some(taken_over))
    }

    fn has_taken_over(&self) -> Result<bool, TsdbError> {
        self.0.sqlite.reclaim_blocking(|connection| {
            Ok(catalogue::has_taken_over(connection).map_err(StorageError::from)?)
        })
    }

    /// Makes the parts and marks be, and notes it, in one transaction.
    fn list_former(&self, change: Change) -> Result<(), TsdbError> {
        self.0.faults.at("catalogue commit")?;
        let (written, now) = (change.clone(), self.0.clock.now());
        self.0.sqlite.reclaim_blocking(move |connection| {
            catalogue::write(connection, &written)?;
            connection.execute("INSERT INTO former (one, taken_over_at) VALUES (1, ?)", [now.as_micros()])?;
            Ok::<_, StorageError>(())
        })?;
        self.0.witness.parts(&change.add);
        self.publish(|view| view.parts.extend(change.add.iter().map(|row| self.part(row))));
        Ok(())
    }

    fn part(&self, row: &PartRow) -> Arc<Part> {
        Arc::new(Part::new(row.clone(), &self.0.places.parts, &self.0.garbage))
    }

    /// A day's samples, and what they add up to by the hour.
    fn take_samples(&self, former: &Former, day: i64) -> Result<Vec<PartRow>, TsdbError> {
        former.order(&format!(
            "SELECT {} FROM former.metrics WHERE {} ORDER BY agent_id, timestamp, boot NULLS FIRST, seq NULLS FIRST",
            columns(),
            within(day, "timestamp"),
        ))?;
        let samples = former.read()?.map(|batch| Ok(as_samples(&batch?)?));
        let raw = Draft { tier: Tier::Raw, period: day, level: LEVEL_FINISHED };
        let Some(raw) = self.write_part(raw, &RAW, samples)? else { return Ok(Vec::new()) };
        let samples = Merged::open(&[self.part(&raw)], RAW_ORDER)?;
        let hours = Draft { tier: Tier::Hour, period: Tier::Hour.period(day), level: LEVEL_OF_A_DAY };
        let hours = self.write_rollups(hours, Rolled::new(samples, HOUR))?;
        Ok([Some(raw), hours].into_iter().flatten().collect())
    }
}

/// The columns of a sample, in their order.
pub(super) fn columns() -> String {
    let names: Vec<_> = RAW.fields().iter().map(|field| field.name().as_str()).collect();
    names.join(", ")
}

/// Samples as DuckDB tells them, in the columns of the history: it names the two sides of a map otherwise.
pub(super) fn as_samples(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let further = RAW.fields().len() - 1;
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    columns[further] = schema::maps((0..batch.num_rows()).map(|row| map_at(batch, further, row)))?;
    schema::batch(&RAW, columns)
}

fn within(day: i64, time: &str) -> String {
    let (from, to) = (day.saturating_mul(DAY), (day + 1).saturating_mul(DAY));
    format!("{time} >= make_timestamp({from}) AND {time} < make_timestamp({to})")
}

fn agent_id(text: &str) -> Result<AgentId, TsdbError> {
    AgentId::parse(text).map_err(|_| unreadable(&format!("the agent {text:?}")))
}

/// The former file holds what no hub can have written.
fn unreadable(what: &str) -> TsdbError {
    StorageError::Folder(format!("analytics.duckdb holds {what}; restore it from a backup, or move it away"))
        .into()
}

/// What the file of the former version in the data folder `data` is called once its rows are here.
pub(super) fn set_aside_at(data: &Path) -> PathBuf {
    aside(&data.join("analytics.duckdb"))
}

fn aside(file: &Path) -> PathBuf {
    super::backup::with_suffix(file, TAKEN_OVER)
}

/// Renames the former file, and its log with it; what is not there is fine.
fn set_aside(file: &Path) -> Result<(), TsdbError> {
    let aside = aside(file);
    let log = |file: &Path| super::backup::with_suffix(file, ".wal");
    let mut renamed = false;
    for (from, to) in [(log(file), log(&aside)), (file.to_owned(), aside)] {
        if from.exists() {
            fs::rename(&from, &to).map_err(StorageError::file("rename", &from))?;
            renamed = true;
        }
    }
    if renamed {
        super::backup::sync_folder(super::backup::parent(file))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
