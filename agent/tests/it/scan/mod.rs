//! Scans of real networks, and when they are made.

pub(crate) mod bed;
mod far;
mod made;
mod near;
mod reach;
mod schedule;

use bed::{Bed, Wanted, address};
use pingup_protocol::{
    discovery::{Host, Scan},
    network::Network,
};
use std::collections::BTreeMap;

/// The hosts of a scan by the last number of their address.
fn by_number(scan: &Scan) -> BTreeMap<u8, &Host> {
    let number = |host: &Host| host.ip.to_string().rsplit('.').next().unwrap().parse().unwrap();
    scan.hosts.iter().map(|host| (number(host), host)).collect()
}

#[test]
fn every_host_and_every_port_of_a_whole_network_is_found() {
    let ports: Vec<u16> = (0..24).map(|index| 8_000 + 7 * index).collect();
    let is_open = |host: u8, port: u16| (usize::from(host) + usize::from(port)) % 3 == 0;
    let hosts = 10..=49_u8;
    let all = hosts.clone().flat_map(|host| ports.iter().map(move |port| (host, *port)));
    let near = "printf '198.18.77.10 printer.example\\n' > /tmp/hosts-$$
                mount --bind /tmp/hosts-$$ /etc/hosts
                rm /tmp/hosts-$$";
    let wanted = Wanted {
        hosts: (10, 49),
        open: all.filter(|(host, port)| is_open(*host, *port)).collect(),
        near,
        far: "",
    };
    let Some(bed) = Bed::build(&wanted) else { return };
    let listed = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    // No network is named: it is this machine's own.
    let scan = bed.scan(&["--ports", &listed]);
    assert_eq!(scan.networks, [Network::parse("198.18.77.0/24").unwrap()], "it says where it looked");
    let found = by_number(&scan);
    let this_machine = 1;
    assert!(found.keys().copied().eq([this_machine].into_iter().chain(hosts.clone())), "{:?}", found.keys());
    let hardware = found[&10].mac.as_deref().unwrap();
    assert!(hardware.len() == 17 && hardware != "00:00:00:00:00:00", "{hardware}");
    for host in hosts {
        let open: Vec<u16> = ports.iter().copied().filter(|port| is_open(host, *port)).collect();
        assert_eq!(found[&host].ports, open, "host {host}");
        assert_eq!(found[&host].mac.as_deref(), Some(hardware), "host {host}");
        assert!(found[&host].latency.is_some(), "host {host}");
    }
    assert_eq!(found[&10].hostname.as_deref(), Some("printer.example"));
    assert!(found[&this_machine].mac.as_deref().is_some_and(|own| own != hardware), "its own is known too");
}

/// Firewalls at the far end, made of routes: what a host may not answer leads into a black hole.
const FIREWALLS: &str = "
    ip route add blackhole default table 60
    ip rule add from 198.18.77.11 ipproto tcp sport 9100 lookup main prio 10
    ip rule add from 198.18.77.13 ipproto icmp lookup main prio 11
    for host in 11 12 13 14; do ip rule add from 198.18.77.$host lookup 60 prio 20; done";

/// Echo requests may be sent, and whom the kernel is unsure of it asks at once.
const ECHO: &str = "
    echo '0 0' > /proc/sys/net/ipv4/ping_group_range
    echo 1 > /proc/sys/net/ipv4/neigh/lan0/delay_first_probe_time";

#[test]
fn hosts_that_keep_quiet_are_found_and_those_that_left_are_not() {
    let open = vec![(10, 80), (11, 9_100), (11, 80)];
    let wanted = Wanted { hosts: (10, 14), open, far: FIREWALLS, near: ECHO };
    let Some(mut bed) = Bed::build(&wanted) else { return };
    let scan = bed.scan(&["lan0", "--ports", "22,80,9100"]);
    let found = by_number(&scan);
    assert!(found.keys().copied().eq([1, 10, 11, 12, 13, 14]), "{:?}", found.keys());
    assert_eq!(found[&10].ports, [80]);
    assert_eq!(found[&11].ports, [9_100], "it answers on one port alone");
    assert!(found[&12].latency.is_none() && found[&12].mac.is_some(), "it answers ARP and nothing else");
    assert!(found[&13].latency.is_some() && found[&13].ports.is_empty(), "it answers echo requests");

    // As it is of itself some half a minute after it has heard of them.
    for host in [12, 14].map(address) {
        let unsure = format!("ip neighbour change {host} dev lan0 nud stale && ip neighbour show {host}");
        let said = bed.near(&unsure);
        assert!(said.contains("STALE"), "the kernel is not unsure: {said}");
    }
    bed.far("ip address del 198.18.77.14/24 dev far0");
    let scan = bed.scan(&["lan0", "--ports", "22,80,9100"]);
    assert!(
        by_number(&scan).keys().copied().eq([1, 10, 11, 12, 13]),
        "the one that left is not there: {scan:?}"
    );
}

#[test]
fn networks_of_containers_are_scanned_where_they_are_named() {
    let near = "
        ip link add docker0 type bridge
        ip address add 198.18.78.1/28 dev docker0
        ip link set docker0 up
        ip link add lab type bridge
        ip address add 198.18.79.1/28 dev lab
        ip link set lab up";
    let wanted = Wanted { hosts: (10, 10), open: vec![(10, 80)], near, far: "" };
    let Some(bed) = Bed::build(&wanted) else { return };
    let addresses = |scan: &Scan| scan.hosts.iter().map(|host| host.ip.to_string()).collect::<Vec<_>>();
    assert_eq!(addresses(&bed.scan(&["--ports", "80"])), ["198.18.77.1", "198.18.77.10"]);
    assert_eq!(addresses(&bed.scan(&["--ports", "80", "docker0"])), ["198.18.78.1"]);
    assert_eq!(
        addresses(&bed.scan(&["--ports", "80", "198.18.79.0/28", "198.18.77.10"])),
        ["198.18.77.10", "198.18.79.1"]
    );

    let said = String::from_utf8(bed.call(&["scan", "--ports", "80"]).stderr).unwrap();
    assert!(said.contains("2 hosts at 254 addresses") && said.contains("left out"), "{said}");

    bed.near("ip address del 198.18.77.1/24 dev lan0");
    let refused = bed.call(&["scan"]);
    let line = String::from_utf8(refused.stderr).unwrap();
    assert_eq!((refused.status.code(), line.lines().count()), (Some(64), 1), "{line}");
    for word in ["no IPv4 network of its own", "198.18.78.0/28 on docker0", "on lab", "name one"] {
        assert!(line.contains(word), "{word} in {line}");
    }
}
