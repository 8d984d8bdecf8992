//! What the kernel says of this machine's network: links, routes, neighbours. Only Linux is asked; elsewhere nothing is
//! known, and scans go by what answers.

#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod read;

use std::{fmt, io, net::Ipv4Addr};

/// A hardware address of Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hardware(pub(super) [u8; 6]);

impl fmt::Display for Hardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Its number.
    pub(super) index: u32,
    /// Its name.
    pub(super) name: String,
    /// What the kernel calls it when it made it: `bridge`, `veth`, `wireguard`; none for a card.
    pub(super) kind: Option<String>,
    /// The bridge or bond that it is a port of.
    pub(super) master: Option<u32>,
    /// Whether it asks by ARP who has an address.
    pub(super) has_arp: bool,
    /// Whether anything can go out: a cable is plugged in, or what stands for one.
    pub(super) has_carrier: bool,
    /// Its own address, of Ethernet.
    pub(super) hardware: Option<Hardware>,
}

/// Where packets for a network go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The network's address.
    pub(super) to: Ipv4Addr,
    /// Bits of it.
    pub(super) prefix_len: u8,
    /// The link by which.
    pub(super) link: u32,
    /// What kind of way.
    pub(super) way: Way,
}

/// How a network is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is this machine's own address.
    Own,
    /// It is on the link.
    Direct,
    /// By a router, or not at all.
    Else,
}

/// Somebody on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    /// Its address.
    pub(super) address: Ipv4Addr,
    /// Who answered for it; none as long as nobody did.
    pub(super) hardware: Option<Hardware>,
    /// How sure that is.
    pub(super) trust: Trust,
}

/// How sure the kernel is of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It answered within the last half minute or so.
    Confirmed,
    /// It answered once; it may be gone since, and was sent nothing.
    Past,
    /// It answered once, was sent something, and is asked anew.
    Doubted,
    /// It is being asked.
    Asked,
    /// It was asked, and did not answer.
    Unanswered,
    /// An administrator says so.
    Fixed,
}

/// All links.
#[cfg(target_os = "linux")]
pub(super) fn links() -> io::Result<Vec<Link>> {
    read::links()
}

/// The routes of the machine's main table, and its own addresses.
#[cfg(target_os = "linux")]
pub(super) fn routes() -> io::Result<Vec<Route>> {
    read::routes()
}

/// All neighbours of IPv4.
#[cfg(target_os = "linux")]
pub(super) fn neighbours() -> io::Result<Vec<Neighbour>> {
    read::neighbours()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn links() -> io::Result<Vec<Link>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn routes() -> io::Result<Vec<Route>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn neighbours() -> io::Result<Vec<Neighbour>> {
    Err(io::ErrorKind::Unsupported.into())
}
