//! The streams that the hub sees, and how far each has come: kept beside the segments, replaced as a whole.
//!
//! Records are numbered once and for all; the hub sees (boot, seq), where seq is the number less `base`. So a
//! new boot renumbers everything that still waits, in order, without touching it.
//!
//! There are one or two of them. What piled up while the hub was away can be set aside: it keeps the boot that it was
//! numbered in, and what comes after begins another. A boot is in order in itself and with no other, so what is new
//! does not wait until the hub has all that is old.

use crate::state::{StateError, read_json, write_json};
use pingup_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Which of the two a record goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// What is measured now.
    Live,
    /// What was set aside.
    Backlog,
}

impl Lane {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Live => Self::Backlog,
            Self::Backlog => Self::Live,
        }
    }
}

/// A boot, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Course {
    /// The boot that sequence numbers count in.
    pub(super) boot: u64,
    /// The number before sequence number 1 of that boot.
    pub(super) base: u64,
    /// The highest number that is gone: committed by the hub, or dropped.
    pub(super) floor: u64,
}

/// What was set aside: the numbers after its floor, up to `end`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Backlog {
    #[serde(flatten)]
    course: Course,
    end: u64,
}

/// Where they stand. The floor of what is live is never below the end of what was set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stream {
    #[serde(flatten)]
    pub(super) live: Course,
    /// How many were dropped without the hub having had them, ever.
    pub(super) dropped: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backlog: Option<Backlog>,
}

impl Stream {
    /// The stream of a new spool.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { live: Course { boot: boot_at(now), base: 0, floor: 0 }, dropped: 0, backlog: None }
    }

    /// Reads what [`Stream::save`] wrote; `None` when nothing was.
    pub(super) fn load(path: &Path) -> Result<Option<Self>, StateError> {
        read_json(path)
    }

    /// Keeps it.
    pub(super) fn save(&self, path: &Path) -> Result<(), StateError> {
        write_json(path, self)
    }

    /// The course of `lane`, and the last number that it can hold.
    pub(super) fn course(&self, lane: Lane) -> Option<(&Course, u64)> {
        match lane {
            Lane::Live => Some((&self.live, u64::MAX)),
            Lane::Backlog => self.backlog.as_ref().map(|backlog| (&backlog.course, backlog.end)),
        }
    }

    /// The lane that counts in `boot`.
    pub(super) fn lane_of_boot(&self, boot: u64) -> Option<Lane> {
        let counts = |lane: &Lane| self.course(*lane).is_some_and(|(course, _)| course.boot == boot);
        [Lane::Live, Lane::Backlog].into_iter().find(counts)
    }

    /// The lane that `number` goes in.
    pub(super) fn lane_of(&self, number: u64) -> Lane {
        match &self.backlog {
            Some(backlog) if number <= backlog.end => Lane::Backlog,
            _ => Lane::Live,
        }
    }

    /// How many of the numbers after `after`, up to `through`, are not gone.
    pub(super) fn unsent(&self, after: u64, through: u64) -> u64 {
        let of = |course: &Course, end: u64| through.min(end).saturating_sub(after.max(course.floor));
        let lanes = [Lane::Live, Lane::Backlog].into_iter().filter_map(|lane| self.course(lane));
        lanes.map(|(course, end)| of(course, end)).sum()
    }

    /// Everything up to `number` that goes in `lane` is gone.
    pub(super) fn advance(&mut self, lane: Lane, number: u64) {
        match (lane, &mut self.backlog) {
            (Lane::Live, _) => self.live.floor = self.live.floor.max(number),
            (Lane::Backlog, Some(backlog)) => {
                backlog.course.floor = backlog.course.floor.max(number.min(backlog.end));
            }
            (Lane::Backlog, None) => {}
        }
        self.backlog.take_if(|backlog| backlog.course.floor >= backlog.end);
    }

    /// Everything up to `number` is gone, in whichever lane.
    pub(super) fn pass(&mut self, number: u64) {
        self.advance(Lane::Backlog, number);
        self.advance(Lane::Live, number);
    }

    /// Begins a boot in `lane` that is new to the hub: later than all here, and not before `min_boot`.
    pub(super) fn begin_boot(&mut self, lane: Lane, min_boot: u64, now: Timestamp) {
        let boot = self.later_boot(now).max(min_boot);
        let course = match (lane, &mut self.backlog) {
            (Lane::Backlog, Some(backlog)) => &mut backlog.course,
            _ => &mut self.live,
        };
        (course.boot, course.base) = (boot, course.floor);
    }

    /// Sets aside what waits, up to the number `last`, and begins another boot behind it; not while something is set
    /// aside already. Whether it did.
    pub(super) fn set_aside(&mut self, last: u64, now: Timestamp) -> bool {
        if self.backlog.is_some() || last <= self.live.floor {
            return false;
        }
        let live = Course { boot: self.later_boot(now), base: last, floor: last };
        let course = std::mem::replace(&mut self.live, live);
        self.backlog = Some(Backlog { course, end: last });
        true
    }

    fn later_boot(&self, now: Timestamp) -> u64 {
        let known = self.backlog.as_ref().map_or(0, |backlog| backlog.course.boot).max(self.live.boot);
        boot_at(now).max(known.saturating_add(1))
    }
}

/// A boot is named after the moment it began: milliseconds since 1970.
fn boot_at(now: Timestamp) -> u64 {
    u64::try_from(now.as_micros() / 1_000).unwrap_or_default()
}
