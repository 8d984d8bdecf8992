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

    /// Reads it whole.
    pub(super) fn run(self, page_bytes_max: usize, wanted: &Wanted) -> Result<Listing, DiscoveryError> {
        let mut items = Vec::new();
        let next = self.run_each(page_bytes_max, wanted, |scan| {
            items.push(scan);
            Ok(())
        })?;
        Ok(Listing { items, next })
    }

    /// Reads it, and hands each scan to `tell` as soon as it is known to be the next one: what is in memory first, then
    /// day by day until nothing older can be on the page. So the hosts of some days are held at a time, not all of a page.
    /// Where the next page begins.
    pub(super) fn run_each(
        self,
        page_bytes_max: usize,
        wanted: &Wanted,
        tell: impl FnMut(FoundScan) -> Result<(), DiscoveryError>,
    ) -> Result<Option<Place>, DiscoveryError> {
        let Range { limit, with_hosts, .. } = self.range;
        let mut keys = keys::in_memory(&self.view, &self.agent, &self.range);
        let mut hosts = Hosts::taking(page_bytes_max);
        if with_hosts {
            hosts::in_memory(&self.view, &self.agent, &keys, &mut hosts, wanted)?;
        }
        wanted.give_way();
        let mut teller = Teller { tell, with_hosts, told: 0, bytes: 0, bytes_max: page_bytes_max };
        let mut files = 0;
        for parts in &self.days {
            if is_settled(&keys, limit, &hosts, parts) {
                break;
            }
            // Files of older days have nothing that is newer.
            let known = keys.iter().take(limit).take_while(|key| key.place.0 > newest(parts)).count();
            teller.tell_to(&keys[..known], &mut hosts)?;
            let day = Day::new(files, parts, &self.view);
            files += parts.len();
            day.add_keys(&self.agent, &self.range, &mut keys, wanted)?;
            keys::keep_page(&mut keys, limit);
            if with_hosts {
                day.add_hosts(&keys[..keys.len().min(limit)], &mut hosts, wanted)?;
            }
        }
        teller.tell_to(&keys[..keys.len().min(limit)], &mut hosts)?;
        let last = teller.told.checked_sub(1).and_then(|last| keys.get(last));
        Ok(last.filter(|_| keys.len() > teller.told).map(|key| key.place))
    }
}

/// Hands scans on, one after the other, until their hosts take too much.
struct Teller<F> {
    tell: F,
    with_hosts: bool,
    /// Scans that were handed on, and what their hosts took.
    told: usize,
    bytes: usize,
    bytes_max: usize,
}

impl<F: FnMut(FoundScan) -> Result<(), DiscoveryError>> Teller<F> {
    /// Those of `keys` that were not yet; nothing that is read later is newer than they are.
    fn tell_to(&mut self, keys: &[Key], hosts: &mut Hosts) -> Result<(), DiscoveryError> {
        while let Some(key) = keys.get(self.told) {
            let found = match self.with_hosts {
                // What was let go lies beyond the page: the newer ones alone fill it.
                true if self.bytes < self.bytes_max => match hosts.remove(&key.place) {
                    Some(found) => Some(found),
                    None => break,
                },
                true => break,
                false => None,
            };
            self.bytes += found.as_ref().map_or(0, Found::bytes);
            self.told += 1;
            (self.tell)(told(key, found))?;
        }
        Ok(())
    }
}

/// Whether the page has all that it can have and it is known that there is more: nothing in files of this day, or of
/// an older one, can be on it.
fn is_settled(keys: &[Key], limit: usize, hosts: &Hosts, parts: &[Arc<Part>]) -> bool {
    let newest = newest(parts);
    let is_full = keys.get(limit).is_some_and(|beyond| beyond.place.0 > newest);
    let is_filled = keys.len() > hosts.len() && !hosts.has_room_at(Place(newest, i64::MAX, i64::MAX));
    is_full || is_filled
}

/// The newest moment that lies in any of these files.
fn newest(parts: &[Arc<Part>]) -> i64 {
    parts.iter().map(|part| part.row().times.1).max().unwrap_or(i64::MIN)
}

fn told(key: &Key, found: Option<Found>) -> FoundScan {
    let Key { place, duration, host_count, .. } = *key;
    let (hosts, networks) = found.map_or((None, None), |found| (Some(found.hosts), found.networks));
    FoundScan { timestamp: Timestamp::from_micros(place.0), duration, host_count, networks, hosts }
}
