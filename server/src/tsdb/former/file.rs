//! The former file itself, attached to an engine of its own, and its rows put in order.

use super::agent_id;
use crate::{
    storage::StorageError,
    tsdb::{
        TsdbError, open, quote,
        rollup::DAY,
        rows::{Mark, MarkRow},
        schema,
    },
};
use duckdb::Connection;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use pingup_protocol::time::Timestamp;
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// What DuckDB may keep in memory while it orders a day.
const MEMORY: &str = "128MB";

/// The former file, attached, and where a day's rows are put in order.
pub(super) struct Former {
    connection: Connection,
    ordered: PathBuf,
}

impl Former {
    pub(super) fn open(file: &Path, scratch: &Path) -> Result<Self, TsdbError> {
        // What a hub that was killed left in the file's log is read too.
        let spill = scratch.join("former");
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(&format!(
            "SET memory_limit = '{MEMORY}'; SET temp_directory = {}; SET preserve_insertion_order = true;
             ATTACH {} AS former (READ_ONLY)",
            quote(&spill),
            quote(file)
        ))?;
        Ok(Self { connection, ordered: scratch.join("former.parquet") })
    }

    /// The days that rows of a table lie in, counted from 1970.
    pub(super) fn days(&self, table: &str, time: &str) -> Result<Vec<i64>, TsdbError> {
        let sql = format!("SELECT DISTINCT {} AS day FROM former.{table} ORDER BY day", day_of(time));
        let mut statement = self.connection.prepare(&sql)?;
        let days = statement.query_map([], |row| row.get(0))?;
        Ok(days.collect::<Result<_, _>>()?)
    }

    /// The newest mark of each stream.
    pub(super) fn marks(&self) -> Result<Vec<MarkRow>, TsdbError> {
        let mut statement = self.connection.prepare(
            "SELECT agent_id, boot, seq, epoch_us(timestamp) FROM former.marks
             QUALIFY row_number() OVER (PARTITION BY agent_id, boot ORDER BY seq DESC, timestamp DESC NULLS LAST) = 1",
        )?;
        let mut rows = statement.query([])?;
        let mut marks = Vec::new();
        while let Some(row) = rows.next()? {
            let timestamp = row.get::<_, Option<i64>>(3)?.map(Timestamp::from_micros);
            marks.push(MarkRow {
                agent_id: agent_id(&row.get::<_, String>(0)?)?,
                boot: row.get(1)?,
                mark: Mark { seq: row.get(2)?, timestamp },
            });
        }
        Ok(marks)
    }

    /// Puts what `query` answers, in its order, where [`Former::read`] finds it.
    pub(super) fn order(&self, query: &str) -> Result<(), TsdbError> {
        let sql = format!("COPY ({query}) TO {} (FORMAT parquet, COMPRESSION zstd)", quote(&self.ordered));
        self.connection.execute_batch(&sql)?;
        Ok(())
    }

    pub(super) fn read(&self) -> Result<ParquetRecordBatchReader, TsdbError> {
        let file = File::open(&self.ordered).map_err(StorageError::file("open", &self.ordered))?;
        Ok(ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(schema::BATCH_ROWS_MAX).build()?)
    }

    pub(super) fn close(self) -> Result<(), TsdbError> {
        drop(self.connection);
        Ok(open::remove(&self.ordered)?)
    }
}

fn day_of(time: &str) -> String {
    format!("((epoch_us({time}) - ((epoch_us({time}) % {DAY}) + {DAY}) % {DAY}) // {DAY})")
}
