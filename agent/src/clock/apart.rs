//! clock_offset_seconds: how far the machine's clock is ahead of the hub's; less than 0, behind it.
//!
//! Heartbeats tell. The hub read its clock at some moment of the round trip; the middle of it is taken, so what is
//! told is wrong by half the round trip at most. One that took long tells too little and is passed over, and what was
//! learnt long ago is not told any more: samples do without rather than say what nobody knows.

use super::Reading;
use pingup_protocol::time::Timestamp;
use std::{cell::Cell, time::Duration};

/// What the measurement is called.
pub const CLOCK_OFFSET: &str = "clock_offset_seconds";

/// The longest round trip that is believed: half of it is the error.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(2);
/// How long what was learnt is told: ten heartbeats.
const AGE_MAX: Duration = Duration::from_secs(300);

/// How far the two clocks are apart, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Apart(Cell<Option<Known>>);

#[derive(Clone, Copy, Debug)]
struct Known {
    ahead_micros: i64,
    /// By the steady clock.
    learnt: Duration,
}

impl Apart {
    /// The hub said `hub` in an answer that was there at `at`, `round_trip` after it was asked.
    pub(super) fn learn(&self, hub: Timestamp, round_trip: Duration, at: Reading) {
        if round_trip > ROUND_TRIP_MAX {
            return;
        }
        let half = i64::try_from(round_trip.as_micros() / 2).unwrap_or(0);
        let then = at.machine.as_micros().saturating_sub(half);
        let ahead_micros = then.saturating_sub(hub.as_micros());
        self.0.set(Some(Known { ahead_micros, learnt: at.steady }));
    }

    /// Seconds that the machine's clock is ahead; `None` while that is not known, or not any more.
    pub(super) fn ahead_seconds(&self, now: Duration) -> Option<f64> {
        let known = self.0.get()?;
        let age = now.saturating_sub(known.learnt);
        (age <= AGE_MAX).then_some(known.ahead_micros as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const STARTED: Duration = Duration::from_secs(60);

    fn told(ahead_seconds: i64, round_trip: Duration) -> Option<f64> {
        let (apart, steady) = (Apart::default(), STARTED);
        let at = Reading { machine: NOON.plus_seconds(ahead_seconds), steady };
        apart.learn(NOON, round_trip, at);
        apart.ahead_seconds(steady)
    }

    #[test]
    fn half_of_the_round_trip_is_taken_off() {
        let quick = Duration::from_millis(500);
        assert_eq!(told(0, Duration::ZERO), Some(0.0));
        assert_eq!(told(40, Duration::ZERO), Some(40.0));
        assert_eq!(told(-40, quick), Some(-40.25));
        assert_eq!(told(1, quick), Some(0.75));
    }

    #[test]
    fn a_long_round_trip_tells_nothing_and_takes_nothing_away() {
        assert_eq!(told(40, ROUND_TRIP_MAX), Some(39.0));
        assert_eq!(told(40, ROUND_TRIP_MAX + Duration::from_micros(1)), None);
        let (apart, steady) = (Apart::default(), STARTED);
        let at = Reading { machine: NOON.plus_seconds(3), steady };
        apart.learn(NOON, Duration::ZERO, at);
        apart.learn(NOON, ROUND_TRIP_MAX * 2, at);
        assert_eq!(apart.ahead_seconds(steady), Some(3.0));
    }

    #[test]
    fn what_was_learnt_long_ago_is_not_told() {
        let (apart, steady) = (Apart::default(), STARTED);
        assert_eq!(apart.ahead_seconds(steady), None, "nothing is known yet");
        apart.learn(NOON, Duration::ZERO, Reading { machine: NOON, steady });
        assert_eq!(apart.ahead_seconds(steady + AGE_MAX), Some(0.0));
        assert_eq!(apart.ahead_seconds(steady + AGE_MAX + Duration::from_micros(1)), None);
    }
}
