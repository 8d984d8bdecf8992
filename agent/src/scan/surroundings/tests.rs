//! Which networks are this machine's own, and how an address is come to.

use super::*;

fn link(index: u32, name: &str, kind: Option<&str>, master: Option<u32>) -> Link {
    let kind = kind.map(str::to_owned);
    let hardware = Some(Hardware([2, 0, 0, 0, 0, index as u8]));
    Link { index, name: name.to_owned(), kind, master, has_arp: true, has_carrier: true, hardware }
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
    let bridges: Vec<_> = scanned(links).into_iter().filter(|name| !ports.contains(&name.as_str())).collect();
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
    for (address, road) in [
        ("10.0.1.1", Road::Near),
        ("10.0.0.0", Road::Nobodys),
        ("10.0.255.255", Road::Nobodys),
        ("10.0.9.1", Road::Far),
        ("10.0.0.5", Road::Own),
        ("8.8.8.8", Road::Far),
        ("10.0.3.1", Road::Far),
    ] {
        assert_eq!(here.road(address.parse().unwrap()), road, "{address}");
    }
    assert_eq!(here.own_hardware("10.0.0.5".parse().unwrap()), here.links[0].hardware);
    assert_eq!(here.own_hardware("10.0.0.6".parse().unwrap()), None);
    let networks: Vec<_> = here.nearby().into_iter().map(|nearby| nearby.network.to_string()).collect();
    assert_eq!(networks, ["10.0.0.0/16"], "neither link-local nor a single peer");
    assert_eq!(Surroundings::default().road(Ipv4Addr::LOCALHOST), Road::Far);
    here.links[0].has_carrier = false;
    let roads = ["10.0.1.1", "8.8.8.8", "10.0.0.5"].map(|text| here.road(text.parse().unwrap()));
    assert_eq!(roads, [Road::Cut, Road::Cut, Road::Own], "its cable is out");
}

#[test]
fn a_bridge_is_cut_off_where_all_its_cards_are() {
    let cable_out = |link: Link| Link { has_carrier: false, ..link };
    let links = vec![
        link(1, "br0", Some("bridge"), None),
        cable_out(link(2, "enp3s0", None, Some(1))),
        link(3, "vnet0", Some("tun"), Some(1)),
        link(4, "br1", Some("bridge"), None),
        cable_out(link(5, "enp4s0", None, Some(4))),
        link(6, "enp5s0", None, Some(4)),
        cable_out(link(7, "docker0", Some("bridge"), None)),
    ];
    let route_by = |link: u32| route(&format!("10.0.{link}.0/24"), link, Way::Direct);
    let here = Surroundings { links, routes: [1, 4, 7].map(route_by).to_vec() };
    let road = |link: u8| here.road(Ipv4Addr::new(10, 0, link, 9));
    assert_eq!(road(1), Road::Cut, "a guest is up, and the network is not there");
    assert_eq!(road(4), Road::Near, "one of its cards is enough");
    assert_eq!(road(7), Road::Near, "its last guest is gone, and that is known");
}
