//! Scans of a network (`POST /api/v1/discovery`).

use crate::{
    ids::AgentId,
    limits::{HOST_PORTS_MAX, SCAN_HOSTS_MAX, SCAN_NETWORKS_MAX},
    metrics::check_stream,
    network::Network,
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
    /// The networks whose every address was looked at; of IPv4 networks wider than a /31 all but the first and the last, which
    /// are none of a host. Empty or left out: it is not said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub networks: Vec<Network>,
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
        if self.discovery.networks.len() > SCAN_NETWORKS_MAX {
            let detail = format!("at most {SCAN_NETWORKS_MAX} networks expected");
            return Err(SchemaError::at("/discovery/networks", detail));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::read;

    fn body(networks: &str) -> Result<DiscoveryBody, SchemaError> {
        let json = format!(
            r#"{{"agentId":"a","timestamp":"2026-07-01T00:00:00Z","discovery":{{"hosts":[],"duration":1{networks}}}}}"#
        );
        read(json.as_bytes())
    }

    #[test]
    fn a_scan_may_say_where_it_looked() {
        let said = |networks: &str| body(networks).unwrap().discovery.networks;
        assert_eq!((said(""), said(r#","networks":[]"#)), (Vec::new(), Vec::new()));
        let network = |text| Network::parse(text).unwrap();
        let both = said(r#","networks":["10.0.0.7/24","fe80::/64"]"#);
        assert_eq!(both, [network("10.0.0.0/24"), network("fe80::/64")]);
        let silent = serde_json::to_string(&Scan::default()).unwrap();
        assert!(!silent.contains("networks"), "{silent}");
    }

    #[test]
    fn what_is_no_network_and_what_are_too_many_is_refused_where_it_stands() {
        let pointer = |networks: &str| body(networks).unwrap_err().errors[0].pointer.clone();
        assert_eq!(pointer(r#","networks":["10.0.0.0/24","10.0.0.0/33"]"#), "/discovery/networks/1");
        let many = |count: usize| format!(r#","networks":[{}]"#, vec![r#""10.0.0.0/24""#; count].join(","));
        assert!(body(&many(SCAN_NETWORKS_MAX)).is_ok());
        assert_eq!(pointer(&many(SCAN_NETWORKS_MAX + 1)), "/discovery/networks");
    }
}
