//! Everyone there is or was, and when they said farewell: for whoever names series by them.

use super::{SELECT, record};
use crate::registry::AgentRecord;
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;
use std::collections::HashMap;

/// What `tell` makes of each agent, tombstones included, and of its newest farewells, by its own clock and oldest first;
/// ordered by id, the first `limit` of them.
pub fn everyone<T>(
    connection: &Connection,
    limit: usize,
    tell: impl Fn(AgentRecord, Vec<Timestamp>) -> T,
) -> rusqlite::Result<Vec<T>> {
    let mut farewells: HashMap<String, Vec<Timestamp>> = HashMap::new();
    let mut statement =
        connection.prepare_cached("SELECT agent_id, at FROM farewells ORDER BY agent_id, at")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, Timestamp::from_micros(row.get(1)?))))?;
    for farewell in rows {
        let (agent_id, at): (String, _) = farewell?;
        farewells.entry(agent_id).or_default().push(at);
    }
    let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY a.id LIMIT ?1"))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut told = |agent: AgentRecord| {
        let farewells = farewells.remove(agent.id.as_str()).unwrap_or_default();
        tell(agent, farewells)
    };
    statement.query_map([limit], record)?.map(|agent| agent.map(&mut told)).collect()
}

/// What changes with whatever [`everyone`] tells, but for what the hub's clock says of agents.
pub fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT version FROM agents_version")?.query_row([], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::migrate::SQLITE;

    fn records() -> Connection {
        let records = Connection::open_in_memory().unwrap();
        SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        records
            .execute_batch("INSERT INTO agents (id, created_at) VALUES ('b', 0), ('a', 0), ('gone', 0)")
            .unwrap();
        records.execute_batch("UPDATE agents SET removed_at = 1 WHERE id = 'gone'").unwrap();
        records
    }

    #[test]
    fn everyone_is_told_with_their_newest_farewells() {
        let records = records();
        for at in 0..40 {
            records.execute("INSERT INTO farewells VALUES ('a', ?1)", [at]).unwrap();
        }
        let told = everyone(&records, 9, |agent, farewells| (agent.id.to_string(), farewells)).unwrap();
        let newest: Vec<_> = (8..40).map(Timestamp::from_micros).collect();
        let expected = [("a", newest), ("b", vec![]), ("gone", vec![])];
        assert_eq!(told, expected.map(|(id, farewells)| (id.to_owned(), farewells)));
        assert_eq!(everyone(&records, 1, |agent, _| agent.id.to_string()).unwrap(), ["a"]);
    }

    #[test]
    fn the_version_changes_with_what_is_told_and_with_nothing_else() {
        let records = records();
        let mut last = version(&records).unwrap();
        for (sql, changes) in [
            ("UPDATE agents SET last_seen_at = 7, status = 'online' WHERE id = 'a'", false),
            ("UPDATE agents SET info = coalesce(NULL, info) WHERE id = 'a'", false),
            ("UPDATE agents SET info = '{\"os\":\"x\"}' WHERE id = 'a'", true),
            ("UPDATE agents SET name = 'A' WHERE id = 'a'", true),
            ("UPDATE agents SET name = 'A' WHERE id = 'a'", false),
            ("UPDATE agents SET labels = '{\"a\":\"b\"}' WHERE id = 'a'", true),
            ("UPDATE agents SET removed_at = 1 WHERE id = 'a'", true),
            ("INSERT INTO agents (id, created_at) VALUES ('c', 0)", true),
            ("INSERT INTO farewells VALUES ('c', 3)", true),
        ] {
            records.execute_batch(sql).unwrap();
            let now = version(&records).unwrap();
            assert_eq!(now != last, changes, "{sql}");
            last = now;
        }
    }
}
