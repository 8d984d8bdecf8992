//! The records, copied beside a hub that writes to them.

use crate::storage::StorageError;
use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    types::{ToSqlOutput, ValueRef},
};
use std::{
    fs::{self, File},
    os::unix::ffi::OsStrExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long a copy waits for another process, which only keeps it out while it opens or closes the records.
const BUSY_WAIT: Duration = Duration::from_secs(10);
/// The pause between two tries.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// A connection that reads the records as they are at each moment, beside a running hub or without one. Unlike
/// [`crate::storage::inspect`]'s, a hub may start meanwhile.
pub fn open_beside(path: &Path) -> Result<Connection, StorageError> {
    let connection = connect(path)?;
    connection.execute_batch("PRAGMA query_only = ON")?;
    Ok(connection)
}

fn connect(path: &Path) -> Result<Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    Ok(connection)
}

/// Copies the records of one moment to `to`, where nothing is yet, and syncs them. Rows are copied, not pages: of what was
/// deleted nothing is in the copy, whatever the file still has of it.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StorageError> {
    // It writes to the copy, so it must not be one that only asks.
    let source = connect(from)?;
    let place = ToSqlOutput::Borrowed(ValueRef::Text(to.as_os_str().as_bytes()));
    let begun = Instant::now();
    while let Err(error) = source.execute("VACUUM INTO ?1", [&place]) {
        let is_busy =
            matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
        if !is_busy || begun.elapsed() > BUSY_WAIT {
            return Err(error.into());
        }
        // What was begun is no whole copy, and a file that is there is refused.
        let _nothing_begun = fs::remove_file(to);
        thread::sleep(BUSY_PAUSE);
    }
    File::open(to).and_then(|file| file.sync_all()).map_err(StorageError::file("sync", to))
}
