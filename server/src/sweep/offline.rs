//! Agents that have not been heard from for three heartbeats are offline.

use super::{Job, TICK};
use crate::{
    clock::Clock,
    storage::{Sqlite, StorageError},
};
use pingup_protocol::{
    limits::{HEARTBEAT_SECONDS, MISSED_HEARTBEATS_MAX},
    time::Timestamp,
};
use rusqlite::Connection;

/// How long an agent may be silent.
const SILENCE_SECONDS_MAX: i64 = (HEARTBEAT_SECONDS * MISSED_HEARTBEATS_MAX) as i64;

/// Sets agents offline that are online and were last heard from before the given moment; says how many.
pub type MarkOffline = fn(&Connection, Timestamp) -> rusqlite::Result<usize>;

/// The job.
pub fn job(sqlite: Sqlite, clock: Clock, mark_offline: MarkOffline) -> Job {
    Job::new("offline", TICK, move || {
        let (sqlite, now) = (sqlite.clone(), clock.now());
        async move { mark(&sqlite, now, mark_offline).await }
    })
}

async fn mark(sqlite: &Sqlite, now: Timestamp, mark_offline: MarkOffline) -> Result<(), StorageError> {
    let silent_since = now.plus_seconds(-SILENCE_SECONDS_MAX);
    let marked = sqlite
        .write(move |connection| Ok::<_, StorageError>(mark_offline(connection, silent_since)?))
        .await?;
    if marked > 0 {
        tracing::info!(agents = marked, "silent for three heartbeats: offline now");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::scratch::Scratch;

    #[tokio::test]
    async fn the_third_missed_heartbeat_counts() {
        let sqlite = Scratch::new().sqlite();
        let now = Timestamp::from_micros(1_000_000_000);
        let expected = now.plus_seconds(-90);
        assert_eq!(expected.as_micros(), 910_000_000);
        // Answers by failing unless asked for exactly that moment.
        let asked: MarkOffline = |_, since| match since.as_micros() {
            910_000_000 => Ok(1),
            _ => Err(rusqlite::Error::InvalidQuery),
        };
        mark(&sqlite, now, asked).await.unwrap();
        assert!(mark(&sqlite, now.plus_seconds(1), asked).await.is_err());
    }
}
