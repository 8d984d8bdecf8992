//! The hosts of chosen scans, as JSON text, from the newest on: as many as a page may take in bytes.

use super::{
    DiscoveryError, Place,
    keys::{self, Key},
};
use crate::{
    storage::Wanted,
    tsdb::{
        Part, View, pick,
        schema::{integer_at, text_at, time_at},
    },
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use serde_json::value::{RawValue, to_raw_value};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// What is read of a scan in a file, in the file's order.
const COLUMNS: [&str; 4] = ["timestamp", "boot", "seq", "hosts"];

/// What a host takes as JSON at least.
const HOST_BYTES_MIN: usize = 16;

/// Hosts by the place of their scan: of those that were added the newest ones whose newer ones take less than so
/// many bytes. What is beyond is on no page, and let go as soon as that is known.
pub(super) struct Hosts {
    texts: BTreeMap<Place, Box<RawValue>>,
    bytes: usize,
    bytes_max: usize,
}

impl Hosts {
    pub(super) const fn taking(bytes_max: usize) -> Self {
        Self { texts: BTreeMap::new(), bytes: 0, bytes_max }
    }

    pub(super) fn remove(&mut self, place: &Place) -> Option<Box<RawValue>> {
        self.texts.remove(place)
    }

    fn has_room_at(&self, place: Place) -> bool {
        self.bytes < self.bytes_max || self.texts.first_key_value().is_none_or(|(oldest, _)| place > *oldest)
    }

    fn add(&mut self, place: Place, text: Box<RawValue>) {
        self.bytes += text.get().len();
        self.texts.insert(place, text);
        while let Some(oldest) = self.texts.first_entry()
            && self.bytes - oldest.get().get().len() >= self.bytes_max
        {
            self.bytes -= oldest.remove().get().len();
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
                    hosts.add(place, RawValue::from_string(text_at(&batch, 3, row).to_owned())?);
                }
            }
        }
    }
    Ok(())
}

/// Adds those of the scans in memory that `keys` name, the newest first, as far as they may lie on the page. They are
/// copied where they lie and written afterwards: a writer may wait.
pub(super) fn in_memory(
    view: &View,
    agent: &AgentId,
    keys: &[Key],
    hosts: &mut Hosts,
) -> Result<(), DiscoveryError> {
    let mut bytes = 0;
    let fits = keys.iter().take_while(|key| {
        let has_room = bytes < hosts.bytes_max;
        bytes += usize::try_from(key.host_count).unwrap_or(usize::MAX).saturating_mul(HOST_BYTES_MIN);
        has_room
    });
    let places: HashSet<Place> = fits.map(|key| key.place).collect();
    let moments = places.iter().map(|Place(at, ..)| *at);
    let (Some(first), Some(last)) = (moments.clone().min(), moments.max()) else { return Ok(()) };
    let range = Timestamp::from_micros(first)..Timestamp::from_micros(last.saturating_add(1));
    for segment in &view.segments {
        let mut copied = Vec::new();
        segment.each_scan(agent.as_str(), &range, |scan| {
            let place = keys::place(scan.timestamp(), scan.stream());
            if places.contains(&place) {
                copied.push((place, scan.hosts().to_vec()));
            }
        });
        for (place, found) in copied {
            if hosts.has_room_at(place) {
                hosts.add(place, to_raw_value(&found)?);
            }
        }
    }
    Ok(())
}
