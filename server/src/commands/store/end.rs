//! The end of a batch, which is nothing but that of all its commands: it is seen by looking, and written down once.

use super::find_batch;
use crate::commands::{BatchView, CommandsError};
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;

/// Batches that one look finds; what is over waits for the next.
const OVER_MAX: usize = 64;

/// Whether the command is one of a batch.
pub fn is_of_batch(connection: &Connection, command_id: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT batch_id IS NOT NULL FROM commands WHERE id = ?1")?
        .query_row([command_id], |row| row.get(0))
}

/// Batches whose commands are all over, and of which that was not written down yet.
pub fn over(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    // The unary plus keeps SQLite to the batch's own index.
    let mut statement = connection.prepare_cached(
        "SELECT id FROM command_batches WHERE ended_at IS NULL AND NOT EXISTS
             (SELECT 1 FROM commands WHERE batch_id = command_batches.id
                  AND +status IN ('pending', 'delivered', 'running'))
         LIMIT ?1",
    )?;
    statement.query_map([OVER_MAX], |row| row.get(0))?.collect()
}

/// Writes down that a batch was seen to be over, and says how.
pub fn end_batch(connection: &Connection, id: &str, now: Timestamp) -> Result<BatchView, CommandsError> {
    connection
        .prepare_cached("UPDATE command_batches SET ended_at = ?2 WHERE id = ?1")?
        .execute((id, now.as_micros()))?;
    find_batch(connection, id, now)
}
