//! What a sweep does to agents: silence makes them offline.

use super::unreadable;
use pingup_protocol::{ids::AgentId, time::Timestamp};
use rusqlite::Connection;

/// Sets agents offline that are online and were last heard from before `silent_since`; says which.
pub fn mark_offline(connection: &Connection, silent_since: Timestamp) -> rusqlite::Result<Vec<AgentId>> {
    let mut mark = connection.prepare_cached(
        "UPDATE agents SET status = 'offline' WHERE status = 'online' AND last_seen_at < ?1 RETURNING id",
    )?;
    let marked = mark.query_map([silent_since.as_micros()], |row| row.get::<_, String>(0))?;
    marked.map(|id| AgentId::parse(&id?).map_err(|error| unreadable(0, error))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::migrate::SQLITE;

    fn records() -> Connection {
        let records = Connection::open_in_memory().unwrap();
        SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        records
            .execute_batch(
                "INSERT INTO agents (id, status, last_seen_at, created_at) VALUES
                 ('silent', 'online', 9, 0), ('heard', 'online', 10, 0), ('new', 'pending', NULL, 0)",
            )
            .unwrap();
        records
    }

    #[test]
    fn only_those_that_were_online_and_are_silent_go_offline() {
        let records = records();
        let marked = mark_offline(&records, Timestamp::from_micros(10)).unwrap();
        assert_eq!(marked, [AgentId::parse("silent").unwrap()]);
        assert!(mark_offline(&records, Timestamp::from_micros(10)).unwrap().is_empty());
        let status = |id: &str| {
            records
                .query_row("SELECT status FROM agents WHERE id = ?", [id], |row| row.get::<_, String>(0))
                .unwrap()
        };
        assert_eq!(["silent", "heard", "new"].map(status), ["offline", "online", "pending"]);
    }
}
