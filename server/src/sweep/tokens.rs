//! Operators' tokens: their last uses are written down now and then, and those that expired are deleted.

use super::{Believed, Job};
use crate::storage::{Sqlite, StorageError};
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;
use std::{sync::Arc, time::Duration};

/// How often uses are written down.
const NOTE_EVERY: Duration = Duration::from_secs(10);
/// How often is looked for what may be deleted.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// How long a token is still listed after its end.
const KEPT_SECONDS: i64 = 7 * 24 * 3_600;

/// Writes uses down.
pub type NoteUses<U> = fn(&Connection, &[U]) -> rusqlite::Result<()>;
/// Deletes some of what expired at that moment or before; says how many.
pub type Forget = fn(&Connection, Timestamp) -> rusqlite::Result<usize>;

/// The job that writes uses down. What could not be written is not tried again: the next use is.
pub fn note<U: Send + 'static>(
    sqlite: Sqlite,
    take: impl Fn() -> Vec<U> + Send + Sync + 'static,
    note: NoteUses<U>,
) -> Job {
    let take = Arc::new(take);
    Job::new("token-uses", NOTE_EVERY, move || {
        let (sqlite, take) = (sqlite.clone(), Arc::clone(&take));
        async move { flush(&sqlite, take(), note).await }
    })
}

/// Writes down what there is, also when the hub stops.
pub async fn flush<U: Send + 'static>(
    sqlite: &Sqlite,
    uses: Vec<U>,
    note: NoteUses<U>,
) -> Result<(), StorageError> {
    if uses.is_empty() {
        return Ok(());
    }
    sqlite.write(move |connection| Ok(note(connection, &uses)?)).await
}

/// The job that deletes. What expired by a clock that may be wrong stays.
pub fn forget(sqlite: Sqlite, believed: Believed, forget: Forget) -> Job {
    Job::new("tokens", LOOK_EVERY, move || {
        let (sqlite, now) = (sqlite.clone(), believed());
        async move {
            let Some(now) = now else { return Ok(()) };
            let until = now.plus_seconds(-KEPT_SECONDS);
            let gone =
                sqlite.write(move |connection| Ok::<_, StorageError>(forget(connection, until)?)).await?;
            if gone > 0 {
                tracing::info!(tokens = gone, "expired a week ago: deleted");
            }
            Ok::<_, StorageError>(())
        }
    })
}
