//! What may be named for a scan: a network, or an interface.

use super::{PREFIX_LEN_LEAST, PlanError};
use crate::scan::surroundings::Nearby;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// Characters of an interface's name.
const LINK_CHARS_MAX: usize = 15;

/// What may be named: a network, or an interface, which stands for its networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// These addresses.
    Network(Ipv4Net),
    /// The networks that this interface is on when the scan begins.
    Link(String),
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

impl Place {
    /// Reads a network, or the name of an interface.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let text = text.trim();
        let allowed = |b: u8| b.is_ascii_graphic() && b != b'/' && b != b':';
        let is_name = text.len() <= LINK_CHARS_MAX
            && text.bytes().all(allowed)
            && text.bytes().any(|b| b.is_ascii_alphabetic());
        if is_name { Ok(Self::Link(text.to_owned())) } else { parse_network(text).map(Self::Network) }
    }

    /// The networks that it stands for beside these.
    pub(super) fn networks(&self, nearby: &[Nearby]) -> Result<Vec<Ipv4Net>, PlanError> {
        let name = match self {
            Self::Network(network) => return Ok(vec![*network]),
            Self::Link(name) => name,
        };
        let of_link = nearby.iter().filter(|nearby| nearby.link == *name);
        let networks: Vec<_> = of_link.map(|nearby| nearby.network).collect();
        if networks.is_empty() {
            let mut links: Vec<_> = nearby.iter().map(|nearby| nearby.link.as_str()).collect();
            links.dedup();
            let there =
                if links.is_empty() { String::new() } else { format!("; there are: {}", links.join(", ")) };
            return Err(PlanError::NoSuchLink(name.clone(), there));
        }
        Ok(networks)
    }
}
