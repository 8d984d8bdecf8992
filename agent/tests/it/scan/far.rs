//! A network beyond a router: nobody is asked by ARP there, and answers take as long as they are made to.

use super::{Bed, Wanted, by_number};
use std::fs::File;

/// The near end's router: answers for hosts of 198.19.7.0/24, each after a time of its own. It goes with the network.
const ROUTER: &str = r#"
import fcntl, heapq, os, select, struct, sys, time
LINK = b"far1"
device = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(device, 0x400454CA, struct.pack("16sH", LINK, 0x1001))
for line in ("address add 198.19.0.1/30 dev far1", "link set far1 up", "route add 198.19.7.0/24 via 198.19.0.2"):
    assert os.system("ip " + line) == 0
bed = int(sys.argv[1])
waits = {host: 0.005 for host in range(10, 40)}
waits.update({50: 0.45, 51: 0.45})
open_ports = {10: (22,), 50: (22, 80, 8080)}
if os.fork():
    os._exit(0)

def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

def answer(packet):
    source, target, segment = packet[12:16], packet[16:20], packet[20:]
    near_port, port, number = struct.unpack("!HHI", segment[:8])
    flags = 0x12 if port in open_ports.get(target[3], ()) else 0x14
    reply = struct.pack("!HHIIHHHH", port, near_port, 1, (number + 1) & 0xFFFFFFFF, 0x5000 | flags, 65535, 0, 0)
    total = checksum(target + source + struct.pack("!HH", 6, len(reply)) + reply)
    reply = reply[:16] + struct.pack("!H", total) + reply[18:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + target + source
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + reply

due, count = [], 0
while os.path.exists("/proc/%d" % bed):
    left = max(0, due[0][0] - time.monotonic()) if due else 1
    if select.select([device], [], [], left)[0]:
        packet = os.read(device, 2048)
        begins = packet[0] == 0x45 and packet[9] == 6 and packet[33] & 0x12 == 2
        if begins and packet[19] in waits:
            count += 1
            heapq.heappush(due, (time.monotonic() + waits[packet[19]], count, answer(packet)))
    while due and due[0][0] <= time.monotonic():
        os.write(device, heapq.heappop(due)[2])
"#;

#[test]
fn beyond_a_router_one_slow_host_is_found_among_quick_ones() {
    if let Err(error) = File::options().read(true).write(true).open("/dev/net/tun") {
        eprintln!("SKIPPED: there is no router to be made here: /dev/net/tun: {error}");
        return;
    }
    // The shell's parent becomes the program that lives as long as the network does.
    let near = format!("python3 -c '{ROUTER}' $PPID");
    let wanted = Wanted { hosts: (10, 10), near: &near, ..Wanted::default() };
    let Some(bed) = Bed::build(&wanted) else { return };
    let scan = bed.scan(&["198.19.7.0/26", "--ports", "22,53,80,443,3000,5000,8080,9090"]);
    let found = by_number(&scan);
    assert!(found.keys().copied().eq((10..40).chain([50, 51])), "{:?}", found.keys());
    assert_eq!(found[&10].ports, [22]);
    assert_eq!(found[&50].ports, [22, 80, 8080], "it is waited for where it was silent at first");
    assert!(found[&51].ports.is_empty(), "it only refuses");
}
