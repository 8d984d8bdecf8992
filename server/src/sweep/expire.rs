//! Commands that time alone ends: nobody fetched them, or nobody ever reported on them.

use super::{Believed, Job, TICK};
use crate::storage::{Sqlite, StorageError};
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;
use std::{cell::Cell, sync::Arc};

/// Ends the commands whose time is over at the given moment; says which, in a room's own words.
pub type EndCommands<T> = fn(&Connection, Timestamp) -> rusqlite::Result<Vec<T>>;

/// The job. What it ended is told to `told`, once that is on disk. What has ended stays so: a clock that was wrong for a
/// second ends nothing.
pub fn job<T: Send + 'static>(
    sqlite: Sqlite,
    believed: Believed,
    end: EndCommands<T>,
    told: impl Fn(Vec<T>) + Send + Sync + 'static,
) -> Job {
    let told = Arc::new(told);
    Job::new("expire", TICK, move || {
        let (sqlite, now, told) = (sqlite.clone(), believed(), Arc::clone(&told));
        async move {
            let Some(now) = now else { return Ok(()) };
            let work = move |connection: &Connection| {
                let ended = end(connection, now)?;
                Ok::<_, StorageError>((ended.len(), Cell::new(ended)))
            };
            let (commands, _) = sqlite.write_then(work, move |(_, ended)| told(ended.take())).await?;
            if commands > 0 {
                tracing::info!(commands, "not fetched, or not reported, in time: ended");
            }
            Ok::<_, StorageError>(())
        }
    })
}
