//! The hosts of chosen scans, as JSON text, from the newest on: as many as a page may take in bytes.

use super::{
    DiscoveryError, Place,
    keys::{self, HostsAt, Key},
};
use crate::{storage::Wanted, tsdb::View};
use pingup_protocol::{discovery::Host, ids::AgentId, network::Network, time::Timestamp};
use std::{cmp::Reverse, collections::BTreeMap};

/// What is copied of memory at once, bytes; of a scan that takes more, all of it.
const COPIED_BYTES_MAX: usize = 1024 * 1024;

/// What a host takes as text, as long as none was read.
const HOST_BYTES_GUESSED: u64 = 80;
/// Scans that are read of a day at once, at least.
const READ_AT_ONCE_MIN: usize = 16;

/// What a scan found, and where it looked, as JSON text.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) hosts: Box<str>,
    /// None where the scan does not say.
    pub(super) networks: Option<Box<str>>,
}

impl Found {
    /// What it takes of a page, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.hosts.len() + self.networks.as_ref().map_or(0, |networks| networks.len())
    }

    fn written(hosts: &[Host], networks: &[Network]) -> Result<Self, DiscoveryError> {
        let networks = (!networks.is_empty()).then(|| serde_json::to_string(networks)).transpose()?;
        Ok(Self { hosts: serde_json::to_string(hosts)?.into(), networks: networks.map(Into::into) })
    }
}

/// Hosts by the place of their scan: of those that were added the newest ones whose newer ones take less than so
/// many bytes. What is beyond is on no page, and let go as soon as that is known.
pub(super) struct Hosts {
    texts: BTreeMap<Place, Found>,
    /// Scans whose hosts were taken out; they are newer than all that is added since.
    taken: usize,
    /// What all of them take, those that were taken out too.
    bytes: usize,
    bytes_max: usize,
    /// Hosts that were added, and what their texts took, also of those that were let go.
    added: (u64, u64),
}

impl Hosts {
    pub(super) const fn taking(bytes_max: usize) -> Self {
        Self { texts: BTreeMap::new(), taken: 0, bytes: 0, bytes_max, added: (0, 0) }
    }

    /// Of how many scans, those that were taken out too.
    pub(super) fn len(&self) -> usize {
        self.taken + self.texts.len()
    }

    /// Takes out those of a scan than which nothing newer is added any more.
    pub(super) fn remove(&mut self, place: &Place) -> Option<Found> {
        let found = self.texts.remove(place);
        self.taken += usize::from(found.is_some());
        found
    }

    /// Whether those of a scan at `place` can be on the page.
    pub(super) fn has_room_at(&self, place: Place) -> bool {
        self.bytes < self.bytes_max || self.texts.first_key_value().is_some_and(|(oldest, _)| place > *oldest)
    }

    /// How many of `keys`, which come the newest first, are worth reading at once: as many as seem to fit, and some.
    pub(super) fn few(&self, keys: &[Key]) -> usize {
        let host_bytes = match self.added {
            (0, _) => HOST_BYTES_GUESSED,
            (hosts, bytes) => bytes / hosts + 1,
        };
        let mut left = self.bytes_max.saturating_sub(self.bytes) as u64;
        let fits = |key: &&Key| {
            let bytes = key.host_count.saturating_mul(host_bytes);
            let fits = bytes <= left;
            left = left.saturating_sub(bytes);
            fits
        };
        let few = keys.iter().take_while(fits).count();
        keys.len().min(few + few / 8 + READ_AT_ONCE_MIN)
    }

    /// Adds a scan's hosts, so many of them.
    pub(super) fn add(&mut self, place: Place, count: u64, found: Found) {
        self.added.0 += count;
        self.added.1 += found.bytes() as u64;
        self.bytes += found.bytes();
        self.texts.insert(place, found);
        while let Some(oldest) = self.texts.first_entry()
            && self.bytes - oldest.get().bytes() >= self.bytes_max
        {
            self.bytes -= oldest.remove().bytes();
        }
    }
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
            hosts.add(place, found.len() as u64, Found::written(&found, &networks)?);
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
            HostsAt::File { .. } => 0,
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
    fn of_a_day_as_many_are_read_as_seem_to_fit_and_some() {
        let scans = |count| vec![Key { host_count: 10, ..key(0) }; count];
        let mut hosts = Hosts::taking(64_000);
        // 80 scans of ten hosts, guessed at 80 bytes each.
        assert_eq!(hosts.few(&scans(1_000)), 80 + 10 + READ_AT_ONCE_MIN);
        assert_eq!(hosts.few(&scans(50)), 50);
        let found = |bytes| Found { hosts: "x".repeat(bytes).into(), networks: None };
        hosts.add(Place(1, 0, 0), 10, found(16_000));
        // Three more of what the first one took, a little less.
        assert_eq!(hosts.few(&scans(1_000)), 2 + READ_AT_ONCE_MIN);
        hosts.add(Place(2, 0, 0), 10, found(64_000));
        assert_eq!(hosts.few(&scans(1_000)), READ_AT_ONCE_MIN);
        assert_eq!((hosts.few(&[]), hosts.len()), (0, 1));
        let huge = vec![Key { host_count: u64::MAX, ..key(0) }; 100];
        assert_eq!(Hosts::taking(1).few(&huge), READ_AT_ONCE_MIN);
    }

    #[test]
    fn what_was_taken_out_goes_on_counting() {
        let found = || Found { hosts: "x".repeat(60).into(), networks: None };
        let mut hosts = Hosts::taking(100);
        hosts.add(Place(9, 0, 0), 1, found());
        assert!(hosts.remove(&Place(9, 0, 0)).is_some());
        assert!(hosts.len() == 1 && hosts.has_room_at(Place(8, 0, 0)));
        hosts.add(Place(8, 0, 0), 1, found());
        assert!(hosts.remove(&Place(8, 0, 0)).is_some());
        assert!(!hosts.has_room_at(Place(7, 0, 0)), "full, though nothing is held");
        assert!(hosts.remove(&Place(7, 0, 0)).is_none() && hosts.len() == 2);
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
