//! Where this machine is: its own networks, by the routing table, and whom it reaches without a router.
//!
//! A network is the machine's own when a route leads to it directly, over a link that asks by ARP who is there, and
//! that belongs neither to containers nor to virtual machines nor to a tunnel. Those are scanned only where they are named.

use super::kernel::{self, Hardware, Link, Route, Way};
use crate::interfaces::{self, is_bridge};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// What the kernel calls links that lead elsewhere, whatever their names are.
const TUNNELS: [&str; 14] = [
    "tun",
    "wireguard",
    "gre",
    "gretap",
    "ipip",
    "sit",
    "vti",
    "ip6tnl",
    "vxlan",
    "geneve",
    "erspan",
    "xfrm",
    "ovpn",
    "ovpn-dco",
];
/// How the names of such links start, where the kernel does not say.
const TUNNEL_PREFIXES: [&str; 8] = ["tun", "tap", "wg", "utun", "tailscale", "zt", "ppp", "nordlynx"];
/// What the kernel calls links with nobody on them.
const EMPTY: [&str; 2] = ["dummy", "ifb"];
/// The narrowest network with neighbours; a /31 is point to point.
const PREFIX_LEN_MOST: u8 = 30;

/// A network by a link, and why it is not scanned unless it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nearby {
    pub(super) network: Ipv4Net,
    pub(super) link: String,
    pub(super) left_out: Option<&'static str>,
}

/// How a scan comes to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Road {
    /// It is this machine's own.
    Own,
    /// It is the first or the last of a network that this machine is on: no host has it.
    Nobodys,
    /// On a link that asks by ARP: nobody is there if nobody answers that.
    Near,
    /// By a router, or by a link that asks nobody.
    Far,
    /// By a link from which nothing goes out: its cable is not plugged in.
    Cut,
}

/// Links and routes, as they were when a scan began. Empty where the kernel does not tell.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    links: Vec<Link>,
    routes: Vec<Route>,
}

impl Surroundings {
    /// Looks around.
    pub(super) fn look() -> Self {
        match (kernel::links(), kernel::routes()) {
            (Ok(links), Ok(routes)) => Self { links, routes },
            _ => Self::default(),
        }
    }

    /// The networks that this machine is on, those that are left out too.
    pub(super) fn nearby(&self) -> Vec<Nearby> {
        if self.routes.is_empty() {
            // Without containers', and without point to point, which tunnels are.
            let nearby = |(_, network)| Nearby { network, link: String::new(), left_out: None };
            return interfaces::own_networks().into_iter().map(nearby).collect();
        }
        let direct = self.routes.iter().filter(|route| {
            let is_network = (1..=PREFIX_LEN_MOST).contains(&route.prefix_len);
            route.way == Way::Direct && is_network && !route.to.is_link_local() && !route.to.is_loopback()
        });
        let mut found: Vec<Nearby> = direct
            .filter_map(|route| {
                let link = self.link(route.link)?;
                let network = Ipv4Net::new(route.to, route.prefix_len).ok()?.trunc();
                Some(Nearby { network, link: link.name.clone(), left_out: self.why_left_out(link) })
            })
            .collect();
        found.dedup();
        found
    }

    /// How `address` is come to.
    pub(super) fn road(&self, address: Ipv4Addr) -> Road {
        let Some(route) = self.best_route(address) else { return Road::Far };
        let link = self.link(route.link);
        match route.way {
            Way::Own => Road::Own,
            _ if link.is_some_and(|link| self.is_cut(link)) => Road::Cut,
            Way::Direct if is_end(route, address) => Road::Nobodys,
            Way::Direct if link.is_some_and(|link| link.has_arp) => Road::Near,
            Way::Direct | Way::Else => Road::Far,
        }
    }

    /// The hardware address of `address`, where that is this machine's own.
    pub(super) fn own_hardware(&self, address: Ipv4Addr) -> Option<Hardware> {
        let own = self.best_route(address).filter(|route| route.way == Way::Own)?;
        self.link(own.link)?.hardware
    }

    /// The narrowest; of several that are as narrow, one that is the machine's own, then a direct one.
    fn best_route(&self, address: Ipv4Addr) -> Option<&Route> {
        let leads_there = |route: &&Route| {
            Ipv4Net::new(route.to, route.prefix_len).is_ok_and(|network| network.contains(&address))
        };
        let rank = |way| match way {
            Way::Own => 2,
            Way::Direct => 1,
            Way::Else => 0,
        };
        self.routes.iter().filter(leads_there).max_by_key(|route| (route.prefix_len, rank(route.way)))
    }

    fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    fn why_left_out(&self, link: &Link) -> Option<&'static str> {
        let kind = link.kind.as_deref().unwrap_or_default();
        if TUNNELS.contains(&kind) || is_tunnel_name(&link.name) {
            return Some("a tunnel");
        }
        if EMPTY.contains(&kind) || !link.has_arp {
            return Some("nobody is asked there");
        }
        let is_guests = is_bridge(&link.name) || (kind == "bridge" && self.has_guests_only(link));
        is_guests.then_some("of containers or virtual machines")
    }

    /// Whether nothing but containers and virtual machines is plugged into this bridge.
    fn has_guests_only(&self, bridge: &Link) -> bool {
        self.cards(bridge).next().is_none()
    }

    /// What is plugged into this bridge and is neither a container's nor a virtual machine's.
    fn cards(&self, bridge: &Link) -> impl Iterator<Item = &Link> {
        let ports = self.links.iter().filter(move |link| link.master == Some(bridge.index));
        ports.filter(|port| {
            !matches!(port.kind.as_deref(), Some("veth" | "netkit" | "tun"))
                && !is_bridge(&port.name)
                && !is_tunnel_name(&port.name)
        })
    }

    /// Whether nothing goes out by `link`. A bridge has a word of its own while a guest is plugged in, and none once all
    /// have left, who are gone then: its cards say it.
    fn is_cut(&self, link: &Link) -> bool {
        if link.kind.as_deref() != Some("bridge") {
            return !link.has_carrier;
        }
        let mut cards = self.cards(link).peekable();
        cards.peek().is_some() && cards.all(|card| !card.has_carrier)
    }
}

/// Whether `address` is the first or the last one of the network that `route` leads to.
fn is_end(route: &Route, address: Ipv4Addr) -> bool {
    let network =
        Ipv4Net::new(route.to, route.prefix_len).ok().filter(|net| net.prefix_len() <= PREFIX_LEN_MOST);
    network.is_some_and(|net| address == net.network() || address == net.broadcast())
}

fn is_tunnel_name(name: &str) -> bool {
    TUNNEL_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests;
