//! Networks whose hosts are one program: they answer as they are told to, and as late.

use super::{Bed, Wanted};
use std::fs::File;

/// What every such program does: it makes a device, says what `reply` makes of what comes there when that is due, and goes with
/// the network. `reply` returns nothing, or seconds and bytes.
const COMMON: &str = r#"
import fcntl, heapq, os, select, struct, sys, time

def begins(packet):
    return len(packet) >= 40 and packet[0] == 0x45 and packet[9] == 6 and packet[33] & 0x12 == 2

def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

def answer(packet, flags):
    source, target, segment = packet[12:16], packet[16:20], packet[20:]
    near_port, port, number = struct.unpack("!HHI", segment[:8])
    reply = struct.pack("!HHIIHHHH", port, near_port, 1, (number + 1) & 0xFFFFFFFF, 0x5000 | flags, 65535, 0, 0)
    total = checksum(target + source + struct.pack("!HH", 6, len(reply)) + reply)
    reply = reply[:16] + struct.pack("!H", total) + reply[18:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + target + source
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + reply

def run(link, kind, lines, reply):
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH", link, kind))
    for line in lines:
        assert os.system("ip " + line) == 0
    if os.fork():
        os._exit(0)
    due, count = [], 0
    while os.path.exists("/proc/" + sys.argv[1]):
        left = max(0, due[0][0] - time.monotonic()) if due else 1
        if select.select([device], [], [], left)[0]:
            later = reply(os.read(device, 2048))
            if later:
                count += 1
                heapq.heappush(due, (time.monotonic() + later[0], count, later[1]))
        while due and due[0][0] <= time.monotonic():
            os.write(device, heapq.heappop(due)[2])
"#;

/// A network beside which `program` makes another; none where that is not to be had.
pub(super) fn made_by(program: &str) -> Option<Bed> {
    if let Err(error) = File::options().read(true).write(true).open("/dev/net/tun") {
        eprintln!("SKIPPED: there are no networks to be made here: /dev/net/tun: {error}");
        return None;
    }
    // The shell's parent becomes the program that lives as long as the network does.
    let near = format!("python3 -c '{COMMON}{program}' $PPID");
    Bed::build(&Wanted { hosts: (10, 10), near: &near, ..Wanted::default() })
}
