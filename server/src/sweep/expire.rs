//! Commands that nobody fetched in time are expired.

use super::{Job, TICK};
use crate::{
    clock::Clock,
    storage::{Sqlite, StorageError},
};
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;

/// Expires pending commands whose time is over at the given moment; says how many.
pub type ExpireCommands = fn(&Connection, Timestamp) -> rusqlite::Result<usize>;

/// The job.
pub fn job(sqlite: Sqlite, clock: Clock, expire: ExpireCommands) -> Job {
    Job::new("expire", TICK, move || {
        let (sqlite, now) = (sqlite.clone(), clock.now());
        async move {
            let expired =
                sqlite.write(move |connection| Ok::<_, StorageError>(expire(connection, now)?)).await?;
            if expired > 0 {
                tracing::info!(commands = expired, "not fetched in time: expired");
            }
            Ok::<_, StorageError>(())
        }
    })
}
