//! From Linux's messages to links, routes and neighbours. What is no IPv4, or not understood, is passed over.

use super::{
    Hardware, Link, Neighbour, Route, Trust, Way,
    netlink::{attributes, list, u16_at, u32_at},
};
use std::{io, net::Ipv4Addr};

const AF_INET: u8 = 2;

const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const LINK_BYTES: usize = 16;
const LINK_ADDRESS: u16 = 1;
const LINK_NAME: u16 = 3;
const LINK_MASTER: u16 = 10;
const LINK_INFO: u16 = 18;
const LINK_INFO_KIND: u16 = 1;
/// The type of a link that is Ethernet, or says that it is: wireless ones do.
const ETHERNET: u16 = 1;
const FLAG_LOOPBACK: u32 = 0x8;
/// Either says that something can go out; there are kernels that know but one of them.
const FLAGS_CARRIER: u32 = 0x40 | 0x1_0000;
const FLAG_POINT_TO_POINT: u32 = 0x10;
const FLAG_NO_ARP: u32 = 0x80;

const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
const ROUTE_BYTES: usize = 12;
const ROUTE_TO: u16 = 1;
const ROUTE_LINK: u16 = 4;
const ROUTE_TABLE: u16 = 15;
/// By which a route leads on to a router: an address, several of them, or one of another family.
const ROUTE_GATEWAYS: [u16; 3] = [5, 9, 18];
const TABLE_MAIN: u32 = 254;
const TABLE_LOCAL: u32 = 255;
const TYPE_UNICAST: u8 = 1;
const TYPE_LOCAL: u8 = 2;

const NEW_NEIGHBOUR: u16 = 28;
const GET_NEIGHBOUR: u16 = 30;
const NEIGHBOUR_BYTES: usize = 12;
const NEIGHBOUR_ADDRESS: u16 = 1;
const NEIGHBOUR_HARDWARE: u16 = 2;
const STATE_INCOMPLETE: u16 = 0x01;
const STATE_REACHABLE: u16 = 0x02;
const STATE_STALE: u16 = 0x04;
/// Delayed, and probed.
const STATES_DOUBTED: u16 = 0x08 | 0x10;
/// Without ARP, or permanent.
const STATES_FIXED: u16 = 0x40 | 0x80;

pub(super) fn links() -> io::Result<Vec<Link>> {
    let mut found = Vec::new();
    list(GET_LINK, &[0; LINK_BYTES], NEW_LINK, |body| found.extend(link(body)))?;
    Ok(found)
}

pub(super) fn routes() -> io::Result<Vec<Route>> {
    let mut found = Vec::new();
    list(GET_ROUTE, &of_inet::<ROUTE_BYTES>(), NEW_ROUTE, |body| found.extend(route(body)))?;
    Ok(found)
}

pub(super) fn neighbours() -> io::Result<Vec<Neighbour>> {
    let mut found = Vec::new();
    list(GET_NEIGHBOUR, &of_inet::<NEIGHBOUR_BYTES>(), NEW_NEIGHBOUR, |body| found.extend(neighbour(body)))?;
    Ok(found)
}

/// The fixed part of a request for what is of IPv4.
const fn of_inet<const BYTES: usize>() -> [u8; BYTES] {
    let mut fixed = [0; BYTES];
    fixed[0] = AF_INET;
    fixed
}

fn link(body: &[u8]) -> Option<Link> {
    let (kind, flags) = (u16_at(body, 2)?, u32_at(body, 8)?);
    let no_arp = FLAG_LOOPBACK | FLAG_POINT_TO_POINT | FLAG_NO_ARP;
    let mut link = Link {
        index: u32_at(body, 4)?,
        name: String::new(),
        kind: None,
        master: None,
        has_arp: kind == ETHERNET && flags & no_arp == 0,
        has_carrier: flags & FLAGS_CARRIER != 0,
        hardware: None,
    };
    for (kind, value) in attributes(body.get(LINK_BYTES..)?) {
        match kind {
            LINK_ADDRESS => link.hardware = hardware(value),
            LINK_NAME => link.name = text(value),
            LINK_MASTER => link.master = u32_at(value, 0),
            LINK_INFO => {
                let kind = attributes(value).find(|(kind, _)| *kind == LINK_INFO_KIND);
                link.kind = kind.map(|(_, value)| text(value));
            }
            _ => {}
        }
    }
    Some(link)
}

fn route(body: &[u8]) -> Option<Route> {
    let [family, prefix_len, _, _, table, _, _, kind, ..] = *body else { return None };
    let mut route = Route {
        to: Ipv4Addr::UNSPECIFIED,
        prefix_len,
        link: 0,
        way: if kind == TYPE_UNICAST { Way::Direct } else { Way::Else },
    };
    let mut table = u32::from(table);
    for (kind, value) in attributes(body.get(ROUTE_BYTES..)?) {
        match kind {
            ROUTE_TO => route.to = address(value)?,
            ROUTE_LINK => route.link = u32_at(value, 0)?,
            ROUTE_TABLE => table = u32_at(value, 0)?,
            _ if ROUTE_GATEWAYS.contains(&kind) => route.way = Way::Else,
            _ => {}
        }
    }
    if table == TABLE_LOCAL && kind == TYPE_LOCAL {
        route.way = Way::Own;
    }
    (family == AF_INET && prefix_len <= 32 && (table == TABLE_MAIN || route.way == Way::Own)).then_some(route)
}

fn neighbour(body: &[u8]) -> Option<Neighbour> {
    let trust = match u16_at(body, 8)? {
        STATE_INCOMPLETE => Trust::Asked,
        STATE_REACHABLE => Trust::Confirmed,
        STATE_STALE => Trust::Past,
        state if state & STATES_DOUBTED != 0 => Trust::Doubted,
        state if state & STATES_FIXED != 0 => Trust::Fixed,
        _ => Trust::Unanswered,
    };
    let of = |wanted| attributes(body.get(NEIGHBOUR_BYTES..)?).find(|(kind, _)| *kind == wanted);
    let (_, bytes) = of(NEIGHBOUR_ADDRESS)?;
    let known = of(NEIGHBOUR_HARDWARE).and_then(|(_, value)| hardware(value));
    (*body.first()? == AF_INET).then_some(Neighbour {
        address: address(bytes)?,
        hardware: known.filter(|_| !matches!(trust, Trust::Asked | Trust::Unanswered)),
        trust,
    })
}

fn address(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

/// None where it is not Ethernet's, or nobody's.
fn hardware(value: &[u8]) -> Option<Hardware> {
    <[u8; 6]>::try_from(value).ok().filter(|bytes| *bytes != [0; 6]).map(Hardware)
}

/// A text that ends with a zero.
fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link_body(kind: u16, index: u32, flags: u32, more: &[Vec<u8>]) -> Vec<u8> {
        let fixed = [&[0, 0][..], &kind.to_ne_bytes(), &index.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 4]];
        [fixed.concat(), more.concat()].concat()
    }

    #[test]
    fn a_link_has_its_name_its_kind_and_whose_port_it_is() {
        let info = attribute(LINK_INFO, &attribute(LINK_INFO_KIND, b"veth"));
        let name = attribute(LINK_NAME, b"veth1\0");
        let more =
            [name, attribute(LINK_MASTER, &7_u32.to_ne_bytes()), info, attribute(LINK_ADDRESS, &[2; 6])];
        let read = link(&link_body(ETHERNET, 3, 0x1043, &more)).unwrap();
        assert_eq!((read.index, read.name.as_str(), read.kind.as_deref()), (3, "veth1", Some("veth")));
        assert_eq!((read.master, read.has_arp, read.has_carrier), (Some(7), true, true));
        assert_eq!(read.hardware.unwrap().to_string(), "02:02:02:02:02:02");
        let has_carrier = |flags| link(&link_body(ETHERNET, 3, flags, &[])).unwrap().has_carrier;
        assert!(has_carrier(0x1_1003) && !has_carrier(0x1003), "its cable is out");
        assert!(!link(&link_body(ETHERNET, 1, FLAG_LOOPBACK, &[])).unwrap().has_arp);
        assert!(!link(&link_body(65_534, 1, 0, &[])).unwrap().has_arp, "a tunnel asks nobody");
    }

    #[test]
    fn routes_are_direct_or_lead_on_or_end_here() {
        let body = |table: u8, kind: u8, more: &[Vec<u8>]| {
            let fixed = [AF_INET, 24, 0, 0, table, 0, 0, kind, 0, 0, 0, 0];
            let to = attribute(ROUTE_TO, &[10, 0, 7, 0]);
            [&fixed[..], &to, &attribute(ROUTE_LINK, &2_u32.to_ne_bytes()), &more.concat()].concat()
        };
        let way = |body: &[u8]| route(body).map(|route| route.way);
        assert_eq!(way(&body(254, TYPE_UNICAST, &[])), Some(Way::Direct));
        for gateway in ROUTE_GATEWAYS {
            assert_eq!(way(&body(254, TYPE_UNICAST, &[attribute(gateway, &[10, 0, 0, 1])])), Some(Way::Else));
        }
        assert_eq!(way(&body(254, 6, &[])), Some(Way::Else), "a black hole");
        assert_eq!(way(&body(255, TYPE_LOCAL, &[])), Some(Way::Own));
        assert_eq!(way(&body(100, TYPE_UNICAST, &[])), None, "a table that rules lead to");
        let far_table = attribute(ROUTE_TABLE, &1_000_u32.to_ne_bytes());
        assert_eq!(way(&body(252, TYPE_UNICAST, &[far_table])), None);
        let read = route(&body(254, TYPE_UNICAST, &[])).unwrap();
        assert_eq!((read.to.to_string().as_str(), read.prefix_len, read.link), ("10.0.7.0", 24, 2));
    }

    #[test]
    fn only_neighbours_that_answered_have_an_address() {
        let body = |state: u16| {
            let fixed = [&[AF_INET, 0, 0, 0, 2, 0, 0, 0][..], &state.to_ne_bytes(), &[0, 1]].concat();
            let (to, by) =
                (attribute(NEIGHBOUR_ADDRESS, &[10, 0, 0, 9]), attribute(NEIGHBOUR_HARDWARE, &[2; 6]));
            [fixed, to, by].concat()
        };
        for (state, trust) in [
            (0x01, Trust::Asked),
            (0x02, Trust::Confirmed),
            (0x04, Trust::Past),
            (0x08, Trust::Doubted),
            (0x10, Trust::Doubted),
            (0x20, Trust::Unanswered),
            (0x40, Trust::Fixed),
            (0x80, Trust::Fixed),
        ] {
            let read = neighbour(&body(state)).unwrap();
            assert_eq!(read.trust, trust, "{state:#x}");
            let is_known = !matches!(trust, Trust::Asked | Trust::Unanswered);
            assert_eq!(read.hardware.is_some(), is_known, "{state:#x}");
        }
        assert!((0..20).all(|cut| neighbour(&body(2)[..cut]).is_none()));
    }

    #[test]
    fn this_machine_answers() {
        let links = links().unwrap();
        assert!(links.iter().any(|link| link.name == "lo" && !link.has_arp), "{links:?}");
        routes().unwrap();
        neighbours().unwrap();
    }
}
