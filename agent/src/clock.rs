//! The time: the machine's, and what is known of the hub's.
//!
//! Samples carry the machine's own time, right or wrong, unless it runs so far ahead of the hub's that the
//! hub would refuse them; then they carry the hub's time as far as it is known. Both are told anew by every
//! heartbeat, so a clock that is set right later needs nothing from us.

use pingup_protocol::{limits::FUTURE_SECONDS_MAX, time::Timestamp};
use std::{
    cell::Cell,
    time::{SystemTime, UNIX_EPOCH},
};

/// What the machine's clock says.
pub fn machine_time() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}

/// How far the hub's clock is from the machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset {
    micros: i64,
}

impl Offset {
    /// The hub said `hub` when the machine's clock said `here`.
    pub const fn between(hub: Timestamp, here: Timestamp) -> Self {
        Self { micros: hub.as_micros().saturating_sub(here.as_micros()) }
    }

    /// What the hub's clock says when the machine's says `here`.
    pub const fn hub_time(self, here: Timestamp) -> Timestamp {
        Timestamp::from_micros(here.as_micros().saturating_add(self.micros))
    }

    /// What a sample taken at `here` should carry.
    pub const fn sample_time(self, here: Timestamp) -> Timestamp {
        if self.micros < -FUTURE_SECONDS_MAX * 1_000_000 { self.hub_time(here) } else { here }
    }
}

/// The clock that samples are stamped with.
#[derive(Debug, Default)]
pub struct Clock {
    offset: Cell<Offset>,
}

impl Clock {
    /// The moment for a sample, a scan or a message of now.
    pub fn now(&self) -> Timestamp {
        self.offset.get().sample_time(machine_time())
    }

    /// What the hub's clock says, as far as it is known.
    pub fn hub_now(&self) -> Timestamp {
        self.offset.get().hub_time(machine_time())
    }

    /// Takes note of the hub's clock, read just now.
    pub fn learn(&self, hub: Timestamp) {
        self.offset.set(Offset::between(hub, machine_time()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn samples_keep_their_own_time_while_the_hub_would_take_it() {
        for ahead in [-86_400, -1, 0, 1, FUTURE_SECONDS_MAX] {
            let here = NOON.plus_seconds(ahead);
            assert_eq!(Offset::between(NOON, here).sample_time(here), here, "{ahead} s ahead");
        }
        let here = NOON.plus_seconds(FUTURE_SECONDS_MAX + 1);
        assert_eq!(Offset::between(NOON, here).sample_time(here), NOON);
    }

    #[test]
    fn the_hubs_time_is_told_from_the_machines() {
        let offset = Offset::between(NOON, NOON.plus_seconds(40));
        assert_eq!(offset.hub_time(NOON.plus_seconds(100)), NOON.plus_seconds(60));
    }
}
