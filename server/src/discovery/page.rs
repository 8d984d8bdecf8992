//! A page of scans: which they are and their hosts, of memory and of files, from the newest on as far as a page goes.

use super::{
    DiscoveryError, FoundScan, Listing, Place, Range,
    files::Day,
    hosts::{self, Found, Hosts},
    keys::{self, Key},
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

    /// Reads it: what is in memory first, then day by day until nothing older can be on the page.
    pub(super) fn run(self, page_bytes_max: usize, wanted: &Wanted) -> Result<Listing, DiscoveryError> {
        let (limit, with_hosts) = (self.range.limit, self.range.with_hosts);
        let mut keys = keys::in_memory(&self.view, &self.agent, &self.range);
        let mut hosts = Hosts::taking(page_bytes_max);
        if with_hosts {
            hosts::in_memory(&self.view, &self.agent, &keys, &mut hosts, wanted)?;
        }
        wanted.give_way();
        let mut files = 0;
        for parts in &self.days {
            if is_settled(&keys, limit, &hosts, parts) {
                break;
            }
            let day = Day::new(files, parts, &self.view);
            files += parts.len();
            day.add_keys(&self.agent, &self.range, &mut keys, wanted)?;
            keys::keep_page(&mut keys, limit);
            if with_hosts {
                day.add_hosts(&keys[..keys.len().min(limit)], &mut hosts, wanted)?;
            }
        }
        let chosen = &keys[..keys.len().min(limit)];
        let items = match with_hosts {
            true => listed(chosen, hosts, page_bytes_max),
            false => chosen.iter().map(|key| told(key, None)).collect(),
        };
        let last = items.len().checked_sub(1).and_then(|last| keys.get(last));
        let next = last.filter(|_| keys.len() > items.len()).map(|key| key.place);
        Ok(Listing { items, next })
    }
}

/// Whether the page has all that it can have and it is known that there is more: nothing in files of this day, or of
/// an older one, can be on it.
fn is_settled(keys: &[Key], limit: usize, hosts: &Hosts, parts: &[Arc<Part>]) -> bool {
    let newest = parts.iter().map(|part| part.row().times.1).max().unwrap_or(i64::MIN);
    let is_full = keys.get(limit).is_some_and(|beyond| beyond.place.0 > newest);
    let is_filled = keys.len() > hosts.len() && !hosts.has_room_at(Place(newest, i64::MAX, i64::MAX));
    is_full || is_filled
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
