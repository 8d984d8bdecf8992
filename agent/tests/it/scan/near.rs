//! A network of one's own with a host that answers late, and on one port alone.

use super::{by_number, made::made_by};

/// A cable to hosts of 198.19.8.0/26: each answers ARP at once, the quick ones refuse connections within milliseconds, and
/// one takes them on port 8080 half a second later and drops all else.
const HOSTS: &str = r#"
quick, slow = range(10, 21), 50

def reply(frame):
    packet = frame[14:]
    if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x01" and (frame[41] in quick or frame[41] == slow):
        own = bytes([2, 0, 0, 0, 0, frame[41]])
        return 0, frame[6:12] + own + frame[12:20] + b"\x00\x02" + own + frame[38:42] + frame[22:32]
    if frame[12:14] == b"\x08\x00" and begins(packet):
        back = frame[6:12] + frame[0:6] + b"\x08\x00"
        if packet[19] in quick:
            return 0.005, back + answer(packet, 0x14)
        if packet[19] == slow and packet[22:24] == struct.pack("!H", 8080):
            return 0.45, back + answer(packet, 0x12)

run(b"near1", 0x1002, ("address add 198.19.8.1/26 dev near1", "link set near1 up"), reply)
"#;

#[test]
fn a_host_that_drops_all_but_one_port_and_is_slow_there_is_found_with_it() {
    let Some(bed) = made_by(HOSTS) else { return };
    let scan = bed.scan(&["198.19.8.0/26", "--ports", "22,80,443,3000,8080"]);
    let found = by_number(&scan);
    assert!(found.keys().copied().eq([1].into_iter().chain(10..=20).chain([50])), "{:?}", found.keys());
    assert_eq!(found[&50].ports, [8_080], "{:?}", found[&50]);
}
