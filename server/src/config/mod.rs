//! The agents' configurations: kept here, versioned, fetched by the agent, carried out by the agent.
//!
//! # The story
//! A configuration is a JSON object that belongs to one agent. Setting one makes a new version, one higher than
//! the last, for good: an agent persists the highest version it applied and refuses a lower one, so going back
//! is a new version with old content. An agent nobody configured is at version 0 with an empty object.
//!
//! Whoever sets a version may name the one it was made from; when somebody else was faster, nothing changes and
//! the answer says which version is in force. A change wakes the agent's held-open request for commands, whose
//! answer carries the version, so the agent fetches it at once instead of with its next round.
//!
//! # Promises
//! A version that was answered is on disk. Versions rise by one and are never used twice. The newest
//! [`VERSIONS_MAX`] of an agent are kept.

mod error;
pub mod handler;
pub mod store;
#[cfg(test)]
mod tests;

pub use error::ConfigError;
pub use handler::{Configs, Neighbours};

use pingup_protocol::{ids::AgentId, schema::SchemaError, time::Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

/// One configuration, as compact JSON: what an agent must keep, parse and hold in memory.
pub const CONFIG_BYTES_MAX: usize = 64 * 1024;
/// Versions kept of one agent, the newest: enough to see who changed what, and a bound on the table.
pub const VERSIONS_MAX: u64 = 100;

/// A version of an agent's configuration, as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigView {
    /// Whose it is.
    pub agent_id: AgentId,
    /// Its number; 0 when none was ever set.
    pub version: u64,
    /// The configuration.
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    /// When it was set; null for version 0.
    pub updated_at: Option<Timestamp>,
    /// The operator who set it; null for version 0.
    pub updated_by: Option<String>,
}

impl ConfigView {
    /// What an agent has that nobody configured.
    pub fn unset(agent_id: AgentId) -> Self {
        Self { agent_id, version: 0, config: Map::new(), updated_at: None, updated_by: None }
    }
}

/// A configuration that was found fit to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Compact JSON.
    pub config: String,
    /// The version it was made from, if whoever sets it wants that checked.
    pub expected_version: Option<u64>,
}

impl Draft {
    /// Takes a configuration of at most [`CONFIG_BYTES_MAX`].
    pub fn new(config: Map<String, Value>, expected_version: Option<u64>) -> Result<Self, SchemaError> {
        let config = Value::Object(config).to_string();
        match config.len() {
            ..=CONFIG_BYTES_MAX => Ok(Self { config, expected_version }),
            length => {
                let detail =
                    format!("at most {CONFIG_BYTES_MAX} bytes of compact JSON expected, not {length}");
                Err(SchemaError::at("/config", detail))
            }
        }
    }

    /// The version this becomes when `current` is in force; the current one when another was expected.
    pub fn next_version(&self, current: u64) -> Result<u64, u64> {
        match self.expected_version {
            Some(expected) if expected != current => Err(current),
            _ => Ok(current + 1),
        }
    }
}

#[cfg(test)]
mod rules {
    use super::*;

    fn draft(expected_version: Option<u64>) -> Draft {
        Draft::new(Map::new(), expected_version).unwrap()
    }

    #[test]
    fn versions_rise_by_one_unless_somebody_was_faster() {
        assert_eq!(draft(None).next_version(0), Ok(1));
        assert_eq!(draft(Some(0)).next_version(0), Ok(1));
        assert_eq!(draft(Some(7)).next_version(7), Ok(8));
        assert_eq!(draft(Some(6)).next_version(7), Err(7));
        assert_eq!(draft(Some(8)).next_version(7), Err(7));
    }

    #[test]
    fn a_configuration_has_its_size() {
        let sized = |bytes: usize| {
            let overhead = r#"{"a":""}"#.len();
            let text = "x".repeat(bytes - overhead);
            Draft::new(Map::from_iter([("a".to_owned(), Value::from(text))]), None)
        };
        assert_eq!(sized(CONFIG_BYTES_MAX).unwrap().config.len(), CONFIG_BYTES_MAX);
        assert_eq!(sized(CONFIG_BYTES_MAX + 1).unwrap_err().errors[0].pointer, "/config");
    }
}
