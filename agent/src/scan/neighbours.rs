//! Hardware addresses, where the kernel knows them: it has just spoken to every host on its own networks.

use std::{collections::HashMap, net::Ipv4Addr};

/// What an entry looks like that the kernel made, and nobody answered.
const NOBODY: &str = "00:00:00:00:00:00";

/// What Linux's neighbour table holds; empty elsewhere.
pub(super) fn known() -> HashMap<Ipv4Addr, String> {
    std::fs::read_to_string("/proc/net/arp").map(|table| parse(&table)).unwrap_or_default()
}

fn parse(table: &str) -> HashMap<Ipv4Addr, String> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            let address = columns.next()?.parse().ok()?;
            let hardware = columns.nth(2)?;
            (hardware != NOBODY && hardware.len() == NOBODY.len()).then(|| (address, hardware.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_neighbours_that_answered_have_an_address() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     192.168.1.1      0x1         0x2         aa:bb:cc:dd:ee:ff     *        eth0\n\
                     192.168.1.9      0x1         0x0         00:00:00:00:00:00     *        eth0\n\
                     nonsense\n";
        let known = parse(table);
        assert_eq!(known.len(), 1);
        assert_eq!(known[&Ipv4Addr::new(192, 168, 1, 1)], "aa:bb:cc:dd:ee:ff");
    }
}
