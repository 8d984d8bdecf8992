//! The time that it is at least, for sure: a clock that only goes on, and that neither a hub nor a machine can drive alone.
//!
//! It learns the earlier one of the two clocks. So a hub that lies ahead cannot drive it into a future where no order holds any
//! more, nor can a machine whose clock jumps; and one that lies behind leaves it where it is. Between two words it goes on by the clock that nobody sets; over
//! a restart it stands still.

use pingup_protocol::time::Timestamp;
use std::time::Duration;

/// A moment that has passed, and when that was known.
#[derive(Clone, Copy, Debug)]
pub struct Sure {
    at: Timestamp,
    /// By the steady clock.
    steady: Duration,
}

impl Sure {
    /// Begins with what was `kept`, if anything was, when the steady clock says `steady`.
    pub fn begun(kept: Option<Timestamp>, steady: Duration) -> Self {
        Self { at: kept.unwrap_or_default(), steady }
    }

    /// What time it is at least.
    pub fn now(self, steady: Duration) -> Timestamp {
        let since = i64::try_from(steady.saturating_sub(self.steady).as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.at.as_micros().saturating_add(since))
    }

    /// Takes note of what both clocks say.
    pub fn learn(&mut self, hub: Timestamp, machine: Timestamp, steady: Duration) {
        *self = Self { at: self.now(steady).max(hub.min(machine)), steady };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const STARTED: Duration = Duration::from_secs(60);

    fn later(seconds: u64) -> Duration {
        STARTED + Duration::from_secs(seconds)
    }

    #[test]
    fn it_goes_on_and_never_back() {
        let mut sure = Sure::begun(None, STARTED);
        sure.learn(NOON, NOON, STARTED);
        assert_eq!(sure.now(later(10)), NOON.plus_seconds(10));
        sure.learn(NOON.plus_seconds(-9_999), NOON.plus_seconds(10), later(10));
        assert_eq!(sure.now(later(20)), NOON.plus_seconds(20), "a hub that goes back");
        sure.learn(NOON.plus_seconds(30), NOON.plus_seconds(-9_999), later(30));
        assert_eq!(sure.now(later(30)), NOON.plus_seconds(30), "a machine that does");
    }

    #[test]
    fn neither_clock_drives_it_ahead_alone() {
        let mut sure = Sure::begun(Some(NOON), STARTED);
        sure.learn(NOON.plus_seconds(99_999), NOON.plus_seconds(5), STARTED);
        assert_eq!(sure.now(STARTED), NOON.plus_seconds(5));
        sure.learn(NOON.plus_seconds(6), NOON.plus_seconds(99_999), STARTED);
        assert_eq!(sure.now(STARTED), NOON.plus_seconds(6));
    }
}
