//! What a sweep does to commands: those that nobody fetched in time expire.

use super::changes;
use crate::commands::Change;
use pingup_protocol::{command::CommandStatus, time::Timestamp};
use rusqlite::Connection;

/// Expires pending commands whose time is over; says which.
pub fn expire(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Change>> {
    let mut expire = connection.prepare_cached(
        "UPDATE commands SET status = 'expired' WHERE status = 'pending' AND expires_at <= ?1
         RETURNING id, agent_id",
    )?;
    changes(expire.query([now.as_micros()])?, CommandStatus::Expired, now)
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
        let now = Timestamp::from_micros(10);
        let expired = expire(&records, now).unwrap();
        let told: Vec<_> = expired.iter().map(|change| (change.command_id.as_str(), change.status)).collect();
        assert_eq!(told, [("over", CommandStatus::Expired)]);
        let expired: String = records
            .query_row("SELECT id FROM commands WHERE status = 'expired'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(expired, "over");
        assert!(expire(&records, now).unwrap().is_empty());
    }
}
