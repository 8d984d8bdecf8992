//! What a scan tries: addresses times ports, both bounded.

use crate::{config::Effective, interfaces};
use ipnet::Ipv4Net;
use pingup_protocol::limits::SCAN_HOSTS_MAX;
use std::net::Ipv4Addr;

/// The ports that are tried unless told otherwise: what commonly answers on servers, printers and appliances.
pub const PORTS: [u16; 20] = [
    22, 53, 80, 139, 443, 445, 548, 631, 1883, 3000, 3306, 3389, 5000, 5432, 6379, 8006, 8080, 8443, 9090,
    9100,
];
/// The widest network that is scanned: 65 536 addresses.
const PREFIX_LEN_LEAST: u8 = 16;

/// Why there is nothing to scan.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Not a network.
    #[error("a network such as 192.168.1.0/24 expected, not {0:?}")]
    Malformed(String),
    /// Too wide.
    #[error("{0} is too wide: a /{PREFIX_LEN_LEAST} is the widest network that is scanned")]
    TooWide(Ipv4Net),
    /// Too much together.
    #[error("at most {SCAN_HOSTS_MAX} addresses are scanned at a time")]
    TooMany,
    /// No network of its own.
    #[error("this machine has no IPv4 network of its own; name one")]
    NoNetwork,
}

/// What to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    networks: Vec<Ipv4Net>,
    ports: Vec<u16>,
}

/// Reads `ADDRESS/LENGTH`, or one address.
pub fn parse_network(text: &str) -> Result<Ipv4Net, PlanError> {
    let text = text.trim();
    let network: Ipv4Net = match text.parse::<Ipv4Addr>() {
        Ok(address) => address.into(),
        Err(_) => text.parse().map_err(|_| PlanError::Malformed(text.to_owned()))?,
    };
    match network.prefix_len() < PREFIX_LEN_LEAST {
        true => Err(PlanError::TooWide(network)),
        false => Ok(network.trunc()),
    }
}

impl Plan {
    /// All of `networks` on all of `ports`.
    pub fn new(networks: Vec<Ipv4Net>, mut ports: Vec<u16>) -> Result<Self, PlanError> {
        let networks = Ipv4Net::aggregate(&networks);
        if let Some(network) = networks.iter().find(|network| network.prefix_len() < PREFIX_LEN_LEAST) {
            return Err(PlanError::TooWide(*network));
        }
        if networks.iter().map(addresses).sum::<usize>() > SCAN_HOSTS_MAX {
            return Err(PlanError::TooMany);
        }
        ports.sort_unstable();
        ports.dedup();
        Ok(Self { networks, ports })
    }

    /// What a command or the schedule asks for, and for what it does not say: the configured networks, else the
    /// machine's own; the configured ports.
    pub fn choose(
        cidr: Option<&str>,
        ports: Option<Vec<u16>>,
        config: &Effective,
    ) -> Result<Self, PlanError> {
        let networks = match (cidr, &config.networks) {
            (Some(cidr), _) => vec![parse_network(cidr)?],
            (None, Some(networks)) => networks.clone(),
            (None, None) => own_networks()?,
        };
        Self::new(networks, ports.unwrap_or_else(|| config.ports.clone()))
    }

    /// Every address with every port. Addresses change fastest, so that no host meets many connections at once.
    pub fn targets(&self) -> impl Iterator<Item = (Ipv4Addr, u16)> + '_ {
        let hosts = || self.networks.iter().flat_map(Ipv4Net::hosts);
        self.ports.iter().flat_map(move |&port| hosts().map(move |address| (address, port)))
    }

    /// How many connections that makes.
    pub fn connections(&self) -> u64 {
        self.networks.iter().map(addresses).sum::<usize>() as u64 * self.ports.len() as u64
    }
}

/// The machine's own networks, as many as may be scanned together.
fn own_networks() -> Result<Vec<Ipv4Net>, PlanError> {
    let mut chosen: Vec<Ipv4Net> = Vec::new();
    for (_, network) in interfaces::own_networks() {
        let together = chosen.iter().map(addresses).sum::<usize>();
        if network.prefix_len() < PREFIX_LEN_LEAST || together + addresses(&network) > SCAN_HOSTS_MAX {
            tracing::warn!(%network, "is too wide to be scanned");
        } else {
            chosen.push(network);
        }
    }
    if chosen.is_empty() { Err(PlanError::NoNetwork) } else { Ok(chosen) }
}

/// How many addresses of `network` are hosts'.
fn addresses(network: &Ipv4Net) -> usize {
    match network.prefix_len() {
        32 => 1,
        31 => 2,
        length => (1_usize << (32 - length)) - 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(networks: &[&str], ports: &[u16]) -> Result<Plan, PlanError> {
        let networks = networks.iter().map(|text| parse_network(text)).collect::<Result<_, _>>()?;
        Plan::new(networks, ports.to_vec())
    }

    #[test]
    fn every_host_meets_every_port_once() {
        let plan = plan(&["10.0.0.0/30", "10.0.0.0/30"], &[443, 80, 80]).unwrap();
        let targets: Vec<_> = plan.targets().map(|(address, port)| format!("{address}:{port}")).collect();
        assert_eq!(targets, ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.1:443", "10.0.0.2:443"]);
        assert_eq!(plan.connections(), 4);
        for length in 16..=32_u8 {
            let network = Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), length);
            assert_eq!(network.hosts().count(), addresses(&network), "/{length}");
        }
    }

    #[test]
    fn what_is_too_wide_or_no_network_is_refused() {
        assert!(matches!(parse_network("10.0.0.0/15"), Err(PlanError::TooWide(_))));
        assert!(matches!(plan(&["10.0.0.0/16", "10.1.0.0/16"], &[22]), Err(PlanError::TooWide(_))));
        assert_eq!(plan(&["10.0.0.0/16", "10.9.0.0/24"], &[22]), Err(PlanError::TooMany));
        for bad in ["", "here", "10.0.0.0/33", "::1/128", "10.0.0/24"] {
            assert!(matches!(parse_network(bad), Err(PlanError::Malformed(_))), "{bad:?}");
        }
        assert_eq!(parse_network("192.168.7.9/24").unwrap().to_string(), "192.168.7.0/24");
    }
}
