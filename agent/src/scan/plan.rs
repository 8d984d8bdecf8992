//! What a scan tries: addresses times ports, both bounded; a wide network only where somebody insists.

mod place;

pub use place::{Place, parse_network};

use super::{
    pace::RATE,
    surroundings::{Nearby, Surroundings},
};
use crate::config::Effective;
use ipnet::Ipv4Net;
use pingup_protocol::limits::{SCAN_HOSTS_MAX, SCAN_HOSTS_UNFORCED_MAX};
use std::{net::Ipv4Addr, num::NonZeroU32};

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
    #[error(
        "{0} is too wide: a /{PREFIX_LEN_LEAST} is the widest network that is scanned; name a part of it"
    )]
    TooWide(Ipv4Net),
    /// Wide, and nobody insists.
    #[error(
        "{0} addresses are many: more than {SCAN_HOSTS_UNFORCED_MAX} are scanned only with --force (in commands \
         and configurations \"force\": true), and take minutes"
    )]
    NotForced(usize),
    /// Too much together.
    #[error("at most {SCAN_HOSTS_MAX} addresses are scanned at a time; name fewer networks")]
    TooMany,
    /// No ports.
    #[error("no ports to try")]
    NoPorts,
    /// No interface of that name has a network.
    #[error("{0:?} is neither a network such as 192.168.1.0/24 nor an interface with one{1}")]
    NoSuchLink(String, String),
    /// No network of its own.
    #[error("this machine has no IPv4 network of its own to scan{0}; name one, e.g. 192.168.1.0/24")]
    NoNetwork(String),
}

/// What a command or a schedule asks for; where it is silent, the configuration says.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The network.
    pub cidr: Option<String>,
    /// The ports.
    pub ports: Option<Vec<u16>>,
    /// Whether many addresses are meant.
    pub force: bool,
}

/// What to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    networks: Vec<Ipv4Net>,
    ports: Vec<u16>,
    rate: NonZeroU32,
    left_out: String,
}

/// An address to examine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The address.
    pub(super) address: Ipv4Addr,
    /// The place of its network in the plan.
    pub(super) network: usize,
}

impl Plan {
    /// All of `networks` on all of `ports`; many addresses only if `force`d.
    pub fn new(networks: Vec<Ipv4Net>, mut ports: Vec<u16>, force: bool) -> Result<Self, PlanError> {
        let networks = Ipv4Net::aggregate(&networks);
        if let Some(network) = networks.iter().find(|network| network.prefix_len() < PREFIX_LEN_LEAST) {
            return Err(PlanError::TooWide(*network));
        }
        match networks.iter().map(addresses).sum::<usize>() {
            count if count > SCAN_HOSTS_MAX => return Err(PlanError::TooMany),
            count if count > SCAN_HOSTS_UNFORCED_MAX && !force => return Err(PlanError::NotForced(count)),
            _ => {}
        }
        ports.sort_unstable();
        ports.dedup();
        if ports.is_empty() {
            return Err(PlanError::NoPorts);
        }
        Ok(Self { networks, ports, rate: RATE, left_out: String::new() })
    }

    /// The same at this rate.
    pub const fn at(mut self, rate: NonZeroU32) -> Self {
        self.rate = rate;
        self
    }

    /// All of `places`; without any, of the machine's own networks.
    pub fn of(places: Option<&[Place]>, ports: Vec<u16>, force: bool) -> Result<Self, PlanError> {
        let nearby = Surroundings::look().nearby();
        match places {
            None => {
                let (networks, left_out) = own_networks(&nearby, force)?;
                Ok(Self { left_out, ..Self::new(networks, ports, force)? })
            }
            Some(places) => {
                let all = places.iter().map(|place| place.networks(&nearby));
                Self::new(all.collect::<Result<Vec<_>, _>>()?.concat(), ports, force)
            }
        }
    }

    /// What `wish` asks for under `config`.
    pub fn choose(wish: Wish, config: &Effective) -> Result<Self, PlanError> {
        let force = wish.force || config.force;
        let ports = wish.ports.unwrap_or_else(|| config.ports.clone());
        let plan = match wish.cidr {
            Some(cidr) => Self::new(vec![parse_network(&cidr)?], ports, wish.force),
            None => Self::of(config.places.as_deref(), ports, force),
        };
        Ok(plan?.at(config.rate))
    }

    /// The networks, none within another.
    pub(super) fn networks(&self) -> &[Ipv4Net] {
        &self.networks
    }

    /// The ports, in order, at least one.
    pub(super) fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Attempts a second.
    pub(super) const fn rate(&self) -> NonZeroU32 {
        self.rate
    }

    /// Every address.
    pub(super) fn targets(&self) -> impl Iterator<Item = Target> + '_ {
        let of =
            |(network, net): (usize, &Ipv4Net)| net.hosts().map(move |address| Target { address, network });
        self.networks.iter().enumerate().flat_map(of)
    }

    /// The machine's networks that are not scanned since nobody named them, each with the reason; empty where there is none.
    pub fn left_out(&self) -> &str {
        &self.left_out
    }

    /// How many addresses that makes.
    pub fn addresses(&self) -> u64 {
        self.networks.iter().map(addresses).sum::<usize>() as u64
    }
}

/// The machine's own networks, as many as may be scanned together, and what is left out.
fn own_networks(nearby: &[Nearby], force: bool) -> Result<(Vec<Ipv4Net>, String), PlanError> {
    let most = if force { SCAN_HOSTS_MAX } else { SCAN_HOSTS_UNFORCED_MAX };
    let (mut chosen, mut left_out): (Vec<Ipv4Net>, Vec<String>) = (Vec::new(), Vec::new());
    for Nearby { network, link, left_out: why } in nearby {
        let together = chosen.iter().map(addresses).sum::<usize>();
        let is_wide = network.prefix_len() < PREFIX_LEN_LEAST || together + addresses(network) > most;
        match why.or(is_wide.then_some("too wide")) {
            Some(why) => left_out.push(format!("{network} on {link} ({why})")),
            None => chosen.push(*network),
        }
    }
    let left_out = left_out.join(", ");
    if chosen.is_empty() {
        let left_out = if left_out.is_empty() { left_out } else { format!("; left out: {left_out}") };
        return Err(PlanError::NoNetwork(left_out));
    }
    Ok((chosen, left_out))
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
mod tests;
