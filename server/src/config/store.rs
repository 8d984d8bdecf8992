//! Configurations in SQLite. Every function runs inside the transaction of whoever calls it.

use super::{ConfigError, ConfigView, Draft, VERSIONS_MAX};
use crate::storage::{Found, take_page};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, types::Type};

const COLUMNS: &str = "version, config, updated_at, updated_by";

/// The version in force; 0 when none was ever set.
pub fn version(connection: &Connection, agent_id: &str) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT coalesce(max(version), 0) FROM configs WHERE agent_id = ?1")?
        .query_row([agent_id], |row| row.get(0))
}

/// The configuration in force.
pub fn current(connection: &Connection, agent_id: &AgentId) -> rusqlite::Result<ConfigView> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM configs WHERE agent_id = ?1 ORDER BY version DESC LIMIT 1"
        ))?
        .query_row([agent_id.as_str()], |row| view(row, agent_id))
        .optional()?;
    Ok(found.unwrap_or_else(|| ConfigView::unset(agent_id.clone())))
}

/// Up to `limit` versions below `before`, the newest first.
pub fn versions(
    connection: &Connection,
    agent_id: &AgentId,
    before: Option<i64>,
    limit: u64,
) -> rusqlite::Result<Found<ConfigView>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM configs WHERE agent_id = ?1 AND (?2 IS NULL OR version < ?2)
             ORDER BY version DESC"
    ))?;
    let rows = statement.query_map((agent_id.as_str(), before), |row| view(row, agent_id))?;
    take_page(rows, limit, |version| serde_json::to_vec(&version.config).map_or(0, |json| json.len()))
}

/// Makes `draft` the version in force, and lets go of the oldest beyond [`VERSIONS_MAX`].
pub fn set(
    connection: &Connection,
    agent_id: &AgentId,
    draft: &Draft,
    updated_by: &str,
    now: Timestamp,
) -> Result<ConfigView, ConfigError> {
    let current_version = version(connection, agent_id.as_str())?;
    let next =
        draft.next_version(current_version).map_err(|current| ConfigError::VersionConflict { current })?;
    connection
        .prepare_cached(
            "INSERT INTO configs (agent_id, version, config, updated_at, updated_by) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((agent_id.as_str(), next, &draft.config, now.as_micros(), updated_by))?;
    connection
        .prepare_cached("DELETE FROM configs WHERE agent_id = ?1 AND version <= ?2")?
        .execute((agent_id.as_str(), next.saturating_sub(VERSIONS_MAX)))?;
    Ok(current(connection, agent_id)?)
}

fn view(row: &Row<'_>, agent_id: &AgentId) -> rusqlite::Result<ConfigView> {
    let config: String = row.get(1)?;
    Ok(ConfigView {
        agent_id: agent_id.clone(),
        version: row.get(0)?,
        config: serde_json::from_str(&config)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(error)))?,
        updated_at: Some(Timestamp::from_micros(row.get(2)?)),
        updated_by: row.get(3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value, json};

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn records() -> (Connection, AgentId) {
        let records = Connection::open_in_memory().unwrap();
        crate::storage::migrate::SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        (records, AgentId::parse("a").unwrap())
    }

    fn draft(config: Value, expected_version: Option<u64>) -> Draft {
        let Value::Object(config) = config else { panic!("an object") };
        Draft::new(config, expected_version).unwrap()
    }

    #[test]
    fn an_agent_nobody_configured_is_at_version_0() {
        let (records, agent) = records();
        assert_eq!(version(&records, "a").unwrap(), 0);
        assert_eq!(current(&records, &agent).unwrap(), ConfigView::unset(agent.clone()));
        assert_eq!(versions(&records, &agent, None, 10).unwrap().items, []);
    }

    #[test]
    fn each_setting_is_a_new_version_that_says_who_and_when() {
        let (records, agent) = records();
        for number in 1..=3_u64 {
            let set =
                set(&records, &agent, &draft(json!({"n": number}), Some(number - 1)), "ada", NOW).unwrap();
            assert_eq!(
                (set.version, set.updated_at, set.updated_by.as_deref()),
                (number, Some(NOW), Some("ada"))
            );
        }
        assert_eq!(current(&records, &agent).unwrap().config, Map::from_iter([("n".to_owned(), json!(3))]));
        let page = versions(&records, &agent, Some(3), 1).unwrap();
        assert_eq!(page.items.iter().map(|v| v.version).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_setting_made_from_another_version_changes_nothing() {
        let (records, agent) = records();
        set(&records, &agent, &draft(json!({}), None), "ada", NOW).unwrap();
        let refused = set(&records, &agent, &draft(json!({"x": 1}), Some(0)), "bob", NOW).unwrap_err();
        assert!(matches!(refused, ConfigError::VersionConflict { current: 1 }), "{refused}");
        assert_eq!(version(&records, "a").unwrap(), 1);
    }

    #[test]
    fn the_oldest_versions_are_let_go() {
        let (records, agent) = records();
        for _ in 0..VERSIONS_MAX + 5 {
            set(&records, &agent, &draft(json!({}), None), "ada", NOW).unwrap();
        }
        let kept = versions(&records, &agent, None, 1_000).unwrap();
        assert_eq!(kept.items.len() as u64, VERSIONS_MAX);
        assert_eq!(kept.items.last().map(|v| v.version), Some(6));
    }
}
