//! Configuration that the hub keeps for an agent: versioned, and only ever a narrowing of what the agent allows.

use crate::{
    ids::{AgentId, is_name, is_scannable},
    schema::{Checked, SchemaError},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Seconds between samples: the least and the most.
pub const INTERVAL_SECONDS: std::ops::RangeInclusive<u64> = 1..=86_400;
/// Seconds between scans: the least and the most.
pub const DISCOVERY_SECONDS: std::ops::RangeInclusive<u64> = 60..=30 * 86_400;

/// The members of a configuration that this version's agents act on; others are kept and ignored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentConfig {
    /// Seconds between samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<u64>,
    /// When and what to scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery: Option<DiscoveryConfig>,
    /// The actions that stay allowed: an action runs only if the agent's own list has it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
}

/// When and what to scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiscoveryConfig {
    /// Seconds between scans; none are made on their own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_seconds: Option<u64>,
    /// Networks, e.g. `192.168.1.0/24`; the agent's own subnets when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidrs: Option<Vec<String>>,
    /// Ports to try; the agent's list when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<u16>>,
    /// Whether networks as wide as a /16 are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
}

impl AgentConfig {
    /// Reads the members that have a meaning out of a configuration object.
    pub fn read(config: &Map<String, Value>) -> Result<Self, SchemaError> {
        let deserializer = serde::de::value::MapDeserializer::new(config.clone().into_iter());
        let read: Self = serde_path_to_error::deserialize(deserializer).map_err(
            |e: serde_path_to_error::Error<serde_json::Error>| {
                SchemaError::at(
                    format!("/config/{}", e.path().to_string().replace('.', "/")),
                    e.inner().to_string(),
                )
            },
        )?;
        read.check()?;
        Ok(read)
    }

    fn check(&self) -> Result<(), SchemaError> {
        if self.interval_seconds.is_some_and(|s| !INTERVAL_SECONDS.contains(&s)) {
            return Err(SchemaError::at("/config/intervalSeconds", "1 to 86400 seconds expected"));
        }
        if let Some(discovery) = &self.discovery {
            if discovery.every_seconds.is_some_and(|s| !DISCOVERY_SECONDS.contains(&s)) {
                return Err(SchemaError::at(
                    "/config/discovery/everySeconds",
                    "60 to 2592000 seconds expected",
                ));
            }
            let force = discovery.force.unwrap_or(false);
            let is_refused =
                |cidrs: &[String]| cidrs.is_empty() || !cidrs.iter().all(|cidr| is_scannable(cidr, force));
            if discovery.cidrs.as_deref().is_some_and(is_refused) {
                let detail =
                    "IPv4 networks narrower than a /16 expected, at least one; a /16 with \"force\": true";
                return Err(SchemaError::at("/config/discovery/cidrs", detail));
            }
            if discovery.ports.as_ref().is_some_and(|ports| ports.is_empty() || ports.contains(&0)) {
                return Err(SchemaError::at("/config/discovery/ports", "ports from 1 to 65535 expected"));
            }
        }
        match self.allow.iter().flatten().find(|action| !is_name(action)) {
            Some(_) => Err(SchemaError::at("/config/allow", "names of actions expected")),
            None => Ok(()),
        }
    }
}

/// `POST /api/v1/config/:agentId`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfigBody {
    /// The whole new configuration.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub config: Map<String, Value>,
    /// The version it was made from; if another is in force, nothing changes and the answer is 409.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
}

impl Checked for ConfigBody {
    fn check(&self) -> Result<(), SchemaError> {
        AgentConfig::read(&self.config).map(drop)
    }
}

/// The signed answer to an agent's `GET /api/v1/config/:agentId`, before its signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfigAnswer {
    /// Whom it is for.
    pub agent_id: AgentId,
    /// The nonce that was asked with.
    pub nonce: String,
    /// The version; 0 when none was ever set.
    pub version: u64,
    /// When this version was set; the hub's clock when none was.
    pub issued_at: Timestamp,
    /// The configuration.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub config: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn known_members_are_checked_and_others_kept_out_of_meaning() {
        let read = |value: Value| AgentConfig::read(value.as_object().unwrap());
        assert_eq!(read(json!({"note": [1, 2]})), Ok(AgentConfig::default()));
        assert_eq!(read(json!({"intervalSeconds": 5})).unwrap().interval_seconds, Some(5));
        for bad in [
            json!({"intervalSeconds": 0}),
            json!({"intervalSeconds": "5"}),
            json!({"allow": ["rm -rf"]}),
            json!({"discovery": {"everySeconds": 1}}),
            json!({"discovery": {"ports": [0]}}),
            json!({"discovery": {"cidrs": ["10.0.0.0/8"]}}),
            json!({"discovery": {"cidrs": []}}),
            json!({"discovery": {"cidrs": ["10.0.0.0/24", "10.1.0.0/16"]}}),
            json!({"discovery": {"cidrs": ["10.0.0.0/15"], "force": true}}),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
        assert!(read(json!({"discovery": {"cidrs": ["10.1.0.0/16"], "force": true}})).is_ok());
        assert_eq!(
            read(json!({"discovery": {"everySeconds": "x"}})).unwrap_err().errors[0].pointer,
            "/config/discovery/everySeconds"
        );
    }
}
