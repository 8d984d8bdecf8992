//! A network beyond a router: nobody is asked by ARP there, and answers take as long as they are made to.

use super::{by_number, made::made_by};

/// The near end's router: answers for hosts of 198.19.7.0/24, each after a time of its own.
const ROUTER: &str = r#"
waits = {host: 0.005 for host in range(10, 40)}
waits.update({50: 0.45, 51: 0.45})
open_ports = {10: (22,), 50: (22, 80, 8080)}

def reply(packet):
    if begins(packet) and packet[19] in waits:
        port = struct.unpack("!H", packet[22:24])[0]
        return waits[packet[19]], answer(packet, 0x12 if port in open_ports.get(packet[19], ()) else 0x14)

lines = ("address add 198.19.0.1/30 dev far1", "link set far1 up", "route add 198.19.7.0/24 via 198.19.0.2")
run(b"far1", 0x1001, lines, reply)
"#;

#[test]
fn beyond_a_router_one_slow_host_is_found_among_quick_ones() {
    let Some(bed) = made_by(ROUTER) else { return };
    let scan = bed.scan(&["198.19.7.0/26", "--ports", "22,53,80,443,3000,5000,8080,9090"]);
    let found = by_number(&scan);
    assert!(found.keys().copied().eq((10..40).chain([50, 51])), "{:?}", found.keys());
    assert_eq!(found[&10].ports, [22]);
    assert_eq!(found[&50].ports, [22, 80, 8080], "it is waited for where it was silent at first");
    assert!(found[&51].ports.is_empty(), "it only refuses");
}
