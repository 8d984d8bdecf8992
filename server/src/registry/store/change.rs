//! How agents change, and how they go.

use super::{AgentRecord, find_living, standing};
use crate::{
    generations,
    registry::{RegistryError, is_newer_beat},
    standing::{AgentChange, CancelOpen, Untold},
};
use pingup_protocol::{
    heartbeat::{ConfigReport, Presence},
    ids::AgentId,
    labels::{Labels, LabelsPatch},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension};

/// A heartbeat that was verified.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Whose.
    pub agent_id: AgentId,
    /// The agent's clock.
    pub timestamp: Timestamp,
    /// Whether it stays.
    pub presence: Presence,
    /// What the machine is, JSON, when that changed.
    pub info: Option<String>,
    /// How it does with configurations, if it says so.
    pub config: Option<ConfigReport>,
}

/// What a heartbeat came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beaten {
    /// It was not newer than the last, and changed nothing.
    Older,
    /// It was, and its agent came or went by it, if so.
    Newer(Option<AgentChange>),
}

/// Takes a heartbeat in.
pub fn beat(connection: &Connection, beat: &Beat, now: Timestamp) -> Result<Beaten, RegistryError> {
    standing(connection, beat.agent_id.as_str())?.living(beat.agent_id.as_str())?;
    let (last, before): (Option<i64>, String) = connection
        .prepare_cached("SELECT last_beat_at, status FROM agents WHERE id = ?1")?
        .query_row([beat.agent_id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if !is_newer_beat(last.map(Timestamp::from_micros), (beat.presence, beat.timestamp), now) {
        return Ok(Beaten::Older);
    }
    let (status, change) = match beat.presence {
        Presence::Online => ("online", AgentChange::Online),
        Presence::Offline => ("offline", AgentChange::Offline),
    };
    connection
        .prepare_cached(
            "UPDATE agents SET status = ?2, last_beat_at = ?3, last_seen_at = ?4, info = coalesce(?5, info)
             WHERE id = ?1",
        )?
        .execute((beat.agent_id.as_str(), status, beat.timestamp.as_micros(), now.as_micros(), &beat.info))?;
    if beat.presence == Presence::Offline {
        connection
            .prepare_cached("INSERT OR IGNORE INTO farewells (agent_id, at) VALUES (?1, ?2)")?
            .execute((beat.agent_id.as_str(), beat.timestamp.as_micros()))?;
    }
    if let Some(report) = &beat.config {
        note_config(connection, &beat.agent_id, report)?;
    }
    Ok(Beaten::Newer((status != before).then_some(change)))
}

/// Writes nothing where nothing is new: most heartbeats tell the same.
fn note_config(connection: &Connection, agent_id: &AgentId, report: &ConfigReport) -> rusqlite::Result<()> {
    let refused = report.refused.as_ref();
    connection
        .prepare_cached(
            "UPDATE agents SET config_applied = ?2, config_refused = ?3, config_reason = ?4
             WHERE id = ?1 AND (config_applied, config_refused, config_reason) IS NOT (?2, ?3, ?4)",
        )?
        .execute((
            agent_id.as_str(),
            report.applied,
            refused.map(|refused| refused.version),
            refused.map(|refused| &refused.reason),
        ))
        .map(drop)
}

/// The newest version of its configuration that the agent said it has, or will not have; 0 where it said nothing.
pub fn config_reported(connection: &Connection, agent_id: &str) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(
            "SELECT max(coalesce(config_applied, 0), coalesce(config_refused, 0)) FROM agents WHERE id = ?1",
        )?
        .query_row([agent_id], |row| row.get(0))
}

/// The word of the agent's newest sample for how its machine does, as last written down.
pub fn newest_word(connection: &Connection, agent_id: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT status FROM agent_latest WHERE agent_id = ?1")?
        .query_row([agent_id], |row| row.get(0))
        .optional()
}

/// What of an agent is to change; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Its name; `Some(None)` clears it.
    pub name: Option<Option<String>>,
    /// What operators keep with it, whole, JSON.
    pub metadata: Option<String>,
    /// Its labels; `Some(None)` clears them all.
    pub labels: Option<Option<LabelsPatch>>,
}

/// Changes a living agent.
pub fn patch(connection: &Connection, agent_id: &str, change: Change) -> Result<AgentRecord, RegistryError> {
    let AgentRecord { labels: before, .. } = find_living(connection, agent_id)?;
    if let Some(name) = change.name {
        connection.prepare_cached("UPDATE agents SET name = ?2 WHERE id = ?1")?.execute((agent_id, name))?;
    }
    if let Some(metadata) = change.metadata {
        connection
            .prepare_cached("UPDATE agents SET metadata = ?2 WHERE id = ?1")?
            .execute((agent_id, metadata))?;
    }
    if let Some(labels) = change.labels {
        let labels = labels.map_or(Ok(Labels::default()), |patch| before.patched(patch))?;
        let text = serde_json::to_string(&labels)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        connection
            .prepare_cached("UPDATE agents SET labels = ?2 WHERE id = ?1")?
            .execute((agent_id, text))?;
    }
    find_living(connection, agent_id)
}

/// Ends all keys of a living agent at once, which can say nothing from then on; what it was before.
pub fn compromise(connection: &Connection, agent_id: &str) -> Result<AgentRecord, RegistryError> {
    let record = find_living(connection, agent_id)?;
    generations::end_all(connection, agent_id)?;
    connection
        .prepare_cached("UPDATE agents SET status = 'offline' WHERE id = ?1 AND status = 'online'")?
        .execute([agent_id])?;
    Ok(record)
}

/// Makes a living agent a tombstone: its keys are gone for good, what was open for it is cancelled. Returns also what is
/// to be told of that.
pub fn remove(
    connection: &Connection,
    agent_id: &str,
    now: Timestamp,
    cancel_open: &CancelOpen,
) -> Result<(AgentRecord, Untold), RegistryError> {
    let record = find_living(connection, agent_id)?;
    connection
        .prepare_cached("UPDATE agents SET removed_at = ?2, status = 'offline' WHERE id = ?1")?
        .execute((agent_id, now.as_micros()))?;
    generations::end_all(connection, agent_id)?;
    let cancelled = cancel_open(connection, &record.id, now)?;
    Ok((AgentRecord { removed_at: Some(now), key: None, ..record }, cancelled))
}
