//! The stream that the hub sees, and how far it has come: kept beside the segments, replaced as a whole.
//!
//! Records are numbered once and for all; the hub sees (boot, seq), where seq is the number less `base`. So a
//! new boot renumbers everything that still waits, in order, without touching it.

use crate::state::{StateError, read_json, write_json};
use pingup_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Where the stream stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stream {
    /// The boot that sequence numbers count in.
    pub(super) boot: u64,
    /// The number before sequence number 1 of that boot.
    pub(super) base: u64,
    /// The highest number that is gone: committed by the hub, or dropped.
    pub(super) floor: u64,
    /// How many were dropped without the hub having had them, ever.
    pub(super) dropped: u64,
}

impl Stream {
    /// The stream of a new spool.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { boot: boot_at(now), base: 0, floor: 0, dropped: 0 }
    }

    /// Reads what [`Stream::save`] wrote; `None` when nothing was.
    pub(super) fn load(path: &Path) -> Result<Option<Self>, StateError> {
        read_json(path)
    }

    /// Keeps it.
    pub(super) fn save(&self, path: &Path) -> Result<(), StateError> {
        write_json(path, self)
    }

    /// Begins a boot that is new to the hub: later than this one, and not before `min_boot`.
    pub(super) fn begin_boot(&mut self, min_boot: u64, now: Timestamp) {
        self.boot = boot_at(now).max(min_boot).max(self.boot.saturating_add(1));
        self.base = self.floor;
    }
}

/// A boot is named after the moment it began: milliseconds since 1970.
fn boot_at(now: Timestamp) -> u64 {
    u64::try_from(now.as_micros() / 1_000).unwrap_or_default()
}
