//! Network interfaces: which are the machine's own, and which belong to containers and virtual machines on it.

use if_addrs::{IfAddr, Interface};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// How the names of interfaces start that container engines, hypervisors and overlays make.
const BRIDGE_PREFIXES: [&str; 12] =
    ["docker", "veth", "virbr", "vnet", "cni", "flannel", "podman", "lxc", "lxd", "cali", "kube", "vmnet"];
/// Digits that a container engine names a bridge by, behind `br-`. People have names for theirs: `br-lan`.
const BRIDGE_DIGITS: usize = 12;

/// Whether the interface `name` belongs to containers or virtual machines.
pub fn is_bridge(name: &str) -> bool {
    let is_numbered = |digits: &str| {
        digits.len() == BRIDGE_DIGITS && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    name.strip_prefix("br-").is_some_and(is_numbered)
        || BRIDGE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The machine's IPv4 addresses with their networks: no loopback, link-local, bridge or point-to-point one.
/// Empty as well when the machine would not tell.
pub fn own_networks() -> Vec<(Ipv4Addr, Ipv4Net)> {
    if_addrs::get_if_addrs().map(|all| all.iter().filter_map(own_network).collect()).unwrap_or_default()
}

fn own_network(interface: &Interface) -> Option<(Ipv4Addr, Ipv4Net)> {
    let IfAddr::V4(address) = &interface.addr else { return None };
    if interface.is_loopback() || interface.is_link_local() || interface.is_p2p || is_bridge(&interface.name)
    {
        return None;
    }
    let network = Ipv4Net::with_netmask(address.ip, address.netmask).ok()?;
    (network.prefix_len() < 31).then(|| (address.ip, network.trunc()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use if_addrs::{IfOperStatus, Ifv4Addr};

    fn interface(name: &str, ip: [u8; 4], prefix_len: u8) -> Interface {
        let network = Ipv4Net::new(ip.into(), prefix_len).unwrap();
        Interface {
            name: name.to_owned(),
            addr: IfAddr::V4(Ifv4Addr {
                ip: ip.into(),
                netmask: network.netmask(),
                prefixlen: prefix_len,
                broadcast: None,
            }),
            index: None,
            oper_status: IfOperStatus::Up,
            is_p2p: false,
        }
    }

    #[test]
    fn only_networks_with_neighbours_of_ones_own_count() {
        let found = own_network(&interface("eth0", [192, 168, 7, 9], 24)).map(|(_, network)| network);
        assert_eq!(found, Some("192.168.7.0/24".parse().unwrap()));
        for (name, ip, prefix_len) in [
            ("lo", [127, 0, 0, 1], 8),
            ("eth0", [169, 254, 1, 1], 16),
            ("docker0", [172, 17, 0, 1], 16),
            ("br-0a1b2c3d4e5f", [172, 18, 0, 1], 16),
            ("virbr0", [192, 168, 122, 1], 24),
            ("wg0", [10, 0, 0, 1], 32),
        ] {
            assert_eq!(own_network(&interface(name, ip, prefix_len)), None, "{name}");
        }
        for name in ["br0", "br-lan", "br-0a1b2c", "br-0a1b2c3d4e5f6", "enp3s0"] {
            assert!(!is_bridge(name), "a bridge that an administrator made is the network: {name}");
        }
    }
}
