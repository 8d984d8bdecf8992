//! What a sweep does to commands: those that nobody fetched in time expire.

use pingup_protocol::time::Timestamp;
use rusqlite::Connection;

/// Expires pending commands whose time is over; says how many.
pub fn expire(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "UPDATE commands SET status = 'expired' WHERE status = 'pending' AND expires_at <= ?1",
        )?
        .execute([now.as_micros()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::migrate::SQLITE;

    #[test]
    fn only_what_is_pending_and_over_expires() {
        let records = Connection::open_in_memory().unwrap();
        SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        records
            .execute_batch(
                "INSERT INTO agents (id, created_at) VALUES ('a', 0);
                 INSERT INTO commands (id, agent_id, seq, action, params, status, created_at, expires_at) VALUES
                 ('over', 'a', 1, 'ping', '{}', 'pending', 0, 10), ('open', 'a', 2, 'ping', '{}', 'pending', 0, 11),
                 ('fetched', 'a', 3, 'ping', '{}', 'delivered', 0, 10)",
            )
            .unwrap();
        assert_eq!(expire(&records, Timestamp::from_micros(10)), Ok(1));
        let expired: String = records
            .query_row("SELECT id FROM commands WHERE status = 'expired'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(expired, "over");
    }
}
