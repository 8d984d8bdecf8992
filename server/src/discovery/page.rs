//! A page of scans: keys from files and memory, merged; then their hosts, as many as a page may take.

use super::{
    DiscoveryError, FoundScan, Listing, Range,
    hosts::{self, Found, Hosts},
    keys::{self, HostsAt, Key},
};
use crate::{
    storage::Wanted,
    tsdb::{Part, View},
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::sync::Arc;

/// A page that is to be read.
#[derive(Debug)]
pub(super) struct Query {
    view: Arc<View>,
    agent: AgentId,
    range: Range,
    days: Vec<Vec<Arc<Part>>>,
}

impl Query {
    /// Finds the files.
    pub(super) fn new(view: Arc<View>, agent: AgentId, range: Range) -> Self {
        let days = keys::days(&view, &agent, &range);
        Self { view, agent, range, days }
    }

    /// Reads it: what is in memory first.
    pub(super) fn run(self, page_bytes_max: usize, wanted: &Wanted) -> Result<Listing, DiscoveryError> {
        let mut keys = keys::in_memory(&self.view, &self.agent, &self.range);
        let mut hosts = Hosts::taking(page_bytes_max);
        if self.range.with_hosts {
            hosts::in_memory(&self.view, &self.agent, &keys, &mut hosts, wanted)?;
        }
        wanted.give_way();
        keys::on_disk(&self.agent, &self.range, &self.days, &mut keys, wanted)?;
        let chosen = &keys[..keys.len().min(self.range.limit)];
        let items = match self.range.with_hosts {
            true => {
                self.hosts_on_disk(chosen, &mut hosts, wanted)?;
                listed(chosen, hosts, page_bytes_max)
            }
            false => chosen.iter().map(|key| told(key, None)).collect(),
        };
        let last = items.len().checked_sub(1).and_then(|last| keys.get(last));
        let next = last.filter(|_| keys.len() > items.len()).map(|key| key.place);
        Ok(Listing { items, next })
    }

    fn hosts_on_disk(
        &self,
        chosen: &[Key],
        hosts: &mut Hosts,
        wanted: &Wanted,
    ) -> Result<(), DiscoveryError> {
        let mut on_disk = chosen.iter().filter(|key| key.hosts == HostsAt::Disk).map(|key| key.place);
        let Some(newest) = on_disk.next() else { return Ok(()) };
        let oldest = on_disk.next_back().unwrap_or(newest);
        hosts::on_disk(&self.agent, &self.days, (oldest, newest), hosts, wanted)
    }
}

/// The first of `chosen`, until their hosts take too much.
fn listed(chosen: &[Key], mut hosts: Hosts, page_bytes_max: usize) -> Vec<FoundScan> {
    let (mut items, mut bytes) = (Vec::new(), 0);
    for key in chosen {
        if bytes >= page_bytes_max {
            break;
        }
        // What was let go lies beyond the page: the newer ones alone fill it.
        let Some(found) = hosts.remove(&key.place) else { break };
        bytes += found.bytes();
        items.push(told(key, Some(found)));
    }
    items
}

fn told(key: &Key, found: Option<Found>) -> FoundScan {
    let Key { place, duration, host_count, .. } = *key;
    let (hosts, networks) = found.map_or((None, None), |found| (Some(found.hosts), found.networks));
    FoundScan { timestamp: Timestamp::from_micros(place.0), duration, host_count, networks, hosts }
}
