//! Scans: who is there on the network, and what answers. TCP connects only, so that it needs no privilege.
//!
//! A host is there when it accepts or refuses a connection on any of the ports; its latency is the fastest
//! such answer. Everything is bounded: addresses, connections at a time, time for each, names looked up.

mod names;
mod neighbours;
mod plan;
mod probe;

pub use plan::{PORTS, Plan, PlanError, parse_network};

use crate::collect::rounded;
use pingup_protocol::discovery::{Host, Scan};
use probe::Answer;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Connections that are tried at a time: well below the 1 024 files that a process commonly may open.
const CONNECTIONS_MAX: usize = 256;

/// How far a scan has come, in connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Tried.
    pub done: u64,
    /// To be tried altogether.
    pub total: u64,
}

/// What is known of a host so far.
#[derive(Debug, Default)]
struct Seen {
    fastest: Option<Duration>,
    ports: Vec<u16>,
}

impl Seen {
    fn note(&mut self, port: u16, answer: Answer) {
        if answer.open {
            self.ports.push(port);
        }
        self.fastest = Some(self.fastest.map_or(answer.after, |fastest| fastest.min(answer.after)));
    }
}

/// Carries out `plan`, saying how far it has come.
pub async fn run(plan: &Plan, progress: impl FnMut(Progress)) -> Scan {
    let began = Instant::now();
    let seen = seek(plan, progress).await;
    let hosts = described(seen).await;
    Scan { hosts, duration: rounded(began.elapsed().as_secs_f64() * 1_000.0) }
}

/// Tries every connection of `plan`: who answered.
async fn seek(plan: &Plan, mut progress: impl FnMut(Progress)) -> BTreeMap<Ipv4Addr, Seen> {
    let total = plan.connections();
    let mut done = 0;
    let mut targets = plan.targets();
    let mut running: JoinSet<(Ipv4Addr, u16, Option<Answer>)> = JoinSet::new();
    let mut seen: BTreeMap<Ipv4Addr, Seen> = BTreeMap::new();
    loop {
        while running.len() < CONNECTIONS_MAX
            && let Some((address, port)) = targets.next()
        {
            running.spawn(async move { (address, port, probe::connect(address, port).await) });
        }
        let Some(joined) = running.join_next().await else { break };
        done += 1;
        progress(Progress { done, total });
        if let Ok((address, port, Some(answer))) = joined {
            seen.entry(address).or_default().note(port, answer);
        }
    }
    seen
}

/// The hosts with their names and hardware addresses, as far as these are known.
async fn described(seen: BTreeMap<Ipv4Addr, Seen>) -> Vec<Host> {
    let addresses: Vec<Ipv4Addr> = seen.keys().copied().collect();
    let mut names = names::of(&addresses).await;
    let mut hardware = neighbours::known();
    seen.into_iter()
        .map(|(address, mut seen)| {
            seen.ports.sort_unstable();
            Host {
                ip: IpAddr::V4(address),
                latency: seen.fastest.map(|after| rounded(after.as_secs_f64() * 1_000.0)),
                ports: seen.ports,
                hostname: names.remove(&address),
                mac: hardware.remove(&address),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_listens_here_is_found_and_what_does_not_is_not() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap().port();
        let closed = {
            let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            other.local_addr().unwrap().port()
        };
        let plan = Plan::new(vec![parse_network("127.0.0.1").unwrap()], vec![closed, open]).unwrap();
        let mut last = None;
        let scan = run(&plan, |progress| last = Some(progress)).await;
        assert_eq!(last, Some(Progress { done: 2, total: 2 }));
        let [host] = scan.hosts.as_slice() else { panic!("one host expected: {scan:?}") };
        assert_eq!((host.ip.to_string().as_str(), host.ports.as_slice()), ("127.0.0.1", [open].as_slice()));
        assert!(host.latency.is_some_and(|latency| latency >= 0.0));
    }

    /// Linux answers for all of 127.0.0.0/8.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn more_connections_than_are_tried_at_a_time_are_all_tried() {
        let plan = Plan::new(vec![parse_network("127.0.0.0/22").unwrap()], vec![1, 2]).unwrap();
        assert!(plan.connections() > CONNECTIONS_MAX as u64);
        assert_eq!(seek(&plan, |_| {}).await.len() as u64 * 2, plan.connections());
    }

    #[tokio::test]
    async fn a_host_that_only_refuses_is_there() {
        let closed = {
            let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            other.local_addr().unwrap().port()
        };
        let plan = Plan::new(vec![parse_network("127.0.0.1/32").unwrap()], vec![closed]).unwrap();
        let scan = run(&plan, |_| {}).await;
        assert!(scan.hosts.len() == 1 && scan.hosts[0].ports.is_empty(), "{scan:?}");
    }
}
