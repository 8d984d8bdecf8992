//! Commands that nobody fetched in time are expired.

use super::{Job, TICK};
use crate::{
    clock::Clock,
    storage::{Sqlite, StorageError},
};
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;
use std::sync::Arc;

/// Expires pending commands whose time is over at the given moment; says which, in a room's own words.
pub type ExpireCommands<T> = fn(&Connection, Timestamp) -> rusqlite::Result<Vec<T>>;

/// The job. What it expired is told to `told`, once that is on disk.
pub fn job<T: Send + 'static>(
    sqlite: Sqlite,
    clock: Clock,
    expire: ExpireCommands<T>,
    told: impl Fn(Vec<T>) + Send + Sync + 'static,
) -> Job {
    let told = Arc::new(told);
    Job::new("expire", TICK, move || {
        let (sqlite, now, told) = (sqlite.clone(), clock.now(), Arc::clone(&told));
        async move {
            let expired =
                sqlite.write(move |connection| Ok::<_, StorageError>(expire(connection, now)?)).await?;
            if !expired.is_empty() {
                tracing::info!(commands = expired.len(), "not fetched in time: expired");
                told(expired);
            }
            Ok::<_, StorageError>(())
        }
    })
}
