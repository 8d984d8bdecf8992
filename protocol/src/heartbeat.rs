//! Heartbeats (`POST /api/v1/agents/:id/heartbeat`): the agent is there, or says that it goes.

use crate::{
    enrol::{Credentials, HostInfo},
    ids::AgentId,
    limits::REASON_BYTES_MAX,
    metrics::Measurements,
    schema::{Checked, SchemaError},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Whether the agent stays or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Presence {
    /// It works.
    Online,
    /// It stops now, of its own accord.
    Offline,
}

/// The body of a heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatBody {
    /// Who beats.
    pub agent_id: AgentId,
    /// The agent's clock. One that is not newer than the last heartbeat's changes nothing.
    pub timestamp: Timestamp,
    /// Whether it stays.
    pub status: Presence,
    /// What the machine is, when that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<HostInfo>,
    /// The latest measurements, for the hub's view of now; history comes by `POST /api/v1/metrics`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Measurements>,
    /// How it does with the hub's configurations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigReport>,
}

/// Which configuration is in force at the agent, and which is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfigReport {
    /// The version in force; 0 before any was, null when the one that was kept cannot be read any more.
    pub applied: Option<u64>,
    /// The newest version that could not be applied, unless a newer one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedConfig>,
}

/// A configuration that an agent could not apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefusedConfig {
    /// Its version.
    pub version: u64,
    /// Why, for people.
    pub reason: String,
}

impl RefusedConfig {
    /// With a reason that is cut where it is too long to be sent.
    pub fn new(version: u64, reason: &str) -> Self {
        Self { version, reason: reason[..reason.floor_char_boundary(REASON_BYTES_MAX)].to_owned() }
    }
}

impl Checked for HeartbeatBody {
    fn check(&self) -> Result<(), SchemaError> {
        let refused = self.config.as_ref().and_then(|config| config.refused.as_ref());
        if refused.is_some_and(|refused| refused.reason.len() > REASON_BYTES_MAX) {
            let detail = format!("at most {REASON_BYTES_MAX} bytes expected");
            return Err(SchemaError::at("/config/refused/reason", detail));
        }
        self.info.as_ref().map_or(Ok(()), |info| info.labels.check("/info/labels"))?;
        self.metrics.as_ref().map_or(Ok(()), |metrics| metrics.check("/metrics"))
    }
}

/// The signed answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatAnswer {
    /// The hub's clock.
    pub server_time: Timestamp,
    /// The version of the agent's configuration; 0 when there is none.
    pub config_version: u64,
    /// Commands that wait for the agent.
    pub pending_commands: u64,
    /// The generation of the key that verified the heartbeat.
    pub generation: u32,
    /// The next generation of the agent's keys, over TLS and loopback only; absent where none waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    fn beat(config: &str) -> Result<Option<ConfigReport>, SchemaError> {
        let body =
            format!(r#"{{"agentId":"a","timestamp":"2026-02-25T10:00:00Z","status":"online"{config}}}"#);
        schema::read::<HeartbeatBody>(body.as_bytes()).map(|body| body.config)
    }

    #[test]
    fn a_heartbeat_may_tell_of_configurations_and_need_not() {
        assert_eq!(beat(""), Ok(None));
        let applied = |applied| Some(ConfigReport { applied, refused: None });
        assert_eq!(beat(r#","config":{"applied":3}"#), Ok(applied(Some(3))));
        assert_eq!(beat(r#","config":{"applied":null}"#), Ok(applied(None)));
        let refused = RefusedConfig::new(4, "because");
        let both = ConfigReport { applied: Some(3), refused: Some(refused) };
        assert_eq!(
            beat(r#","config":{"applied":3,"refused":{"version":4,"reason":"because"}}"#),
            Ok(Some(both))
        );
        assert!(beat(r#","config":{"applied":"3"}"#).is_err());
    }

    #[test]
    fn a_reason_is_cut_to_fit_and_refused_beyond() {
        let long = "é".repeat(REASON_BYTES_MAX);
        let cut = RefusedConfig::new(1, &format!("x{long}")).reason;
        assert_eq!(cut.len(), REASON_BYTES_MAX - 1, "letters are not cut in two");
        let told = |reason: &str| {
            beat(&format!(r#","config":{{"applied":0,"refused":{{"version":1,"reason":"{reason}"}}}}"#))
        };
        assert!(told(&"x".repeat(REASON_BYTES_MAX)).is_ok());
        let refused = told(&"x".repeat(REASON_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(refused.errors[0].pointer, "/config/refused/reason");
    }
}
