//! A page of scans: keys from files and memory, merged; then their hosts, as many as a page may take.

use super::{
    DiscoveryError, FoundScan, Listing, Range,
    hosts::{self, Hosts},
    keys::{self, Key},
};
use crate::tsdb::{Part, View};
use duckdb::Connection;
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{cmp::Reverse, sync::Arc};

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

    /// Whether files have to be read.
    pub(super) const fn reads_files(&self) -> bool {
        !self.days.is_empty()
    }

    /// Reads it.
    pub(super) fn run(
        self,
        connection: Option<&Connection>,
        page_bytes_max: usize,
    ) -> Result<Listing, DiscoveryError> {
        let mut keys = keys::in_memory(&self.view, &self.agent, &self.range);
        if let Some(connection) = connection {
            keys.extend(keys::on_disk(connection, &self.agent, &self.range, &self.days)?);
            keys.sort_unstable_by_key(|key| Reverse(key.place));
        }
        let chosen = &keys[..keys.len().min(self.range.limit)];
        let mut hosts = Hosts::new();
        if let Some(connection) = connection {
            self.hosts_on_disk(connection, chosen, page_bytes_max, &mut hosts)?;
        }
        let in_memory = chosen.iter().filter(|key| !key.on_disk).map(|key| key.place).collect();
        hosts::in_memory(&self.view, &self.agent, &in_memory, &mut hosts)?;
        Ok(assemble(&keys, chosen.len(), hosts, page_bytes_max))
    }

    fn hosts_on_disk(
        &self,
        connection: &Connection,
        chosen: &[Key],
        page_bytes_max: usize,
        hosts: &mut Hosts,
    ) -> Result<(), DiscoveryError> {
        let mut on_disk = chosen.iter().filter(|key| key.on_disk).map(|key| key.place);
        let Some(newest) = on_disk.next() else { return Ok(()) };
        let oldest = on_disk.next_back().unwrap_or(newest);
        let within = oldest.0..=newest.0;
        let fits = |part: &&Arc<Part>| {
            let (first, last) = part.row().times;
            first <= *within.end() && last >= *within.start()
        };
        let parts: Vec<_> = self.days.iter().flatten().filter(fits).collect();
        hosts::on_disk(connection, &self.agent, &parts, (oldest, newest), page_bytes_max, hosts)
    }
}

/// The page: the first `chosen` of `keys`, unless their hosts take too much before.
fn assemble(keys: &[Key], chosen: usize, mut hosts: Hosts, page_bytes_max: usize) -> Listing {
    let (mut items, mut bytes) = (Vec::new(), 0);
    for key in &keys[..chosen] {
        if bytes >= page_bytes_max {
            break;
        }
        // What was not read lies beyond the page: the newer ones on disk alone fill it.
        let Some(hosts) = hosts.remove(&key.place) else { break };
        bytes += hosts.get().len();
        let timestamp = Timestamp::from_micros(key.place.0);
        items.push(FoundScan { timestamp, duration: key.duration, hosts });
    }
    let last = items.len().checked_sub(1).and_then(|last| keys.get(last));
    let next = last.filter(|_| keys.len() > items.len()).map(|key| key.place);
    Listing { items, next }
}
