//! The end of a batch, which is nothing but that of all its commands: it is seen by looking, and written down once.

use super::find_batch;
use crate::commands::{BatchView, CommandsError};
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;

/// Batches that one look finds; what is over waits for the next.
const OVER_MAX: usize = 64;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::migrate::SQLITE;

    const NOW: Timestamp = Timestamp::from_micros(7);

    #[test]
    fn a_batch_is_over_when_all_its_commands_are_and_that_is_told_once() {
        let records = Connection::open_in_memory().unwrap();
        SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        records.execute_batch("INSERT INTO agents (id, created_at) VALUES ('a', 0), ('b', 0)").unwrap();
        for number in 0..OVER_MAX + 2 {
            let (seq, last) = (number + 1, if number == 0 { "running" } else { "failed" });
            records
                .execute_batch(&format!(
                    "INSERT INTO command_batches (id, action, params, asked, created_at, expires_at)
                         VALUES ('{number:03}', 'ping', '{{}}', zeroblob(32), 0, 9);
                     INSERT INTO commands (id, agent_id, seq, action, params, created_at, status, expires_at, batch_id)
                         VALUES ('x{number}', 'a', {seq}, 'ping', '{{}}', 0, 'succeeded', 9, '{number:03}'),
                                ('y{number}', 'b', {seq}, 'ping', '{{}}', 0, '{last}', 9, '{number:03}')"
                ))
                .unwrap();
        }
        let found = over(&records).unwrap();
        assert_eq!((found.len(), found.contains(&"000".to_owned())), (OVER_MAX, false));
        let counts = end_batch(&records, &found[0], NOW).unwrap().counts;
        assert_eq!((counts.succeeded, counts.failed), (1, 1));
        found.iter().for_each(|id| drop(end_batch(&records, id, NOW).unwrap()));
        assert_eq!(over(&records).unwrap().len(), 1, "the one that was one too many");
    }
}
