//! The time: the machine's, and what is known of the hub's.
//!
//! Samples carry the machine's own time, right or wrong, unless it runs so far ahead of the hub's that the
//! hub would refuse them; then they carry the hub's time as far as it is known. Both are told anew by every
//! heartbeat, so a clock that is set right later needs nothing from us.
//!
//! A clock that is set back in between is noticed at once, by a clock that only goes on: what is known of the hub's
//! stays. One that is set on looks as if the machine had slept, and the hub tells which it was.

mod apart;

pub use apart::CLOCK_OFFSET;

use apart::Apart;
use pingup_protocol::{limits::FUTURE_SECONDS_MAX, time::Timestamp};
use std::{
    cell::Cell,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
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

/// Both clocks of the machine, read together: the one that people set, and the one that only goes on.
#[derive(Clone, Copy, Debug)]
struct Reading {
    machine: Timestamp,
    steady: Instant,
}

impl Reading {
    fn now() -> Self {
        Self { machine: machine_time(), steady: Instant::now() }
    }

    /// How far the machine's clock was set back since `then`, microseconds.
    fn set_back_since(self, then: Self) -> i64 {
        let went = self.steady.saturating_duration_since(then.steady).as_micros();
        let seen = self.machine.as_micros().saturating_sub(then.machine.as_micros());
        i64::try_from(went).unwrap_or(i64::MAX).saturating_sub(seen).max(0)
    }
}

/// What is known of the hub's clock, and when that was learnt.
#[derive(Clone, Copy, Debug)]
struct Learnt {
    offset: Offset,
    at: Reading,
}

impl Learnt {
    /// The offset that holds at `here`.
    fn offset(self, here: Reading) -> Offset {
        Offset { micros: self.offset.micros.saturating_add(here.set_back_since(self.at)) }
    }
}

/// The clock that samples are stamped with.
#[derive(Debug)]
pub struct Clock {
    learnt: Cell<Learnt>,
    apart: Apart,
}

impl Default for Clock {
    /// Nothing is known of the hub's: it may be right.
    fn default() -> Self {
        let learnt = Cell::new(Learnt { offset: Offset::default(), at: Reading::now() });
        Self { learnt, apart: Apart::default() }
    }
}

impl Clock {
    /// The moment for a sample, a scan or a message of now.
    pub fn now(&self) -> Timestamp {
        let here = Reading::now();
        self.learnt.get().offset(here).sample_time(here.machine)
    }

    /// What the hub's clock says, as far as it is known.
    pub fn hub_now(&self) -> Timestamp {
        let here = Reading::now();
        self.learnt.get().offset(here).hub_time(here.machine)
    }

    /// Takes note of the hub's clock, read just now.
    pub fn learn(&self, hub: Timestamp) {
        let at = Reading::now();
        self.learnt.set(Learnt { offset: Offset::between(hub, at.machine), at });
    }

    /// Compares the machine's clock with the hub's, which said `hub` in an answer that took `round_trip` and is there
    /// just now.
    pub fn compare(&self, hub: Timestamp, round_trip: Duration) {
        self.apart.learn(hub, round_trip, Reading::now());
    }

    /// Seconds that the machine's clock is ahead of the hub's; `None` while that is not known.
    pub fn ahead_seconds(&self) -> Option<f64> {
        self.apart.ahead_seconds(Instant::now())
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

    /// A machine's clock as it is set this way and that, and one of a hub that goes on.
    struct Scene {
        start: Instant,
        set_on: i64,
    }

    impl Scene {
        fn reading(&self, second: i64) -> Reading {
            let went = std::time::Duration::from_secs(second.unsigned_abs());
            Reading { machine: NOON.plus_seconds(second + self.set_on), steady: self.start + went }
        }

        fn learn(&self, second: i64) -> Learnt {
            let at = self.reading(second);
            Learnt { offset: Offset::between(NOON.plus_seconds(second), at.machine), at }
        }

        fn sample_at(&self, learnt: Learnt, second: i64) -> i64 {
            let here = self.reading(second);
            let stamped = learnt.offset(here).sample_time(here.machine);
            (stamped.as_micros() - NOON.as_micros()) / 1_000_000
        }
    }

    #[test]
    fn a_clock_that_is_set_an_hour_on_and_then_right_stamps_right_at_once() {
        let mut scene = Scene { start: Instant::now(), set_on: 0 };
        let learnt = scene.learn(0);
        scene.set_on = 3_600;
        assert_eq!(scene.sample_at(learnt, 1), 3_601, "it may have slept: the hub refuses this, and tells");
        let learnt = scene.learn(2);
        assert_eq!(scene.sample_at(learnt, 3), 3, "by the hub's clock");
        scene.set_on = 0;
        assert_eq!(scene.sample_at(learnt, 4), 4, "before the hub was heard again");
        assert_eq!(scene.sample_at(scene.learn(5), 6), 6);
    }

    #[test]
    fn a_clock_that_is_set_an_hour_back_is_believed_and_the_hubs_is_still_known() {
        let mut scene = Scene { start: Instant::now(), set_on: 0 };
        let learnt = scene.learn(0);
        scene.set_on = -3_600;
        assert_eq!(scene.sample_at(learnt, 1), -3_599, "samples carry the machine's own time");
        let here = scene.reading(1);
        assert_eq!(learnt.offset(here).hub_time(here.machine), NOON.plus_seconds(1));
    }

    /// The steady clock stands still while a machine sleeps; the other does not.
    #[test]
    fn a_machine_that_slept_still_knows_the_hubs_time() {
        let scene = Scene { start: Instant::now(), set_on: 0 };
        let learnt = scene.learn(0);
        let here = Reading { machine: NOON.plus_seconds(8 * 3_600), ..scene.reading(1) };
        assert_eq!(learnt.offset(here).hub_time(here.machine), NOON.plus_seconds(8 * 3_600));
    }
}
