//! Whom a selector means, at this moment.

use super::{conditions, unreadable};
use crate::selector::Selector;
use pingup_protocol::ids::AgentId;
use rusqlite::Connection;

/// Up to `limit` living agents that `selector` means, ordered by id.
pub fn select(connection: &Connection, selector: &Selector, limit: usize) -> rusqlite::Result<Vec<AgentId>> {
    let text = selector.q.as_deref().filter(|text| !text.is_empty());
    let (conditions, mut values) = conditions(selector.status, text, &selector.labels);
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    let sql = format!(
        "SELECT a.id FROM agents a LEFT JOIN agent_latest l ON l.agent_id = a.id
         WHERE a.removed_at IS NULL AND {conditions} ORDER BY a.id LIMIT ?"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(0))?;
    rows.map(|id| AgentId::parse(&id?).map_err(|error| unreadable(0, error))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{standing::AgentStatus, storage::migrate::SQLITE};
    use pingup_protocol::labels::Labels;

    #[test]
    fn all_that_a_selector_says_must_hold_and_only_the_living_are_meant() {
        let records = Connection::open_in_memory().unwrap();
        SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        records
            .execute_batch(
                r#"INSERT INTO agents (id, status, labels, created_at, removed_at) VALUES
                 ('web-1', 'online', '{"example.org-role":"web","site":"ber"}', 0, NULL),
                 ('web-2', 'offline', '{"example.org-role":"web","site":"muc"}', 0, NULL),
                 ('web-3', 'offline', '{"example.org-role":"web"}', 0, 1),
                 ('db-1', 'online', '{"example.org-role":"db","site":"ber"}', 0, NULL), ('bare', 'online', '{}', 0, NULL)"#,
            )
            .unwrap();
        let ids = |selector: Selector, limit: usize| -> Vec<String> {
            select(&records, &selector, limit).unwrap().iter().map(AgentId::to_string).collect()
        };
        let web = Selector { labels: Labels::one("example.org-role", "web"), ..Selector::default() };
        assert_eq!(ids(web.clone(), 9), ["web-1", "web-2"]);
        assert_eq!(ids(web.clone(), 1), ["web-1"]);
        assert_eq!(ids(Selector { status: Some(AgentStatus::Offline), ..web.clone() }, 9), ["web-2"]);
        assert_eq!(ids(Selector { q: Some("WEB-1".to_owned()), ..web }, 9), ["web-1"]);
        let labels = serde_json::from_str(r#"{"site":"ber","example.org-role":"db"}"#).unwrap();
        assert_eq!(ids(Selector { labels, ..Selector::default() }, 9), ["db-1"]);
        let online = Selector { status: Some(AgentStatus::Online), ..Selector::default() };
        assert_eq!(ids(online, 9), ["bare", "db-1", "web-1"]);
    }

    #[test]
    fn a_machines_own_label_counts_where_no_operator_set_one() {
        let records = Connection::open_in_memory().unwrap();
        SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        records
            .execute_batch(
                r#"INSERT INTO agents (id, labels, info, created_at) VALUES
                 ('own', '{}', '{"hostname":"h","labels":{"example.org-role":"web"}}', 0),
                 ('both', '{"example.org-role":"db"}', '{"labels":{"example.org-role":"web","site":"ber"}}', 0)"#,
            )
            .unwrap();
        let ids = |name: &str, value: &str| -> Vec<String> {
            let selector = Selector { labels: Labels::one(name, value), ..Selector::default() };
            select(&records, &selector, 9).unwrap().iter().map(AgentId::to_string).collect()
        };
        assert_eq!(ids("example.org-role", "web"), ["own"], "the operator's word hides the machine's");
        assert_eq!(ids("example.org-role", "db"), ["both"]);
        assert_eq!(ids("site", "ber"), ["both"]);
    }
}
