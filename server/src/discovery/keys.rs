//! Which scans a page is made of: all but their hosts, from the newest on.

use super::{Place, Range};
use crate::tsdb::{Part, Tier, View};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{cmp::Reverse, collections::BTreeMap, ops, sync::Arc};

/// A scan without its hosts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Key {
    /// What tells it from others.
    pub(super) place: Place,
    /// How long it took, milliseconds.
    pub(super) duration: f64,
    /// How many hosts answered.
    pub(super) host_count: u64,
    /// Where its hosts lie.
    pub(super) hosts: HostsAt,
}

/// Where the hosts of a scan lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostsAt {
    /// In memory, where they take so many bytes.
    Memory(usize),
    /// In a file, of those that are read: which, the row group, and the row there.
    File {
        /// Counted from the newest day's first.
        file: usize,
        /// Counted from the file's first.
        group: usize,
        /// Counted from the group's first.
        row: usize,
    },
}

/// Files by day, the newest first.
pub(super) fn days(view: &View, agent: &AgentId, range: &Range) -> Vec<Vec<Arc<Part>>> {
    let within = within(range);
    let times = Timestamp::from_micros(within.start)..Timestamp::from_micros(within.end);
    let mut days: BTreeMap<i64, Vec<Arc<Part>>> = BTreeMap::new();
    for part in view.parts_for(Tier::Scans, Some(agent.as_str()), &times) {
        days.entry(part.row().period).or_default().push(part);
    }
    days.into_values().rev().collect()
}

/// Lets go of those that are on no page: all but the newest, one more than fit.
pub(super) fn keep_page(found: &mut Vec<Key>, limit: usize) {
    found.sort_unstable_by_key(|key| Reverse(key.place));
    found.truncate(limit + 1);
}

/// Those in memory: of all there are, as many as a page takes and one more.
pub(super) fn in_memory(view: &View, agent: &AgentId, range: &Range) -> Vec<Key> {
    let mut found = Vec::new();
    for segment in &view.segments {
        segment.each_scan(agent.as_str(), &(range.from..range.to), |scan| {
            let place = place(scan.timestamp(), scan.stream());
            if place < range.before {
                found.push(Key {
                    place,
                    duration: scan.duration(),
                    host_count: scan.hosts().len() as u64,
                    hosts: HostsAt::Memory(scan.hosts_bytes()),
                });
            }
        });
    }
    keep_page(&mut found, range.limit);
    found
}

/// The place of a scan.
pub(super) fn place(at: Timestamp, stream: Option<(u64, u64)>) -> Place {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let (boot, seq) = stream.map_or((-1, -1), |(boot, seq)| (number(boot), number(seq)));
    Place(at.as_micros(), boot, seq)
}

/// The moments that are asked for, microseconds.
pub(super) fn within(range: &Range) -> ops::Range<i64> {
    range.from.as_micros()..range.to.min(after(range.before)).as_micros()
}

/// The moment behind a place's.
const fn after(Place(micros, ..): Place) -> Timestamp {
    Timestamp::from_micros(micros.saturating_add(1))
}
