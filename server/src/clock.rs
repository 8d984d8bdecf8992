//! The one place that reads the machine's clocks. Everything else is given a [`Clock`], or a moment.
//!
//! The wall clock can be set, by people and by programs, at any moment. Beside it there is one that only goes on, also
//! while the machine sleeps: where the two disagree how long something took, the wall clock was set.

use pingup_protocol::time::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

/// The clock that goes on while the machine sleeps.
#[cfg(any(target_os = "linux", target_os = "android"))]
const STEADY: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const STEADY: ClockId = ClockId::Monotonic;

/// Tells the time; in tests, the time it was told.
#[derive(Clone)]
pub struct Clock(Option<Arc<Mutex<Reading>>>);

/// Both clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the wall clock says.
    pub wall: Timestamp,
    /// Microseconds since some moment, by the clock that nobody sets.
    pub steady: i64,
}

impl Reading {
    /// So many seconds later, by both clocks; earlier, below zero.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        let steady = self.steady.saturating_add(seconds.saturating_mul(1_000_000));
        Self { wall: self.wall.plus_seconds(seconds), steady }
    }
}

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `now` until it is moved.
    pub fn fixed(now: Timestamp) -> Self {
        Self(Some(Arc::new(Mutex::new(Reading { wall: now, steady: 0 }))))
    }

    /// Lets `seconds` go by on a standing clock; the machine's clock is left alone.
    pub fn advance(&self, seconds: i64) {
        self.alter(|reading| *reading = reading.plus_seconds(seconds));
    }

    /// Sets a standing clock on by `seconds`, as somebody sets a wall clock: no time goes by.
    pub fn set_on(&self, seconds: i64) {
        self.alter(|reading| reading.wall = reading.wall.plus_seconds(seconds));
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.standing().map_or_else(wall, |reading| reading.wall)
    }

    /// Now, by both clocks.
    pub fn read(&self) -> Reading {
        self.standing().unwrap_or_else(|| Reading { wall: wall(), steady: steady() })
    }

    fn standing(&self) -> Option<Reading> {
        self.0.as_ref().map(|standing| *standing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn alter(&self, change: impl FnOnce(&mut Reading)) {
        if let Some(standing) = &self.0 {
            change(&mut standing.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

fn wall() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}

fn steady() -> i64 {
    let now = clock_gettime(STEADY);
    now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
