//! The records, copied beside a hub that writes to them.

use crate::storage::StorageError;
use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
    ffi,
};
use std::{
    fs::File,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long a copy waits for another process, which only keeps it out while it opens or closes the records.
const BUSY_WAIT: Duration = Duration::from_secs(10);
/// The pause between two tries.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// All pages at once: a copy of many steps begins anew whenever the hub has written between two.
const EVERY_PAGE: i32 = -1;

/// A connection that reads the records as they are at each moment, beside a running hub or without one. Unlike
/// [`crate::storage::inspect`]'s, a hub may start meanwhile.
pub fn open_beside(path: &Path) -> Result<Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.execute_batch("PRAGMA query_only = ON")?;
    Ok(connection)
}

/// Copies the records of one moment to `to`, and syncs them.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StorageError> {
    let source = open_beside(from)?;
    let mut target = Connection::open(to)?;
    let backup = Backup::new(&source, &mut target)?;
    let begun = Instant::now();
    loop {
        match backup.step(EVERY_PAGE)? {
            StepResult::Done => break,
            StepResult::Busy | StepResult::Locked if begun.elapsed() > BUSY_WAIT => {
                return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None).into());
            }
            _ => thread::sleep(BUSY_PAUSE),
        }
    }
    drop(backup);
    target.close().map_err(|(_, error)| error)?;
    File::open(to).and_then(|file| file.sync_all()).map_err(StorageError::file("sync", to))
}
