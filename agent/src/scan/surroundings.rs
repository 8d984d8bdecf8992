//! Where this machine is: its own networks, by the routing table, and whom it reaches without a router.
//!
//! A network is the machine's own when a route leads to it directly, over a link that asks by ARP who is there, and
//! that belongs neither to containers nor to virtual machines nor to a tunnel. Those are scanned only where they are named.

use super::kernel::{self, Hardware, Link, Route, Way};
use crate::interfaces::{self, is_bridge};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// What the kernel calls links that lead elsewhere, whatever their names are.
const TUNNELS: [&str; 12] = [
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

    /// Whether `address` is on a link that asks by ARP: then nobody is there if nobody answers that.
    pub(super) fn asks_for(&self, address: Ipv4Addr) -> bool {
        let best = self.best_route(address);
        best.filter(|route| route.way == Way::Direct)
            .and_then(|route| self.link(route.link))
            .is_some_and(|link| link.has_arp)
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
        let mut ports = self.links.iter().filter(|link| link.master == Some(bridge.index));
        ports.all(|port| {
            matches!(port.kind.as_deref(), Some("veth" | "tun"))
                || is_bridge(&port.name)
                || is_tunnel_name(&port.name)
        })
    }
}

fn is_tunnel_name(name: &str) -> bool {
    TUNNEL_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, kind: Option<&str>, master: Option<u32>) -> Link {
        let kind = kind.map(str::to_owned);
        let hardware = Some(Hardware([2, 0, 0, 0, 0, index as u8]));
        Link { index, name: name.to_owned(), kind, master, has_arp: true, hardware }
    }

    fn route(to: &str, link: u32, way: Way) -> Route {
        let network: Ipv4Net = to.parse().unwrap();
        Route { to: network.addr(), prefix_len: network.prefix_len(), link, way }
    }

    /// The names of the links that are scanned unless told otherwise.
    fn scanned(links: Vec<Link>) -> Vec<String> {
        let routes =
            links.iter().map(|link| route(&format!("10.0.{}.0/24", link.index), link.index, Way::Direct));
        let routes = routes.collect();
        let nearby = Surroundings { links, routes }.nearby();
        nearby.into_iter().filter(|nearby| nearby.left_out.is_none()).map(|nearby| nearby.link).collect()
    }

    #[test]
    fn containers_and_tunnels_are_left_out_whatever_they_are_called() {
        let links = vec![
            link(1, "eth0", None, None),
            link(2, "docker0", Some("bridge"), None),
            link(3, "br-0a1b2c3d4e5f", Some("bridge"), None),
            link(4, "virbr0", Some("bridge"), None),
            link(5, "wg0", Some("wireguard"), None),
            link(6, "office", Some("wireguard"), None),
            link(7, "tap0", Some("tun"), None),
            link(8, "veth12", Some("veth"), None),
            link(9, "eth1", Some("veth"), None),
            link(10, "eth0.7", Some("vlan"), None),
            link(11, "kube-ipvs0", Some("dummy"), None),
            link(12, "overlay", Some("vxlan"), None),
            Link { has_arp: false, ..link(13, "ib0", None, None) },
        ];
        assert_eq!(scanned(links), ["eth0", "eth1", "eth0.7"], "a container's own card is its network");
    }

    #[test]
    fn a_bridge_is_the_network_where_a_card_is_plugged_into_it() {
        let links = vec![
            link(1, "br0", Some("bridge"), None),
            link(2, "enp3s0", None, Some(1)),
            link(3, "vnet0", Some("tun"), Some(1)),
            link(4, "lab", Some("bridge"), None),
            link(5, "a1", Some("veth"), Some(4)),
            link(6, "idle", Some("bridge"), None),
            link(7, "br-lan", Some("bridge"), None),
            link(8, "lan1", Some("dsa"), Some(7)),
            link(9, "br-guests", Some("bridge"), None),
            link(10, "a2", Some("veth"), Some(9)),
        ];
        let ports = ["enp3s0", "a1", "lan1", "a2"];
        let bridges: Vec<_> =
            scanned(links).into_iter().filter(|name| !ports.contains(&name.as_str())).collect();
        assert_eq!(bridges, ["br0", "br-lan"]);
    }

    #[test]
    fn the_narrowest_route_says_who_is_reached_without_a_router() {
        let links = vec![link(1, "eth0", None, None), link(2, "wg0", Some("wireguard"), None)];
        let routes = vec![
            route("0.0.0.0/0", 1, Way::Else),
            route("10.0.0.0/16", 1, Way::Direct),
            route("10.0.9.0/24", 1, Way::Else),
            route("10.0.0.5/32", 1, Way::Own),
            route("169.254.0.0/16", 1, Way::Direct),
            route("10.0.3.1/32", 2, Way::Direct),
        ];
        let mut here = Surroundings { links, routes };
        here.links[1].has_arp = false;
        for (address, asks) in [
            ("10.0.1.1", true),
            ("10.0.9.1", false),
            ("10.0.0.5", false),
            ("8.8.8.8", false),
            ("10.0.3.1", false),
        ] {
            assert_eq!(here.asks_for(address.parse().unwrap()), asks, "{address}");
        }
        assert_eq!(here.own_hardware("10.0.0.5".parse().unwrap()), here.links[0].hardware);
        assert_eq!(here.own_hardware("10.0.0.6".parse().unwrap()), None);
        let networks: Vec<_> = here.nearby().into_iter().map(|nearby| nearby.network.to_string()).collect();
        assert_eq!(networks, ["10.0.0.0/16"], "neither link-local nor a single peer");
        assert!(!Surroundings::default().asks_for(Ipv4Addr::LOCALHOST));
    }
}
