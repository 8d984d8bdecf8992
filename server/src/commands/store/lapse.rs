//! What a sweep does to commands: those that nobody fetched in time expire, and those that must be over by now, though
//! nobody reported them, are unknown.

use super::changes;
use crate::commands::{Change, GIVE_UP_SECONDS, LAPSE_MAX};
use pingup_protocol::{command::CommandStatus, limits::COMMAND_TIMEOUT_SECONDS_MAX, time::Timestamp};
use rusqlite::Connection;

/// Ends what time alone ends at `now`; says which. At most [`LAPSE_MAX`] each way.
pub fn lapse(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Change>> {
    let mut ended = expire(connection, now)?;
    ended.extend(give_up(connection, now)?);
    Ok(ended)
}

fn expire(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Change>> {
    let mut expire = connection.prepare_cached(
        "UPDATE commands SET status = 'expired' WHERE id IN
             (SELECT id FROM commands WHERE status = 'pending' AND expires_at <= ?1 LIMIT ?2)
         RETURNING id, agent_id",
    )?;
    changes(expire.query((now.as_micros(), LAPSE_MAX))?, CommandStatus::Expired, now)
}

/// A delivered one may be begun until it expires, and run as long as it may from then; one of which the hub heard that
/// it runs had begun by then.
fn give_up(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Change>> {
    let mut give_up = connection.prepare_cached(
        "UPDATE commands SET status = 'unknown' WHERE id IN
             (SELECT id FROM commands WHERE status = 'delivered' AND expires_at <= ?1
                  AND expires_at + (coalesce(timeout_seconds, ?2) + ?3) * 1000000 <= ?1
              UNION ALL
              SELECT id FROM commands WHERE status = 'running'
                  AND running_at + (coalesce(timeout_seconds, ?2) + ?3) * 1000000 <= ?1
              LIMIT ?4)
         RETURNING id, agent_id",
    )?;
    let rows = give_up.query((now.as_micros(), COMMAND_TIMEOUT_SECONDS_MAX, GIVE_UP_SECONDS, LAPSE_MAX))?;
    changes(rows, CommandStatus::Unknown, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::migrate::SQLITE;

    const SECOND: i64 = 1_000_000;
    const GRACE: i64 = GIVE_UP_SECONDS as i64 * SECOND;
    const DAY: i64 = COMMAND_TIMEOUT_SECONDS_MAX as i64 * SECOND;

    fn records(commands: &str) -> Connection {
        let records = Connection::open_in_memory().unwrap();
        SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        records
            .execute_batch(&format!(
                "INSERT INTO agents (id, created_at) VALUES ('a', 0);
                 INSERT INTO commands (id, agent_id, seq, action, params, created_at, status, expires_at, running_at,
                                       timeout_seconds) VALUES {commands}"
            ))
            .unwrap();
        records
    }

    fn lapsed(records: &Connection, at: i64) -> Vec<(String, CommandStatus)> {
        let ended = lapse(records, Timestamp::from_micros(at)).unwrap();
        ended.into_iter().map(|change| (change.command_id, change.status)).collect()
    }

    #[test]
    fn only_what_is_pending_and_over_expires() {
        let records = records(
            "('over', 'a', 1, 'ping', '{}', 0, 'pending', 10, NULL, NULL),
             ('open', 'a', 2, 'ping', '{}', 0, 'pending', 11, NULL, NULL),
             ('fetched', 'a', 3, 'ping', '{}', 0, 'delivered', 10, NULL, NULL)",
        );
        assert_eq!(lapsed(&records, 10), [("over".to_owned(), CommandStatus::Expired)]);
        assert!(lapsed(&records, 10).is_empty(), "told once");
    }

    #[test]
    fn what_must_be_over_and_was_not_heard_of_is_unknown() {
        let records = records(
            "('delivered', 'a', 1, 'ping', '{}', 0, 'delivered', 10, NULL, 60),
             ('unsaid', 'a', 2, 'ping', '{}', 0, 'delivered', 10, NULL, NULL),
             ('running', 'a', 3, 'ping', '{}', 0, 'running', 9000000000000, 20, 60),
             ('done', 'a', 4, 'ping', '{}', 0, 'failed', 10, 10, 60)",
        );
        let unknown = |id: &str| (id.to_owned(), CommandStatus::Unknown);
        assert!(lapsed(&records, 9 + 60 * SECOND + GRACE).is_empty());
        assert_eq!(lapsed(&records, 10 + 60 * SECOND + GRACE), [unknown("delivered")]);
        assert_eq!(lapsed(&records, 20 + 60 * SECOND + GRACE), [unknown("running")]);
        assert_eq!(lapsed(&records, 10 + DAY + GRACE), [unknown("unsaid")]);
    }
}
