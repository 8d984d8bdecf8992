//! How far two clocks are apart, and what follows for a moment that one of them told.

use pingup_protocol::{limits::FUTURE_SECONDS_MAX, time::Timestamp};

/// How far the hub's clock is from the machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset {
    pub(super) micros: i64,
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
