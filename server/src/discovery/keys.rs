//! Which scans a page is made of: all but their hosts, from the newest on.

use super::{DiscoveryError, Place, Range};
use crate::{
    storage::Wanted,
    tsdb::{
        Part, Tier, View, pick,
        schema::{double_at, integer_at, time_at},
    },
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

/// What is read of a scan in a file, in the file's order.
const COLUMNS: [&str; 5] = ["timestamp", "duration", "boot", "seq", "host_count"];

/// Scans that are held before any is let go, some 60 bytes each.
const HELD_MIN: usize = 8_192;

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
    /// In a file.
    Disk,
}

/// Files by day, the newest first.
pub(super) fn days(view: &View, agent: &AgentId, range: &Range) -> Vec<Vec<Arc<Part>>> {
    let to = range.to.min(after(range.before));
    let mut days: BTreeMap<i64, Vec<Arc<Part>>> = BTreeMap::new();
    for part in view.parts_for(Tier::Scans, Some(agent.as_str()), &(range.from..to)) {
        days.entry(part.row().period).or_default().push(part);
    }
    days.into_values().rev().collect()
}

/// Adds those in files, from the newest day back, until there are as many as a page takes and one more. Scans of a
/// day are in its files only, so older ones need not be read then.
pub(super) fn on_disk(
    agent: &AgentId,
    range: &Range,
    days: &[Vec<Arc<Part>>],
    found: &mut Vec<Key>,
    wanted: &Wanted,
) -> Result<(), DiscoveryError> {
    let mut on_disk = 0;
    for parts in days {
        if on_disk > range.limit {
            break;
        }
        let before = found.len();
        for part in parts {
            of_part(agent, range, part, found, wanted)?;
        }
        on_disk += found.len().saturating_sub(before);
    }
    keep_page(found, range.limit);
    Ok(())
}

/// Lets go of those that are on no page: all but the newest, one more than fit.
fn keep_page(found: &mut Vec<Key>, limit: usize) {
    found.sort_unstable_by_key(|key| Reverse(key.place));
    found.truncate(limit + 1);
}

fn of_part(
    agent: &AgentId,
    range: &Range,
    part: &Part,
    found: &mut Vec<Key>,
    wanted: &Wanted,
) -> Result<(), DiscoveryError> {
    let within = range.from.as_micros()..range.to.min(after(range.before)).as_micros();
    for batch in pick::rows_within(part, agent.as_str(), &within, &COLUMNS)? {
        wanted.check()?;
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let number = |column| integer_at(&batch, column, row);
            let place = Place(time_at(&batch, 0, row), number(2).unwrap_or(-1), number(3).unwrap_or(-1));
            if place < range.before {
                found.push(Key {
                    place,
                    duration: double_at(&batch, 1, row).unwrap_or_default(),
                    host_count: number(4).map_or(0, i64::unsigned_abs),
                    hosts: HostsAt::Disk,
                });
            }
        }
        // However many there are in a day, few more than a page are held.
        if found.len() > 2 * range.limit + HELD_MIN {
            keep_page(found, range.limit);
        }
    }
    Ok(())
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

/// The moment behind a place's.
const fn after(Place(micros, ..): Place) -> Timestamp {
    Timestamp::from_micros(micros.saturating_add(1))
}
