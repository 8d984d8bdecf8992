//! What a scan found that the scan before did not, and the other way round.
//!
//! Hosts are the same when their address is. Of a host that both found: ports that opened or closed, another name,
//! another hardware address. A name or a hardware address that only one of the two learned is no change: what a scan
//! learns of a host differs, though the host does not.
//!
//! Only where both looked can a host appear or disappear. One that answers where the scan before did not look is told
//! apart: it may have been there all along. A scan that does not say where it looked is taken to have looked everywhere.

use super::{DiscoveryError, FoundScan, Listing, Place};
use crate::storage::Wanted;
use pingup_protocol::{discovery::Host, network::Network, time::Timestamp};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// What changed from one scan to the next. Each list is ordered by address.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScanChanges {
    /// When the scan began, by the agent's clock.
    pub timestamp: Timestamp,
    /// When the scan before began. Null where none is kept: then nothing is said to have changed.
    pub before: Option<Timestamp>,
    /// Hosts that answer now, and did not before though that scan looked for them.
    pub appeared: Vec<Host>,
    /// Hosts that answer now, and that the scan before did not look for; left out where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub not_looked_for_before: Vec<Host>,
    /// Hosts that answered before and do not now though this scan looked for them, as they were then.
    pub disappeared: Vec<Host>,
    /// Hosts that answered both times, and differ.
    pub changed: Vec<HostChange>,
}

/// How a host differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostChange {
    /// Its address.
    #[schema(value_type = String)]
    pub ip: IpAddr,
    /// Ports that are open now, and were not.
    pub ports_opened: Vec<u16>,
    /// Ports that were open.
    pub ports_closed: Vec<u16>,
    /// Its name, where that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Replaced>,
    /// Its hardware address, where that is another: another machine, perhaps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<Replaced>,
}

/// A text that took another's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Replaced {
    /// What it was.
    pub before: String,
    /// What it is.
    pub now: String,
}

/// What changed with each scan of `page` that lies not before `from`, as JSON; `before` is the scan before its last. And
/// where the next page begins, if there is more.
///
/// Two scans are read at a time, and what was told of them is text from then on: as hosts, a page would take several
/// times as much.
pub(super) fn of(
    page: Listing,
    before: Option<FoundScan>,
    from: Timestamp,
    wanted: &Wanted,
) -> Result<(Vec<Box<RawValue>>, Option<Place>), DiscoveryError> {
    let told = page.items.iter().take_while(|scan| scan.timestamp >= from).count();
    let more = told == page.items.len() && before.as_ref().is_some_and(|scan| scan.timestamp >= from);
    let next = page.next.filter(|_| more);
    let mut scans = page.items.into_iter().chain(before);
    let mut changes = Vec::with_capacity(told);
    let mut earlier = scans.next().map(read).transpose()?;
    for _ in 0..told {
        wanted.check()?;
        let Some(now) = earlier else { break };
        earlier = scans.next().map(read).transpose()?;
        changes.push(to_raw_value(&ScanChanges::between(earlier.as_ref(), &now))?);
    }
    Ok((changes, next))
}

/// A scan as it is compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    at: Timestamp,
    /// Where it looked; empty where it does not say.
    networks: Vec<Network>,
    hosts: Vec<Host>,
}

impl Seen {
    /// Whether the scan looked for a host at this address, for all that is known.
    fn looked_for(&self, address: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.has_host(address))
    }
}

fn read(scan: FoundScan) -> Result<Seen, DiscoveryError> {
    Ok(Seen {
        at: scan.timestamp,
        networks: serde_json::from_str(scan.networks.as_deref().unwrap_or("[]"))?,
        hosts: serde_json::from_str(scan.hosts.as_deref().unwrap_or("[]"))?,
    })
}

impl ScanChanges {
    /// What `now` found that differs from what `before` did.
    pub(super) fn between(before: Option<&Seen>, now: &Seen) -> Self {
        let mut changes = Self {
            timestamp: now.at,
            before: before.map(|before| before.at),
            appeared: Vec::new(),
            not_looked_for_before: Vec::new(),
            disappeared: Vec::new(),
            changed: Vec::new(),
        };
        let Some(before) = before else { return changes };
        let (was, is) = (by_address(&before.hosts), by_address(&now.hosts));
        let is_gone = |host: &&&Host| !is.contains_key(&host.ip) && now.looked_for(host.ip);
        changes.disappeared = was.values().filter(is_gone).map(|&host| host.clone()).collect();
        for (ip, &host) in &is {
            match was.get(ip) {
                None if before.looked_for(*ip) => changes.appeared.push(host.clone()),
                None => changes.not_looked_for_before.push(host.clone()),
                Some(before) => changes.changed.extend(HostChange::between(before, host)),
            }
        }
        changes
    }
}

impl HostChange {
    /// How a host differs, if it does.
    fn between(before: &Host, now: &Host) -> Option<Self> {
        let (were, are) = (ports(before), ports(now));
        let change = Self {
            ip: now.ip,
            ports_opened: are.difference(&were).copied().collect(),
            ports_closed: were.difference(&are).copied().collect(),
            hostname: replaced(before.hostname.as_ref(), now.hostname.as_ref()),
            mac: replaced(before.mac.as_ref(), now.mac.as_ref()),
        };
        let same = change.ports_opened.is_empty()
            && change.ports_closed.is_empty()
            && change.hostname.is_none()
            && change.mac.is_none();
        (!same).then_some(change)
    }
}

/// Hosts by their address. One that a scan names twice is as it is named last.
fn by_address(hosts: &[Host]) -> BTreeMap<IpAddr, &Host> {
    hosts.iter().map(|host| (host.ip, host)).collect()
}

fn ports(host: &Host) -> BTreeSet<u16> {
    host.ports.iter().copied().collect()
}

/// Names and hardware addresses are the same in capital and in small letters.
fn replaced(before: Option<&String>, now: Option<&String>) -> Option<Replaced> {
    let (before, now) = before.zip(now)?;
    let differ = !before.eq_ignore_ascii_case(now);
    differ.then(|| Replaced { before: before.clone(), now: now.clone() })
}

#[cfg(test)]
mod tests;
