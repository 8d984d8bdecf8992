//! Batches that are over: that is written down once, when it is seen.

use super::{Job, JobError};
use crate::{
    clock::Clock,
    storage::{Sqlite, StorageError},
};
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;
use std::time::Duration;

/// How often is looked: each look goes through the commands of every batch that is open.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Finds batches that are over; a look changes nothing.
pub type FindOver = fn(&Connection) -> rusqlite::Result<Vec<String>>;
/// Writes down that one is.
pub type EndBatch<E> = fn(&Connection, &str, Timestamp) -> Result<(), E>;

/// The job.
pub fn job<E>(sqlite: Sqlite, clock: Clock, over: FindOver, end: EndBatch<E>) -> Job
where
    E: From<StorageError> + Into<JobError> + Send + 'static,
{
    Job::new("batches", LOOK_EVERY, move || {
        let (sqlite, now) = (sqlite.clone(), clock.now());
        async move {
            // Beside the writer: what is open is looked at again and again.
            let found = sqlite.read(move |connection| Ok::<_, StorageError>(over(connection)?)).await;
            let found = found.map_err(E::from)?;
            if found.is_empty() {
                return Ok(());
            }
            sqlite.write(move |connection| found.iter().try_for_each(|id| end(connection, id, now))).await
        }
    })
}
