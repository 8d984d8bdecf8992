//! Where a scan looked, as the hub is told it: as much as the hub takes, and nothing beyond what is told of the hosts.

use ipnet::{Ipv4Net, Ipv4Subnets};
use pingup_protocol::{limits::SCAN_NETWORKS_MAX, network::Network};
use std::net::{IpAddr, Ipv4Addr};

/// `networks` as the hub takes them: the widest where they are too many. Who is in one of the others is neither gone nor new.
pub(super) fn told(networks: impl Iterator<Item = Ipv4Net>) -> Vec<Network> {
    let mut told: Vec<_> = networks.collect();
    told.sort_by_key(Ipv4Net::prefix_len);
    told.truncate(SCAN_NETWORKS_MAX);
    told.sort_unstable();
    told.iter().flat_map(|net| Network::new(net.network().into(), net.prefix_len())).collect()
}

/// What of `networks` lies no further than `last`; the one that it is in comes in pieces.
pub fn up_to(networks: &[Network], last: IpAddr) -> Vec<Network> {
    let last = match last {
        IpAddr::V4(last) => last,
        // In order of addresses all of IPv4 comes before.
        IpAddr::V6(_) => Ipv4Addr::BROADCAST,
    };
    let of_v4 = |network: &Network| match network.address() {
        IpAddr::V4(first) => Ipv4Net::new(first, network.prefix_len()).ok(),
        IpAddr::V6(_) => None,
    };
    let begun = networks.iter().filter_map(of_v4).filter(|net| net.network() <= last);
    told(begun.flat_map(|net| Ipv4Subnets::new(net.network(), net.broadcast().min(last), 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(networks: &[&str], last: &str) -> Vec<String> {
        let networks: Vec<_> = networks.iter().map(|text| Network::parse(text).unwrap()).collect();
        up_to(&networks, last.parse().unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn networks_end_where_the_last_host_is() {
        assert_eq!(cut(&["10.0.0.0/28"], "10.0.0.9"), ["10.0.0.0/29", "10.0.0.8/31"]);
        assert_eq!(cut(&["10.0.0.0/28"], "10.0.0.15"), ["10.0.0.0/28"]);
        assert_eq!(cut(&["10.0.0.0/28"], "10.0.0.0"), ["10.0.0.0/32"]);
        let three = ["10.0.0.0/24", "10.0.2.0/24", "10.0.4.7/32"];
        assert_eq!(
            cut(&three, "10.0.2.130"),
            ["10.0.0.0/24", "10.0.2.0/25", "10.0.2.128/31", "10.0.2.130/32"]
        );
        assert_eq!(cut(&three, "10.0.4.7"), three);
        assert_eq!(cut(&["255.255.0.0/16"], "255.255.255.255"), ["255.255.0.0/16"]);
    }

    #[test]
    fn of_more_networks_than_the_hub_takes_the_widest_are_told() {
        let many: Vec<_> = (0..SCAN_NETWORKS_MAX).map(|n| format!("10.{n}.0.0/22")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let told = cut(&many, "10.63.2.6");
        assert_eq!(
            (told.len(), &told[..63]),
            (SCAN_NETWORKS_MAX, &many[..63].iter().map(ToString::to_string).collect::<Vec<_>>()[..])
        );
        assert_eq!(told[63], "10.63.0.0/23", "the widest piece of the last");
    }
}
