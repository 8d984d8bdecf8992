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
//! | `probe`, `echo`, `arp`, `neighbourhood` | a connection, an echo request, an answer to ARP |
//! | `names` | names of hosts |
//! | `reach`, `told` | where it looked, and as the hub is told it |
//! | `rhythm` | when the next scan is due |

mod arp;
mod echo;
mod host;
mod kernel;
mod names;
mod neighbourhood;
mod pace;
mod patience;
mod plan;
mod probe;
mod reach;
mod rhythm;
mod search;
mod surroundings;
mod told;

pub use pace::{RATE, RATE_MAX};
pub use plan::{PORTS, Place, Plan, PlanError, Wish, parse_network};
pub use rhythm::Rhythm;
pub use told::up_to;

use crate::collect::rounded;
use host::{Examined, Found};
use names::Names;
use pingup_protocol::discovery::{Host, Scan};
use reach::Reach;
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
}

/// A scan that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// Whom it found, and where it looked.
    pub scan: Scan,
    /// To how many addresses nothing could be sent. Nobody looked there, and it does not say so.
    pub unsent: u64,
    /// Addresses altogether.
    pub addresses: u64,
}

impl Made {
    /// What is to be said of addresses to which nothing could be sent, if there are any.
    pub fn remark(&self) -> Option<String> {
        let Self { unsent, addresses, .. } = self;
        (*unsent > 0).then(|| {
            format!(
                "nothing could be sent to {unsent} of {addresses} addresses, which count as not looked at"
            )
        })
    }
}

/// Why no scan was made: whoever says that nobody is there must have looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing could be sent: there is no route there, the cable is out, or this machine's own firewall forbids it"
)]
pub struct NothingSent;

/// Carries out `plan`, once no other scan runs, telling what it finds as it does.
pub async fn run(plan: &Plan, mut tell: impl FnMut(News<'_>)) -> Result<Made, NothingSent> {
    let _alone = ONE.lock().await;
    let began = Instant::now();
    let search = Arc::new(Search::new(plan));
    let (hosts, reach) = seek(plan, &search, &mut tell).await;
    if reach.is_nowhere() {
        tracing::warn!("a scan failed: {NothingSent}");
        return Err(NothingSent);
    }
    let networks = told::told(reach.looked_at(plan.networks()));
    let (hosts, duration) = (hosts.into_values().collect(), milliseconds(began.elapsed()));
    let scan = Scan { hosts, duration, networks };
    let made = Made { scan, unsent: reach.unsent(), addresses: plan.addresses() };
    if let Some(remark) = made.remark() {
        tracing::warn!("a scan did not look everywhere: {remark}");
    }
    Ok(made)
}

/// Examines every address of `plan`, and names whom it finds meanwhile; says what it could reach, too.
async fn seek(
    plan: &Plan,
    search: &Arc<Search>,
    tell: &mut impl FnMut(News<'_>),
) -> (BTreeMap<IpAddr, Host>, Reach) {
    let total = plan.addresses();
    let (names, mut reach) = (Arc::new(Names::new()), Reach::default());
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
                if let Ok(Examined { address, reached, found }) = ended {
                    reach.note(address, reached);
                    found.map(|found| named.spawn(name(Arc::clone(&names), found)));
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
            else => return (hosts, reach),
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
