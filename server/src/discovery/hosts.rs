//! What chosen scans found and where they looked, as JSON text, from the newest on: as many as a page may take in bytes.

use super::{
    DiscoveryError, Place,
    keys::{self, HostsAt, Key},
};
use crate::{
    storage::Wanted,
    tsdb::{
        Part, View, pick,
        schema::{integer_at, text_at, time_at},
    },
};
use arrow::array::{Array, RecordBatch};
use pingup_protocol::{discovery::Host, ids::AgentId, network::Network, time::Timestamp};
use serde_json::value::{RawValue, to_raw_value};
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

/// What is read of a scan in a file, in the file's order. An old file lacks the last.
const COLUMNS: [&str; 5] = ["timestamp", "boot", "seq", "hosts", "networks"];

/// What is copied of memory at once, bytes; of a scan that takes more, all of it.
const COPIED_BYTES_MAX: usize = 1024 * 1024;

/// What a scan found, and where it looked, as it is told.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) hosts: Box<RawValue>,
    /// None where the scan does not say.
    pub(super) networks: Option<Box<RawValue>>,
}

impl Found {
    /// What it takes of a page, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.hosts.get().len() + self.networks.as_ref().map_or(0, |networks| networks.get().len())
    }

    fn written(hosts: &[Host], networks: &[Network]) -> Result<Self, DiscoveryError> {
        let networks = (!networks.is_empty()).then(|| to_raw_value(networks)).transpose()?;
        Ok(Self { hosts: to_raw_value(hosts)?, networks })
    }

    fn read(batch: &RecordBatch, row: usize) -> Result<Self, DiscoveryError> {
        let text = |column| text_at(batch, column, row).to_owned();
        let said = |column: &usize| *column < batch.num_columns() && !batch.column(*column).is_null(row);
        let networks = Some(4).filter(said).map(|column| RawValue::from_string(text(column))).transpose()?;
        Ok(Self { hosts: RawValue::from_string(text(3))?, networks })
    }
}

/// Hosts by the place of their scan: of those that were added the newest ones whose newer ones take less than so
/// many bytes. What is beyond is on no page, and let go as soon as that is known.
pub(super) struct Hosts {
    texts: BTreeMap<Place, Found>,
    bytes: usize,
    bytes_max: usize,
}

impl Hosts {
    pub(super) const fn taking(bytes_max: usize) -> Self {
        Self { texts: BTreeMap::new(), bytes: 0, bytes_max }
    }

    pub(super) fn remove(&mut self, place: &Place) -> Option<Found> {
        self.texts.remove(place)
    }

    fn has_room_at(&self, place: Place) -> bool {
        self.bytes < self.bytes_max || self.texts.first_key_value().is_none_or(|(oldest, _)| place > *oldest)
    }

    fn add(&mut self, place: Place, found: Found) {
        self.bytes += found.bytes();
        self.texts.insert(place, found);
        while let Some(oldest) = self.texts.first_entry()
            && self.bytes - oldest.get().bytes() >= self.bytes_max
        {
            self.bytes -= oldest.remove().bytes();
        }
    }
}

/// Adds those of scans between two places, both included, in the files of `days`, the newest day first.
pub(super) fn on_disk(
    agent: &AgentId,
    days: &[Vec<Arc<Part>>],
    (oldest, newest): (Place, Place),
    hosts: &mut Hosts,
    wanted: &Wanted,
) -> Result<(), DiscoveryError> {
    let within = oldest.0..newest.0.saturating_add(1);
    for part in days.iter().flatten() {
        let (first, last) = part.row().times;
        if first >= within.end || last < within.start || !hosts.has_room_at(Place(last, i64::MAX, i64::MAX)) {
            continue;
        }
        for batch in pick::rows_within(part, agent.as_str(), &within, &COLUMNS)? {
            wanted.check()?;
            let batch = batch?;
            for row in 0..batch.num_rows() {
                let number = |column| integer_at(&batch, column, row).unwrap_or(-1);
                let place = Place(time_at(&batch, 0, row), number(1), number(2));
                if place >= oldest && place <= newest && hosts.has_room_at(place) {
                    hosts.add(place, Found::read(&batch, row)?);
                }
            }
        }
    }
    Ok(())
}

/// Adds those of the scans in memory that `keys` name, the newest first, as far as they may lie on the page. They are
/// copied where they lie, a few at a time, and written afterwards: whoever appends may wait.
pub(super) fn in_memory(
    view: &View,
    agent: &AgentId,
    keys: &[Key],
    hosts: &mut Hosts,
    wanted: &Wanted,
) -> Result<(), DiscoveryError> {
    let mut rest = keys;
    while rest.first().is_some_and(|key| hosts.has_room_at(key.place)) {
        wanted.check()?;
        let (few, older) = rest.split_at(few(rest));
        for (place, found, networks) in copied(view, agent, few) {
            hosts.add(place, Found::written(&found, &networks)?);
        }
        rest = older;
    }
    Ok(())
}

/// How many of `keys`, from the first on, are copied at once: what they take is counted before they are. At least one.
fn few(keys: &[Key]) -> usize {
    let mut bytes = 0_usize;
    let fits = |key: &&Key| {
        bytes = bytes.saturating_add(match key.hosts {
            HostsAt::Memory(bytes) => bytes,
            HostsAt::Disk => 0,
        });
        bytes <= COPIED_BYTES_MAX
    };
    keys.iter().take_while(fits).count().max(1)
}

/// The hosts and networks of these scans. Others may have come between them since.
fn copied(view: &View, agent: &AgentId, few: &[Key]) -> Vec<(Place, Vec<Host>, Vec<Network>)> {
    let mut copied = Vec::new();
    let (Some(newest), Some(oldest)) = (few.first(), few.last()) else { return copied };
    let at = Timestamp::from_micros;
    let range = at(oldest.place.0)..at(newest.place.0.saturating_add(1));
    for segment in &view.segments {
        segment.each_scan(agent.as_str(), &range, |scan| {
            let place = keys::place(scan.timestamp(), scan.stream());
            if few.binary_search_by_key(&Reverse(place), |key| Reverse(key.place)).is_ok() {
                copied.push((place, scan.hosts().to_vec(), scan.networks().to_vec()));
            }
        });
    }
    copied
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bytes: usize) -> Key {
        Key { place: Place(0, 0, 0), duration: 0.0, host_count: 1, hosts: HostsAt::Memory(bytes) }
    }

    #[test]
    fn no_more_is_copied_at_once_than_a_bound_but_for_one_scan() {
        let quarter = COPIED_BYTES_MAX / 4;
        for (sizes, expected) in [
            (&[quarter; 4][..], 4),
            (&[quarter; 5], 4),
            (&[quarter, quarter, quarter, quarter + 1], 3),
            (&[COPIED_BYTES_MAX + 1, 0], 1),
            (&[0, COPIED_BYTES_MAX + 1], 1),
            (&[usize::MAX, usize::MAX], 1),
            (&[0; 10_000], 10_000),
        ] {
            let keys: Vec<_> = sizes.iter().map(|bytes| key(*bytes)).collect();
            assert_eq!(few(&keys), expected, "{} scans from {} bytes", sizes.len(), sizes[0]);
        }
    }
}
