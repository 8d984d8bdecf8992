//! A network of one's own with a host that answers late, and on one port alone.

use super::{Bed, Wanted, by_number};
use std::fs::File;

/// A cable to hosts of 198.19.8.0/26, all of them in this program: each answers ARP at once, the quick ones refuse
/// connections within milliseconds, and one takes them on port 8080 half a second later and drops all else. It goes with the
/// network.
const HOSTS: &str = r#"
import fcntl, heapq, os, select, struct, sys, time
device = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(device, 0x400454CA, struct.pack("16sH", b"near1", 0x1002))
for line in ("address add 198.19.8.1/26 dev near1", "link set near1 up"):
    assert os.system("ip " + line) == 0
bed, quick, slow = int(sys.argv[1]), range(10, 21), 50
if os.fork():
    os._exit(0)

def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

def said_arp(frame):
    own = bytes([2, 0, 0, 0, 0, frame[41]])
    return frame[6:12] + own + frame[12:20] + b"\x00\x02" + own + frame[38:42] + frame[22:32]

def answer(frame, flags):
    source, target, segment = frame[26:30], frame[30:34], frame[34:]
    near_port, port, number = struct.unpack("!HHI", segment[:8])
    reply = struct.pack("!HHIIHHHH", port, near_port, 1, (number + 1) & 0xFFFFFFFF, 0x5000 | flags, 65535, 0, 0)
    total = checksum(target + source + struct.pack("!HH", 6, len(reply)) + reply)
    reply = reply[:16] + struct.pack("!H", total) + reply[18:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + target + source
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return frame[6:12] + frame[0:6] + b"\x08\x00" + header + reply

due, count = [], 0
while os.path.exists("/proc/%d" % bed):
    left = max(0, due[0][0] - time.monotonic()) if due else 1
    if select.select([device], [], [], left)[0]:
        frame, later = os.read(device, 2048), None
        if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x01":
            if frame[41] in quick or frame[41] == slow:
                later = (0, said_arp(frame))
        elif frame[12:15] == b"\x08\x00\x45" and frame[23] == 6 and frame[47] & 0x12 == 2:
            if frame[33] in quick:
                later = (0.005, answer(frame, 0x14))
            elif frame[33] == slow and frame[36:38] == struct.pack("!H", 8080):
                later = (0.45, answer(frame, 0x12))
        if later:
            count += 1
            heapq.heappush(due, (time.monotonic() + later[0], count, later[1]))
    while due and due[0][0] <= time.monotonic():
        os.write(device, heapq.heappop(due)[2])
"#;

#[test]
fn a_host_that_drops_all_but_one_port_and_is_slow_there_is_found_with_it() {
    if let Err(error) = File::options().read(true).write(true).open("/dev/net/tun") {
        eprintln!("SKIPPED: there are no cables to be made here: /dev/net/tun: {error}");
        return;
    }
    // The shell's parent becomes the program that lives as long as the network does.
    let near = format!("python3 -c '{HOSTS}' $PPID");
    let wanted = Wanted { hosts: (10, 10), near: &near, ..Wanted::default() };
    let Some(bed) = Bed::build(&wanted) else { return };
    let scan = bed.scan(&["198.19.8.0/26", "--ports", "22,80,443,3000,8080"]);
    let found = by_number(&scan);
    assert!(found.keys().copied().eq([1].into_iter().chain(10..=20).chain([50])), "{:?}", found.keys());
    assert_eq!(found[&50].ports, [8_080], "{:?}", found[&50]);
}
