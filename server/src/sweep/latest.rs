//! The newest samples go from memory to the records, some of them once a second and all of them at the end.
//!
//! Some, because under load all agents change in every second, and noting them took a twentieth of the hub's time:
//! so each of a large and busy fleet is noted every few seconds.

use super::{Job, TICK};
use crate::storage::{Sqlite, StorageError};
use rusqlite::Connection;
use std::sync::Arc;

/// Writes one newest sample unless the records have a newer one.
pub type Upsert<S> = fn(&Connection, &S) -> rusqlite::Result<()>;

/// Samples that one write takes, and one tick: the writer's other work must not wait for a whole fleet.
const SAMPLES_PER_WRITE_MAX: usize = 1_024;

/// The job: `take` hands over up to so many of what changed since it was last taken.
pub fn job<S, T>(sqlite: Sqlite, take: T, upsert: Upsert<S>) -> Job
where
    S: Send + 'static,
    T: Fn(usize) -> Vec<S> + Send + Sync + 'static,
{
    let take = Arc::new(take);
    Job::new("latest", TICK, move || {
        let (sqlite, take) = (sqlite.clone(), Arc::clone(&take));
        async move { flush(&sqlite, take(SAMPLES_PER_WRITE_MAX), upsert).await }
    })
}

/// Writes `samples`; also called when the hub stops.
///
/// What cannot be written is not kept for later: the records are a short cut, the history has every sample,
/// and an agent that lives brings a newer one.
pub async fn flush<S: Send + 'static>(
    sqlite: &Sqlite,
    samples: Vec<S>,
    upsert: Upsert<S>,
) -> Result<(), StorageError> {
    let mut rest = samples.into_iter();
    loop {
        let some: Vec<S> = rest.by_ref().take(SAMPLES_PER_WRITE_MAX).collect();
        if some.is_empty() {
            return Ok(());
        }
        let write = move |connection: &Connection| {
            some.iter().try_for_each(|sample| upsert(connection, sample)).map_err(StorageError::from)
        };
        sqlite.write(write).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::scratch::Scratch;

    #[tokio::test]
    async fn all_of_them_are_written_however_many() {
        let sqlite = Scratch::new().sqlite();
        let samples: Vec<i64> = (0..SAMPLES_PER_WRITE_MAX as i64 * 2 + 1).collect();
        let upsert: Upsert<i64> =
            |connection, n| connection.execute("INSERT INTO command_numbers VALUES (?, 0)", [n]).map(drop);
        let expected = samples.len() as i64;
        flush(&sqlite, samples, upsert).await.unwrap();
        let count = |connection: &Connection| {
            connection
                .query_row("SELECT count(*) FROM command_numbers", [], |row| row.get::<_, i64>(0))
                .map_err(StorageError::from)
        };
        assert_eq!(sqlite.read(count).await.unwrap(), expected);
    }
}
