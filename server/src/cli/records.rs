//! The records, for commands that change or read them beside a running hub, or before the first one.

use super::CliError;
use crate::{
    clock::Clock,
    storage::{DataFolder, DiskSpace, Sqlite},
};
use rusqlite::Connection;
use tokio::runtime::Builder;

/// Runs `work` in one transaction, which is on disk when this returns.
pub(super) fn change<T: Send + 'static>(
    folder: &DataFolder,
    clock: &Clock,
    work: impl FnOnce(&Connection) -> Result<T, CliError> + Send + 'static,
) -> Result<T, CliError> {
    // The key comes before the records, always: records without a key are taken for a loss.
    folder.master_or_create()?;
    let runtime = Builder::new_current_thread()
        .build()
        .map_err(|error| CliError::Failed(format!("cannot start the runtime: {error}")))?;
    // The reserve is for the hub's own safety; here the disk itself says when it is full.
    let disk = DiskSpace::watch(folder.path(), 0)?;
    let sqlite = Sqlite::open(&folder.sqlite_path(), disk, clock.now())?;
    runtime.block_on(async {
        let done = sqlite.write(work).await;
        sqlite.close().await;
        done
    })
}
