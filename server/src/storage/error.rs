//! What can go wrong in the cellar, and which of it passes by itself.

use super::MigrationError;
use std::{io, path::PathBuf, sync::Arc};

/// Why storage did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// SQLite refused or failed.
    #[error("SQLite: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// SQLite could not commit a group of writes; everyone in the group is told the same, and nothing was
    /// kept.
    #[error("SQLite could not commit: {0}")]
    Commit(#[source] Arc<rusqlite::Error>),
    /// DuckDB refused or failed.
    #[error("DuckDB: {0}")]
    Duckdb(#[source] duckdb::Error),
    /// There is no disk space, or less than is held in reserve.
    #[error("no disk space for the data folder; free some, the hub goes on by itself")]
    Full,
    /// Too much work waits already.
    #[error("too much work waits for the database")]
    Busy,
    /// Answers that their readers have not taken yet leave no room for another.
    #[error("long answers that are not taken yet leave no room for this one")]
    Unread,
    /// The database has been closed; the hub is stopping.
    #[error("the database is closed")]
    Closed,
    /// It took longer than a query may take.
    #[error("the query took too long and was stopped")]
    Timeout,
    /// The work itself panicked; it was rolled back.
    #[error("the work on the database panicked; it was rolled back")]
    Panicked,
    /// A database's tables are not what this program needs.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// A file or folder cannot be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb: `open`, `create`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The data folder is not as it must be; the text says what is wrong and what to do.
    #[error("{0}")]
    Folder(String),
    /// A storage call failed on purpose, in a test.
    #[error("{0} failed on purpose")]
    Injected(&'static str),
}

impl StorageError {
    /// What a stranger may hear of it; the whole of it is for the log.
    pub fn outward(&self) -> &'static str {
        match self {
            Self::Full => "the hub has no disk space; it goes on by itself when there is some",
            Self::Busy => "too much work waits for the database",
            Self::Unread => {
                "long answers that their readers have not taken yet leave no room for this one; ask for less at a time"
            }
            Self::Closed => "the hub is stopping",
            Self::Timeout => "the query took too long and was stopped; ask for less",
            _ => "the database cannot do this now",
        }
    }

    /// Whether the same work may succeed later without anyone changing it: answered "come back", not
    /// "broken".
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Full | Self::Busy | Self::Unread | Self::Closed | Self::Timeout | Self::Injected(_) => true,
            Self::Sqlite(error) => sqlite_is_transient(error),
            Self::Commit(error) => sqlite_is_transient(error),
            Self::Duckdb(error) => duckdb_message(error).is_some_and(is_transient_message),
            Self::Panicked | Self::Migration(_) | Self::File { .. } | Self::Folder(_) => false,
        }
    }

    /// Whether it is that a file is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            // The three that pass when space is freed: the disk, a quota, a limit on the file's size.
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full
            }
            _ => Self::File { doing, path, source },
        }
    }
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::Sqlite(error) }
    }
}

impl From<Arc<rusqlite::Error>> for StorageError {
    fn from(error: Arc<rusqlite::Error>) -> Self {
        if is_full(&error) { Self::Full } else { Self::Commit(error) }
    }
}

impl From<duckdb::Error> for StorageError {
    fn from(error: duckdb::Error) -> Self {
        if duckdb_message(&error).is_some_and(is_full_message) { Self::Full } else { Self::Duckdb(error) }
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}

fn sqlite_is_transient(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode as Code;
    matches!(
        error.sqlite_error_code(),
        Some(
            Code::DatabaseBusy
                | Code::DatabaseLocked
                | Code::DiskFull
                | Code::OutOfMemory
                | Code::SystemIoFailure
                | Code::OperationAborted // a neighbour in the group met one of the others
        )
    )
}

/// DuckDB tells kinds of errors apart only by the first words of their text.
fn duckdb_message(error: &duckdb::Error) -> Option<&str> {
    match error {
        duckdb::Error::DuckDBFailure(_, message) => message.as_deref(),
        _ => None,
    }
}

fn is_transient_message(message: &str) -> bool {
    ["IO Error", "FATAL Error", "INTERRUPT Error", "Out of Memory Error"]
        .iter()
        .any(|kind| message.starts_with(kind))
}

/// What the system says when a file cannot grow: the disk, a quota, or a limit on the file's size.
fn is_full_message(message: &str) -> bool {
    ["No space left on device", "Disk quota exceeded", "File too large"]
        .iter()
        .any(|text| message.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duckdb_failure(message: &str) -> StorageError {
        duckdb::Error::DuckDBFailure(duckdb::ffi::Error::new(1), Some(message.to_owned())).into()
    }

    fn sqlite_failure(code: i32) -> StorageError {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None).into()
    }

    #[test]
    fn a_full_disk_is_recognised_whoever_meets_it() {
        assert!(matches!(sqlite_failure(rusqlite::ffi::SQLITE_FULL), StorageError::Full));
        for text in
            ["IO Error: Could not write file \"a\": No space left on device", "FATAL Error: … File too large"]
        {
            assert!(matches!(duckdb_failure(text), StorageError::Full), "{text}");
        }
        for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT, rustix::io::Errno::FBIG] {
            let met = StorageError::file("write", "journal")(errno.into());
            assert!(matches!(met, StorageError::Full), "{met}");
        }
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_does_not() {
        assert!(sqlite_failure(rusqlite::ffi::SQLITE_BUSY).is_transient());
        assert!(sqlite_failure(rusqlite::ffi::SQLITE_IOERR).is_transient());
        assert!(!sqlite_failure(rusqlite::ffi::SQLITE_CONSTRAINT).is_transient());
        assert!(duckdb_failure("IO Error: Could not read").is_transient());
        assert!(duckdb_failure("INTERRUPT Error: Interrupted!").is_transient());
        assert!(!duckdb_failure("Binder Error: no such column").is_transient());
        assert!(StorageError::Busy.is_transient() && !StorageError::Panicked.is_transient());
    }
}
