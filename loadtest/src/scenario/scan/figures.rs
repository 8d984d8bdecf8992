//! What a scan found, beside what is there, and what that says of the table.

use super::{
    TABLE_HOSTS, TABLE_PORTS, TABLE_ROUNDS,
    network::{self, is_open, port},
};
use crate::verdict::{Finding, Must, Terms};
use pingup_protocol::discovery::Scan as Report;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

const MEGABYTE: f64 = 1e6;

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    pub(super) hosts: usize,
    pub(super) ports: usize,
    pub(super) rounds: Vec<Round>,
    /// Why there are none.
    pub(super) trouble: Option<String>,
}

/// One scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Round {
    pub(super) seconds: f64,
    hosts_found: usize,
    ports_found: usize,
    /// Hosts and ports that are there and were not found.
    missed: usize,
    /// Those that were found and are not there.
    made_up: usize,
    /// The most that the agent took, bytes; null where the system does not say.
    pub(super) resident_peak_bytes: Option<u64>,
}

/// What `report` has and lacks of a network of so many hosts and ports. The machine that scans is there as well.
pub(super) fn compare(report: &Report, hosts: usize, ports: usize) -> Round {
    let found: BTreeMap<IpAddr, &[u16]> =
        report.hosts.iter().map(|host| (host.ip, host.ports.as_slice())).collect();
    let mut round = Round::default();
    for host in 0..hosts {
        let there = (0..ports).map(port).filter(|port| is_open(host, *port)).collect::<Vec<_>>();
        match found.get(&IpAddr::V4(network::address(host))) {
            None => round.missed += 1 + there.len(),
            Some(open) => {
                let right = there.iter().filter(|port| open.contains(port)).count();
                round.hosts_found += 1;
                round.ports_found += right;
                round.missed += there.len() - right;
                round.made_up += open.len() - right;
            }
        }
    }
    let known = |ip: &IpAddr| {
        let is_host = |address: Ipv4Addr| (0..hosts).any(|host| network::address(host) == address);
        matches!(ip, IpAddr::V4(address) if *address == network::THIS_MACHINE || is_host(*address))
    };
    round.made_up += found.keys().filter(|ip| !known(ip)).count();
    round
}

impl Figures {
    pub(super) fn is_sound(&self) -> bool {
        self.rounds.iter().all(|round| round.missed == 0 && round.made_up == 0)
    }

    pub(super) fn findings(&self) -> [Finding; 3] {
        let musts = [Must::ScanTime, Must::ScanMissed, Must::ScanMemory];
        if self.rounds.is_empty() {
            let why = self.trouble.clone().unwrap_or_default();
            return musts.map(|must| Finding::not_shown(must, why.clone()));
        }
        let terms = Terms::default()
            .needs(self.hosts as u64, TABLE_HOSTS as u64, "hosts")
            .needs(self.ports as u64, TABLE_PORTS as u64, "ports")
            .needs(self.rounds.len() as u64, TABLE_ROUNDS as u64, "rounds");
        let most = |of: fn(&Round) -> f64| self.rounds.iter().map(of).fold(f64::NAN, f64::max);
        let peak = self.rounds.iter().filter_map(|round| round.resident_peak_bytes).max();
        let memory = match peak {
            Some(bytes) => Finding::new(musts[2], bytes as f64 / MEGABYTE).under(&terms),
            None => Finding::not_shown(musts[2], "the agent's memory is unknown"),
        };
        let seconds = Finding::new(musts[0], most(|round| round.seconds)).under(&terms);
        let missed = most(|round| (round.missed + round.made_up) as f64);
        [seconds, Finding::new(musts[1], missed).under(&terms), memory]
    }

    pub(super) fn text(&self) -> String {
        let Self { hosts, ports, rounds, trouble } = self;
        let mut text = format!("scan: a /24 with {hosts} hosts, {ports} ports tried\n\n");
        if let Some(why) = trouble {
            text += &format!("  not made: {why}\n");
        }
        for round in rounds {
            let memory = round
                .resident_peak_bytes
                .map_or_else(|| "unknown".to_owned(), |bytes| format!("{:.1} MB", bytes as f64 / MEGABYTE));
            text += &format!(
                "  {:>5.2} s   {} hosts, {} open ports found   {} missed, {} made up   memory, peak {memory}\n",
                round.seconds, round.hosts_found, round.ports_found, round.missed, round.made_up
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::discovery::Host;

    fn host(ip: Ipv4Addr, ports: Vec<u16>) -> Host {
        Host { ip: ip.into(), latency: None, ports, hostname: None, mac: None }
    }

    #[test]
    fn what_is_missed_and_what_is_made_up_is_counted() {
        let open = |host: usize| (0..24).map(port).filter(|port| is_open(host, *port)).collect::<Vec<_>>();
        let whole = |hosts: usize| Report {
            hosts: (0..hosts).map(|number| host(network::address(number), open(number))).collect(),
            duration: 1.0,
            ..Report::default()
        };
        let all = compare(&whole(40), 40, 24);
        assert_eq!((all.hosts_found, all.ports_found, all.missed, all.made_up), (40, 320, 0, 0));
        assert_eq!(compare(&whole(39), 40, 24).missed, 1 + 8);
        let mut odd = whole(40);
        odd.hosts.push(host(network::THIS_MACHINE, vec![]));
        odd.hosts.push(host(Ipv4Addr::new(198, 18, 77, 250), vec![]));
        odd.hosts[0].ports = vec![1, open(0)[0]];
        let round = compare(&odd, 40, 24);
        assert_eq!((round.missed, round.made_up), (7, 2));
    }

    #[test]
    fn what_was_not_made_is_not_shown() {
        let none = Figures { trouble: Some("no namespaces".to_owned()), ..Figures::default() };
        assert!(
            none.findings().iter().all(|finding| finding.value.is_none() && finding.note == "no namespaces")
        );
        assert!(none.text().contains("no namespaces"));
        let round = Round { seconds: 2.0, resident_peak_bytes: Some(9_000_000), ..Round::default() };
        let one = Figures { hosts: 40, ports: 24, rounds: vec![round], trouble: None };
        let findings = one.findings();
        assert_eq!(findings.each_ref().map(|finding| finding.value), [Some(2.0), Some(0.0), Some(9.0)]);
        assert!(findings.iter().all(|finding| finding.easier), "one round of three");
    }
}
