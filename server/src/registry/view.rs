//! An agent as operators see it, put together from the records and from what memory knows more lately.

use crate::standing::AgentStatus;
use pingup_protocol::{
    heartbeat::{ConfigReport, RefusedConfig},
    ids::AgentId,
    labels::Labels,
    metrics::Measurements,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An agent as the records have it.
#[derive(Clone, Debug)]
pub struct AgentRecord {
    /// Its id.
    pub id: AgentId,
    /// Its name for people.
    pub name: Option<String>,
    /// Pending, online or offline.
    pub stored_status: AgentStatus,
    /// When it last beat, by the hub's clock.
    pub last_seen: Option<Timestamp>,
    /// What the machine says of itself.
    pub info: Box<RawValue>,
    /// What operators keep with it.
    pub metadata: Box<RawValue>,
    /// By what operators group it, by their own word.
    pub labels: Labels,
    /// When it came.
    pub created_at: Timestamp,
    /// When it went.
    pub removed_at: Option<Timestamp>,
    /// Its newest sample, as last written down.
    pub newest: Option<Newest>,
    /// What it says of its configurations.
    pub config: ConfigReport,
    /// Its keys; none where they were called compromised.
    pub key: Option<KeyState>,
}

/// An agent's keys, and nothing of what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct KeyState {
    /// Which generation is in use.
    pub generation: u32,
    /// When it was made.
    pub since: Timestamp,
    /// The next one, which the agent has not used yet; null when none is offered.
    pub offered: Option<u32>,
}

/// An agent's configuration: what is wanted of it, and what it made of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ConfigState {
    /// The version in force at the hub; 0 when none was ever set.
    pub wanted: u64,
    /// The version in force at the agent; null when it never said so, or cannot read the one it kept.
    pub applied: Option<u64>,
    /// The newest version that the agent could not apply, and why; null when a newer one was applied.
    pub refused: Option<RefusedConfig>,
}

/// An agent's newest sample.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Newest {
    /// When it was measured, by the agent's clock.
    pub timestamp: Timestamp,
    /// The agent's word for how its machine does.
    pub status: String,
    /// What was measured.
    #[schema(value_type = Object)]
    pub metrics: Measurements,
}

/// An agent as operators see it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentView {
    /// Its id.
    pub id: AgentId,
    /// Its name for people.
    pub name: Option<String>,
    /// How it is doing.
    pub status: AgentStatus,
    /// When it last beat, by the hub's clock.
    pub last_seen: Option<Timestamp>,
    /// What the machine says of itself.
    #[schema(value_type = Object)]
    pub info: Box<RawValue>,
    /// What operators keep with it.
    #[schema(value_type = Object)]
    pub metadata: Box<RawValue>,
    /// By what operators group it: their labels, and where they set none, those of its own settings (`info.labels`).
    pub labels: Labels,
    /// When it came.
    pub created_at: Timestamp,
    /// Its newest sample.
    pub latest: Option<Newest>,
    /// Its configuration.
    pub config: ConfigState,
    /// Its keys; null when it has none, since it was removed or they were called compromised.
    pub key: Option<KeyState>,
}

impl AgentView {
    /// The view of `record`, of which configuration `wanted` is in force, with what is held in memory where that is
    /// newer than what was written down.
    pub fn new(record: AgentRecord, wanted: u64, held: Option<Newest>) -> Self {
        let latest = match (record.newest, held) {
            (Some(written), Some(held)) if written.timestamp > held.timestamp => Some(written),
            (written, held) => held.or(written),
        };
        let word = latest.as_ref().map(|newest| newest.status.as_str());
        Self {
            status: AgentStatus::seen(record.stored_status, record.removed_at.is_some(), word),
            id: record.id,
            name: record.name,
            last_seen: record.last_seen,
            labels: record.labels.or(own_labels(&record.info)),
            info: record.info,
            metadata: record.metadata,
            created_at: record.created_at,
            latest,
            config: ConfigState { wanted, applied: record.config.applied, refused: record.config.refused },
            key: record.key,
        }
    }
}

/// The labels in what a machine says of itself.
fn own_labels(info: &RawValue) -> Labels {
    #[derive(Deserialize)]
    struct Own {
        #[serde(default)]
        labels: Labels,
    }
    serde_json::from_str::<Own>(info.get()).map(|own| own.labels).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_newest_samples_the_newer_shows() {
        let sample = |seconds, status: &str| Newest {
            timestamp: Timestamp::from_micros(0).plus_seconds(seconds),
            status: status.to_owned(),
            metrics: Measurements::default(),
        };
        let seen = |written: Option<Newest>, held: Option<Newest>| {
            let empty = || RawValue::from_string("{}".to_owned()).unwrap();
            let record = AgentRecord {
                id: AgentId::parse("a").unwrap(),
                name: None,
                stored_status: AgentStatus::Online,
                last_seen: None,
                info: empty(),
                metadata: empty(),
                labels: Labels::default(),
                created_at: Timestamp::default(),
                removed_at: None,
                newest: written,
                config: ConfigReport::default(),
                key: None,
            };
            let view = AgentView::new(record, 0, held);
            (view.status, view.latest)
        };
        let (old, new) = (sample(1, "error"), sample(2, "online"));
        let fine = (AgentStatus::Online, Some(new.clone()));
        assert_eq!(seen(Some(old.clone()), Some(new.clone())), fine);
        assert_eq!(seen(Some(new), Some(old.clone())), fine);
        assert_eq!(seen(None, Some(old.clone())), (AgentStatus::Error, Some(old.clone())));
        assert_eq!(seen(Some(old.clone()), None), (AgentStatus::Error, Some(old)));
        assert_eq!(seen(None, None), (AgentStatus::Online, None));
    }

    #[test]
    fn a_machines_own_labels_are_found_in_what_it_says() {
        let own = |info: &str| own_labels(&RawValue::from_string(info.to_owned()).unwrap());
        assert_eq!(own(r#"{"hostname":"h","labels":{"role":"db"}}"#), Labels::one("role", "db"));
        assert_eq!([own("{}"), own(r#"{"labels":7}"#)], [Labels::default(), Labels::default()]);
    }
}
