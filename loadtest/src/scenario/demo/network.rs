//! What a machine of the demo finds in its network. Pure.

use super::noise::{HOUR, chance};
use crate::measured::mix;
use pingup_protocol::{
    discovery::{Host, Scan},
    network::Network,
};
use std::net::Ipv4Addr;

/// What a scan finds at that moment: a network is the same from scan to scan, but for a few that come and go.
pub(super) fn found(seed: u64, at: i64) -> Scan {
    const PORTS: [&[u16]; 4] = [&[22], &[22, 80, 443], &[443], &[]];
    let hosts = 18 + seed % 40;
    let is_there = |host: &u64| chance(seed ^ host, at.div_euclid(5 * HOUR)) > 0.06;
    let address = |host: u64| Ipv4Addr::new(10, 20, (seed % 250) as u8, host as u8).into();
    let host = |host: u64| Host {
        ip: address(host),
        latency: Some(((chance(seed ^ host, at) * 30.0).round() + 2.0) / 10.0),
        ports: PORTS[(mix(seed ^ host) % 4) as usize].to_vec(),
        hostname: None,
        mac: None,
    };
    let duration = (1_500.0 + 900.0 * chance(seed ^ 23, at)).round();
    let hosts = (1..=hosts).filter(is_there).map(host).collect();
    Scan { hosts, networks: Network::new(address(0), 24).into_iter().collect(), duration }
}
