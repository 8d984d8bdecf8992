//! Scans: who is there on the network, and what answers. Nothing of it needs a privilege.
//!
//! A host is there when it takes or refuses a connection on any of the ports, when it answers an echo request (where this
//! user may ask for one), or when it answers ARP. Its latency is its fastest answer. `host` says in which order.
//!
//! Everything is bounded: addresses, attempts a second, connections at a time and with one host, the time for each, names
//! looked up. One scan is made at a time, so that these bounds are the machine's.
//!
//! | file | what |
//! |---|---|
//! | `plan` | what is tried: networks and ports, both bounded |
//! | `surroundings`, `kernel` | the machine's own networks, and whom it reaches without a router |
//! | `host` | one address: who is there, which ports answer |
//! | `search`, `pace`, `patience` | what all attempts share: sockets, rate, how long to wait |
//! | `probe`, `echo`, `neighbourhood` | a connection, an echo request, an answer to ARP |
//! | `names` | names of hosts |
//! | `told` | where it looked, as the hub is told it |
//! | `rhythm` | when the next scan is due |

mod echo;
mod host;
mod kernel;
mod names;
mod neighbourhood;
mod pace;
mod patience;
mod plan;
mod probe;
mod rhythm;
mod search;
mod surroundings;
mod told;

pub use pace::{RATE, RATE_MAX};
pub use plan::{PORTS, Place, Plan, PlanError, Wish, parse_network};
pub use rhythm::Rhythm;
pub use told::up_to;

use crate::collect::rounded;
use host::Found;
use names::Names;
use pingup_protocol::discovery::{Host, Scan};
use search::Search;
use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// Addresses that are examined at a time. Each may be one that the kernel asks for by ARP and keeps for three seconds;
/// its table has room for 1 024, and belongs to the whole machine.
const ADDRESSES_AT_A_TIME: usize = 256;
/// How long names may take once everything else is known.
const NAMES_WITHIN: Duration = Duration::from_secs(10);

/// One scan at a time.
static ONE: Mutex<()> = Mutex::const_new(());

/// How far a scan has come, in addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Examined.
    pub done: u64,
    /// To be examined altogether.
    pub total: u64,
}

/// What is told while a scan runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum News<'a> {
    /// It has come this far.
    Progress(Progress),
    /// This host is there, and all that will be known of it.
    Found(&'a Host),
    /// It found nothing, and this is why.
    Trouble(&'static str),
}

/// Carries out `plan`, once no other scan runs, telling what it finds as it does.
pub async fn run(plan: &Plan, mut tell: impl FnMut(News<'_>)) -> Scan {
    let _alone = ONE.lock().await;
    let began = Instant::now();
    let search = Arc::new(Search::new(plan));
    let hosts = seek(plan, &search, &mut tell).await;
    if hosts.is_empty() && search.sent_nothing() {
        let trouble =
            "nothing could be sent: there is no route there, or this machine's own firewall forbids it";
        tracing::warn!("a scan found nothing: {trouble}");
        tell(News::Trouble(trouble));
    }
    Scan {
        hosts: hosts.into_values().collect(),
        duration: milliseconds(began.elapsed()),
        networks: plan.networks_told(),
    }
}

/// Examines every address of `plan`, and names whom it finds meanwhile.
async fn seek(plan: &Plan, search: &Arc<Search>, tell: &mut impl FnMut(News<'_>)) -> BTreeMap<IpAddr, Host> {
    let total = plan.addresses();
    let names = Arc::new(Names::new());
    let (mut done, mut targets, mut hosts) = (0, plan.targets(), BTreeMap::new());
    let (mut examined, mut named) = (JoinSet::new(), JoinSet::new());
    let mut names_end = None;
    loop {
        while examined.len() < ADDRESSES_AT_A_TIME
            && let Some(target) = targets.next()
        {
            examined.spawn(host::examine(Arc::clone(search), target));
        }
        if examined.is_empty() && names_end.is_none() {
            names_end = Some(Instant::now() + NAMES_WITHIN);
        }
        tokio::select! {
            Some(ended) = examined.join_next() => {
                done += 1;
                if let Ok(Some(found)) = ended {
                    named.spawn(name(Arc::clone(&names), found));
                }
                tell(News::Progress(Progress { done, total }));
            }
            Some(ended) = named.join_next() => {
                if let Ok(host) = ended {
                    tell(News::Found(&host));
                    hosts.insert(host.ip, host);
                }
            }
            () = until(names_end), if !named.is_empty() => {
                names.end();
                names_end = Some(Instant::now() + NAMES_WITHIN);
            }
            else => return hosts,
        }
    }
}

/// Waits until `moment`; without one, for ever.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn name(names: Arc<Names>, found: Found) -> Host {
    Host {
        hostname: names.of(found.address).await,
        ip: IpAddr::V4(found.address),
        latency: found.fastest.map(milliseconds),
        ports: found.open,
        mac: found.hardware.map(|hardware| hardware.to_string()),
    }
}

fn milliseconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests;
