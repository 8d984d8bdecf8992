//! Why the history could not be written or put in order.

use super::{checksum, record::RecordError};
use crate::storage::StorageError;
use arrow::error::ArrowError;
use parquet::errors::ParquetError;
use std::{io, path::PathBuf};

/// Why the history could not be written or put in order.
#[derive(Debug, thiserror::Error)]
pub enum TsdbError {
    /// The cellar.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A record of the journal.
    #[error("segment {segment} of the journal: {source}")]
    Record {
        /// Where it lies.
        segment: u64,
        /// What is wrong.
        source: RecordError,
    },
    /// Rows that cannot be put into columns.
    #[error("rows could not be put into columns: {0}")]
    Arrow(#[from] ArrowError),
    /// A part that cannot be written, or read.
    #[error("a Parquet file: {0}")]
    Parquet(ParquetError),
    /// A part that is not what was written.
    #[error("{}: {}; {}", .0.display(), checksum::CHANGED, checksum::REMEDY)]
    Changed(PathBuf),
    /// A part that is not there.
    #[error("{}: {}; {}", .0.display(), checksum::MISSING, checksum::REMEDY)]
    Missing(PathBuf),
}

impl From<ParquetError> for TsdbError {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(error) => Self::Storage(StorageError::file("write", "a part")(*error)),
                Err(other) => Self::Parquet(ParquetError::External(other)),
            },
            other => Self::Parquet(other),
        }
    }
}

impl From<duckdb::Error> for TsdbError {
    fn from(error: duckdb::Error) -> Self {
        Self::Storage(error.into())
    }
}
