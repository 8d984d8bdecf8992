//! The history's tables from the writer's side: a group's rows and marks in one transaction.

use super::{
    batches::{self, BATCH_ROWS_MAX},
    group::Rows,
    marks::{Mark, MarkRow},
    unnumbered::{Kind, Lookup},
};
use crate::storage::{Duck, StorageError};
use arrow::{array::RecordBatch, error::ArrowError};
use duckdb::{
    Connection, params,
    types::{TimeUnit, Type, Value},
};
use pingup_protocol::{ids::AgentId, time::Timestamp};

/// What the log of marks holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MarkLog {
    /// The newest mark of each stream.
    pub marks: Vec<MarkRow>,
    /// Rows of the log, older marks included.
    pub rows: u64,
}

/// Where groups are committed. The writer works with nothing else of the cellar, so tests can let it fail.
pub trait Store: Lookup + Send + 'static {
    /// Reads the marks.
    fn load_marks(&mut self) -> Result<MarkLog, StorageError>;

    /// Writes the rows in one transaction. `Ok` means that all of them are synced to disk; after an `Err`
    /// either all of them are or none.
    fn append(&mut self, rows: &Rows<'_>) -> Result<(), StorageError>;

    /// Replaces the log of marks by `marks`, in one transaction.
    fn compact_marks(&mut self, marks: &[MarkRow]) -> Result<(), StorageError>;
}

/// The store on DuckDB.
#[derive(Clone, Debug)]
pub struct DuckStore(Duck);

impl DuckStore {
    /// The store in `duck`, of which this must be the one writer.
    pub const fn new(duck: Duck) -> Self {
        Self(duck)
    }

    /// Deletes samples and scans from before `oldest` in one transaction, blocking, also when the disk is full;
    /// groups wait meanwhile. Returns how many rows went. Marks stay: what has gone is not taken in again.
    pub fn delete_before(&self, oldest: Timestamp) -> Result<u64, StorageError> {
        self.0.reclaim_blocking(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let mut rows = 0;
            for delete in DELETE_BEFORE {
                rows += transaction.execute(delete, params![moment(oldest)])?;
            }
            transaction.commit()?;
            Ok(rows as u64)
        })
    }
}

const LOAD_MARKS: &str = "SELECT agent_id, boot, max(seq), epoch_us(arg_max_null(timestamp, seq)), count(*)
    FROM marks GROUP BY agent_id, boot";
const NEWEST_SAMPLE: &str = "SELECT epoch_us(max(timestamp)) FROM metrics
    WHERE agent_id = ? AND timestamp BETWEEN ? AND ? AND boot IS NULL";
const NEWEST_SCAN: &str = "SELECT epoch_us(max(scan_timestamp)) FROM scans
    WHERE agent_id = ? AND scan_timestamp BETWEEN ? AND ? AND boot IS NULL";
const DELETE_BEFORE: [&str; 3] = [
    "DELETE FROM metrics WHERE timestamp < ?",
    "DELETE FROM discovery WHERE scan_timestamp < ?",
    "DELETE FROM scans WHERE scan_timestamp < ?",
];

// Looks work below the disk's reserve too, so that a hub whose disk is full starts and answers.

impl Lookup for DuckStore {
    fn newest_unnumbered(
        &mut self,
        kind: Kind,
        agent_id: &AgentId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Option<Timestamp>, StorageError> {
        let sql = match kind {
            Kind::Metrics => NEWEST_SAMPLE,
            Kind::Discovery => NEWEST_SCAN,
        };
        let newest = self.0.reclaim_blocking(|connection| {
            let question = params![agent_id.as_str(), moment(from), moment(to)];
            connection.prepare_cached(sql)?.query_row(question, |row| row.get::<_, Option<i64>>(0))
        })?;
        Ok(newest.map(Timestamp::from_micros))
    }
}

impl Store for DuckStore {
    fn load_marks(&mut self) -> Result<MarkLog, StorageError> {
        self.0.reclaim_blocking(|connection| {
            let mut statement = connection.prepare(LOAD_MARKS)?;
            let mut found = statement.query([])?;
            let mut log = MarkLog::default();
            while let Some(row) = found.next()? {
                let text: String = row.get(0)?;
                let agent_id = AgentId::parse(&text).map_err(|error| {
                    duckdb::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
                })?;
                let timestamp = row.get::<_, Option<i64>>(3)?.map(Timestamp::from_micros);
                let mark = Mark { seq: row.get(2)?, timestamp };
                log.marks.push(MarkRow { agent_id, boot: row.get(1)?, mark });
                log.rows += row.get::<_, u64>(4)?;
            }
            Ok(log)
        })
    }

    fn append(&mut self, rows: &Rows<'_>) -> Result<(), StorageError> {
        self.0.write_blocking(|connection| {
            let transaction = connection.unchecked_transaction()?;
            append_rows(&transaction, "metrics", &rows.samples, batches::samples)?;
            append_rows(&transaction, "scans", &rows.scans, batches::scans)?;
            let hosts: Vec<_> =
                rows.scans.iter().flat_map(|row| row.scan.hosts.iter().map(|host| (*row, host))).collect();
            append_rows(&transaction, "discovery", &hosts, batches::hosts)?;
            append_rows(&transaction, "marks", &rows.marks, batches::marks)?;
            transaction.commit()
        })
    }

    fn compact_marks(&mut self, marks: &[MarkRow]) -> Result<(), StorageError> {
        self.0.write_blocking(|connection| {
            let transaction = connection.unchecked_transaction()?;
            transaction.execute("DELETE FROM marks", [])?;
            append_rows(&transaction, "marks", marks, batches::marks)?;
            transaction.commit()
        })
    }
}

fn append_rows<T>(
    connection: &Connection,
    table: &str,
    rows: &[T],
    to_batch: impl Fn(&[T]) -> Result<RecordBatch, ArrowError>,
) -> Result<(), duckdb::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut appender = connection.appender(table)?;
    for some in rows.chunks(BATCH_ROWS_MAX) {
        let batch = to_batch(some).map_err(|error| duckdb::Error::ToSqlConversionFailure(Box::new(error)))?;
        appender.append_record_batch(batch)?;
    }
    // Without this, an error would be lost when the appender is dropped.
    appender.flush()
}

fn moment(timestamp: Timestamp) -> Value {
    Value::Timestamp(TimeUnit::Microsecond, timestamp.as_micros())
}

#[cfg(test)]
mod tests;
