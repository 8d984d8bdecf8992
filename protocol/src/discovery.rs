//! Scans of a network (`POST /api/v1/discovery`).

use crate::{
    ids::AgentId,
    limits::{HOST_PORTS_MAX, SCAN_HOSTS_MAX},
    metrics::check_stream,
    schema::{Checked, SchemaError},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// `POST /api/v1/discovery`.
// Its head is that of `SingleBody`, written out: flattened, a mistake in it would lose its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiscoveryBody {
    /// Who scanned.
    pub agent_id: AgentId,
    /// The stream; with `seq` or not at all. One stream carries samples and scans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<u64>,
    /// The number within the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// When the scan began, by the agent's clock.
    pub timestamp: Timestamp,
    /// What was found.
    pub discovery: Scan,
}

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Scan {
    /// The hosts that answered.
    pub hosts: Vec<Host>,
    /// How long it took, milliseconds.
    pub duration: f64,
}

/// A host that answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Host {
    /// Its address, IPv4 or IPv6.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub ip: IpAddr,
    /// Its fastest answer, milliseconds.
    #[serde(default)]
    pub latency: Option<f64>,
    /// Open TCP ports.
    pub ports: Vec<u16>,
    /// Its name, where one was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Its hardware address, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}

impl Checked for DiscoveryBody {
    fn check(&self) -> Result<(), SchemaError> {
        check_stream(self.boot, self.seq)?;
        if self.discovery.duration < 0.0 {
            return Err(SchemaError::at("/discovery/duration", "milliseconds, not negative, expected"));
        }
        if self.discovery.hosts.len() > SCAN_HOSTS_MAX {
            return Err(SchemaError::at(
                "/discovery/hosts",
                format!("at most {SCAN_HOSTS_MAX} hosts expected"),
            ));
        }
        for (index, host) in self.discovery.hosts.iter().enumerate() {
            if host.latency.is_some_and(|v| v < 0.0) {
                let at = format!("/discovery/hosts/{index}/latency");
                return Err(SchemaError::at(at, "milliseconds, not negative, expected"));
            }
            if host.ports.len() > HOST_PORTS_MAX {
                let at = format!("/discovery/hosts/{index}/ports");
                return Err(SchemaError::at(at, format!("at most {HOST_PORTS_MAX} ports expected")));
            }
        }
        Ok(())
    }
}
