//! Network interfaces: which are the machine's own, and which belong to containers and virtual machines on it.

use if_addrs::{IfAddr, Interface};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// How the names of interfaces start that container engines, hypervisors and overlays make. Names that people give to
/// bridges of their own, with a card in them, are none of these: `br0`, `xenbr0`, `vmbr0`, `ovsbr0`.
const BRIDGE_PREFIXES: [&str; 5] = [
    // Docker, Podman, containerd.
    "docker podman cni nerdctl veth",
    // LXC, LXD, Incus, systemd-nspawn, Waydroid, Anbox.
    "lxc lxd incus ve- vb- vz- waydroid anbox",
    // libvirt, VMware, VirtualBox, Multipass, Xen.
    "virbr vnet macvtap vmnet vboxnet mpqemubr mpbr vif",
    // Kubernetes.
    "kube cali cilium flannel weave antrea ovn-k8s cbr azv nodelocaldns",
    // Open vSwitch's own.
    "ovs-",
];
/// Digits that a container engine names a bridge by, behind `br-`. People have names for theirs: `br-lan`.
const BRIDGE_DIGITS: usize = 12;

/// Whether the interface `name` belongs to containers or virtual machines.
pub fn is_bridge(name: &str) -> bool {
    let is_numbered = |digits: &str| {
        digits.len() == BRIDGE_DIGITS && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    name.strip_prefix("br-").is_some_and(is_numbered)
        || BRIDGE_PREFIXES.iter().flat_map(|of| of.split(' ')).any(|prefix| name.starts_with(prefix))
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
    }

    #[test]
    fn what_engines_and_hypervisors_make_is_known_by_its_name() {
        for names in [
            "docker0 docker_gwbridge br-0a1b2c3d4e5f podman0 cni0 cni-podman1 nerdctl0 veth12ab",
            "lxcbr0 lxdbr0 incusbr0 ve-web vb-web vz-lab waydroid0 anbox0",
            "virbr0 virbr0-nic vnet7 macvtap0 vmnet1 vmnet8 vboxnet0 mpqemubr0 mpbr0 vif3.0",
            "kube-bridge kube-ipvs0 cali12345678901 cilium_host flannel.1 weave antrea-gw0 ovn-k8s-mp0 cbr0",
            "azv1234567890 nodelocaldns ovs-system",
        ] {
            assert_eq!(names.split(' ').find(|name| !is_bridge(name)), None);
        }
    }

    /// Among them what a guest of Hyper-V, WSL or a cloud has, which is a network of the guest's own.
    #[test]
    fn what_an_administrator_made_is_the_network() {
        for names in [
            "br0 br-lan br-ex br-0a1b2c br-0a1b2c3d4e5f6 bridge0 xenbr0 vmbr0 ovsbr0 bond0 team0 azure0",
            "eth0 eth0.7 enp3s0 eno1 ens192 wlan0 vlan7 usb0",
        ] {
            assert_eq!(names.split(' ').find(|name| is_bridge(name)), None);
        }
    }
}
