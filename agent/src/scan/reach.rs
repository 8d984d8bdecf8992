//! Where a scan did look. To what nothing could be sent (no route, no cable, a firewall of this machine's own) nobody
//! looked: it says nothing of who is there.

use ipnet::{Ipv4Net, Ipv4Subnets};
use std::{collections::BTreeSet, net::Ipv4Addr};

/// What became of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// Something was sent there.
    Sent,
    /// Nothing could be.
    Unsent,
    /// Nothing needs to be: it is this machine's own, or no host can have it.
    Neither,
}

/// What became of all addresses of a plan.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// To so many something was sent.
    sent: u64,
    /// To these nothing could be; as many as a plan has at most.
    unsent: BTreeSet<Ipv4Addr>,
}

impl Reach {
    /// Takes down what became of `address`.
    pub(super) fn note(&mut self, address: Ipv4Addr, reached: Reached) {
        match reached {
            Reached::Sent => self.sent += 1,
            Reached::Unsent => _ = self.unsent.insert(address),
            Reached::Neither => {}
        }
    }

    /// Whether nothing was sent to anybody, though there was somebody to send to.
    pub(super) fn is_nowhere(&self) -> bool {
        self.sent == 0 && !self.unsent.is_empty()
    }

    /// To how many addresses nothing could be sent.
    pub(super) fn unsent(&self) -> u64 {
        self.unsent.len() as u64
    }

    /// What of `networks` was looked at; one that was not as a whole comes in pieces.
    pub(super) fn looked_at(&self, networks: &[Ipv4Net]) -> impl Iterator<Item = Ipv4Net> {
        networks.iter().flat_map(|network| self.pieces(network))
    }

    fn pieces(&self, network: &Ipv4Net) -> impl Iterator<Item = Ipv4Net> + use<> {
        let (first, last) = (network.network(), network.broadcast());
        let (mut pieces, mut begin) = (Vec::new(), Some(first));
        for &unsent in self.unsent.range(first..=last) {
            let before = unsent.to_bits().checked_sub(1).map(Ipv4Addr::from_bits);
            pieces.extend(begin.zip(before).filter(|(begin, end)| begin <= end));
            begin = unsent.to_bits().checked_add(1).map(Ipv4Addr::from_bits);
        }
        pieces.extend(begin.map(|begin| (begin, last)).filter(|(begin, end)| begin <= end));
        let hosts = (network.hosts().next().unwrap_or(first), network.hosts().next_back().unwrap_or(last));
        // The first and the last address are no hosts', so that nothing is said by them alone.
        let has_host = move |(begin, end): &(Ipv4Addr, Ipv4Addr)| *begin <= hosts.1 && hosts.0 <= *end;
        pieces.into_iter().filter(has_host).flat_map(|(begin, end)| Ipv4Subnets::new(begin, end, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(unsent: impl IntoIterator<Item = Ipv4Addr>) -> Reach {
        let mut reach = Reach::default();
        unsent.into_iter().for_each(|address| reach.note(address, Reached::Unsent));
        reach
    }

    fn looked_at(reach: &Reach, networks: &[&str]) -> Vec<String> {
        let networks: Vec<Ipv4Net> = networks.iter().map(|text| text.parse().unwrap()).collect();
        reach.looked_at(&networks).map(|net| net.to_string()).collect()
    }

    fn hosts(network: &str) -> impl Iterator<Item = Ipv4Addr> {
        network.parse::<Ipv4Net>().unwrap().hosts()
    }

    #[test]
    fn only_where_something_was_sent_was_looked() {
        let three = ["10.0.0.0/24", "10.9.0.0/24", "10.9.9.9/32"];
        assert_eq!(looked_at(&Reach::default(), &three), three);
        assert_eq!(looked_at(&reach(hosts("10.9.0.0/24")), &three), ["10.0.0.0/24", "10.9.9.9/32"]);
        assert_eq!(looked_at(&reach(hosts("10.9.9.9/32")), &three), three[..2]);
        let edges = ["0.0.0.0/30", "255.255.255.252/30", "255.255.255.255/32"];
        let at_edges = reach([[0, 0, 0, 1], [255; 4], [255, 255, 255, 253]].map(Ipv4Addr::from));
        assert_eq!(looked_at(&at_edges, &edges), ["0.0.0.2/31", "255.255.255.254/32"]);
    }

    #[test]
    fn of_neighbouring_networks_the_one_that_was_reached_is_whole() {
        // As two networks side by side, which a plan has as one; each one's ends are nobody's.
        let second = reach(hosts("10.0.1.0/24"));
        assert_eq!(looked_at(&second, &["10.0.0.0/23"]), ["10.0.0.0/24", "10.0.1.0/32"]);
        let holes = reach([[10, 0, 0, 2], [10, 0, 0, 5]].map(Ipv4Addr::from));
        assert_eq!(
            looked_at(&holes, &["10.0.0.0/29"]),
            ["10.0.0.0/31", "10.0.0.3/32", "10.0.0.4/32", "10.0.0.6/31"]
        );
    }

    #[test]
    fn a_scan_went_nowhere_where_nothing_was_sent_to_anybody() {
        let mut reach = Reach::default();
        assert!(!reach.is_nowhere(), "there was nobody to send to");
        reach.note(Ipv4Addr::LOCALHOST, Reached::Neither);
        assert!(!reach.is_nowhere());
        reach.note(Ipv4Addr::BROADCAST, Reached::Unsent);
        assert!(reach.is_nowhere() && reach.unsent() == 1);
        reach.note(Ipv4Addr::UNSPECIFIED, Reached::Sent);
        assert!(!reach.is_nowhere());
    }
}
