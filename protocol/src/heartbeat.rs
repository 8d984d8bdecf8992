//! Heartbeats (`POST /api/v1/agents/:id/heartbeat`): the agent is there, or says that it goes.

use crate::{
    enrol::HostInfo,
    ids::AgentId,
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
}

impl Checked for HeartbeatBody {
    fn check(&self) -> Result<(), SchemaError> {
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
}
