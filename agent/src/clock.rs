//! The time: the machine's, and what is known of the hub's.
//!
//! The machine's clock can be set, by people and by programs, at any moment. Beside it there is one that only goes on,
//! also while the machine sleeps ([`steady`]): what the hub said, and what that one went since, is the hub's time,
//! whatever the other says. So commands and heartbeats are timed; docs/decisions/0032 says what is trusted, and why.
//!
//! Samples carry the machine's own time, right or wrong, unless it runs so far ahead of the hub's that the
//! hub would refuse them, or so far behind that the hub has said it keeps nothing as old; then they carry the hub's time
//! as far as it is known. Both are told anew by every heartbeat, so a clock that is set right later needs nothing from
//! us. One that is set back in between is noticed at once; one that is set on looks as if the machine had been paused by
//! its host, and the hub tells which it was.

mod apart;
mod late;
mod offset;

pub use apart::CLOCK_OFFSET;
pub use offset::Offset;

use apart::Apart;
use pingup_protocol::{limits::FUTURE_SECONDS_MAX, time::Timestamp};
use rustix::time::{ClockId, clock_gettime};
use std::{
    cell::Cell,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Two clocks that went on differ by this at most, and by [`DRIFT_SHARE_MAX`] of the time that went by.
const APART_MAX: Duration = Duration::from_secs(5);
/// One part of so many: twice as fast as a clock is set right by degrees.
const DRIFT_SHARE_MAX: u32 = 1_000;
/// The clock that goes on while the machine sleeps.
#[cfg(any(target_os = "linux", target_os = "android"))]
const STEADY: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const STEADY: ClockId = ClockId::Monotonic;

/// What the machine's clock says.
pub fn machine_time() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}

/// What the clock says that nobody sets: since some moment before this program began.
pub fn steady() -> Duration {
    read(STEADY)
}

/// How long the machine has slept since it was started, as far as its system tells; what counts is how it grows.
pub fn slept() -> Duration {
    // In this order: a pause between the two makes it less, never more.
    let with_sleep = steady();
    with_sleep.saturating_sub(read(ClockId::Monotonic))
}

fn read(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// Both clocks of the machine, read together.
#[derive(Clone, Copy, Debug)]
struct Reading {
    machine: Timestamp,
    steady: Duration,
}

impl Reading {
    fn now() -> Self {
        Self { machine: machine_time(), steady: steady() }
    }

    /// How long it is since `then`, by the steady clock, microseconds.
    fn since(self, then: Self) -> i64 {
        i64::try_from(self.steady.saturating_sub(then.steady).as_micros()).unwrap_or(i64::MAX)
    }

    /// How much further the machine's clock went since `then` than the steady one, microseconds.
    fn set_on_since(self, then: Self) -> i64 {
        let seen = self.machine.as_micros().saturating_sub(then.machine.as_micros());
        seen.saturating_sub(self.since(then))
    }
}

/// The hub's time as one answer told it.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    said: Timestamp,
    at: Reading,
}

impl Told {
    /// The hub said `hub` just now.
    pub fn just_now(hub: Timestamp) -> Self {
        Self { said: hub, at: Reading::now() }
    }

    /// What it said.
    pub const fn said(self) -> Timestamp {
        self.said
    }

    /// What the hub's clock says now; `None` when the machine's clocks do not agree how long ago that was. Either one was
    /// set, or the machine was paused by its host, which may stop both and set one: only the hub can tell.
    pub fn now(self) -> Option<Timestamp> {
        self.certain_at(Reading::now())
    }

    fn certain_at(self, here: Reading) -> Option<Timestamp> {
        let drift = self.age_at(here) / i64::from(DRIFT_SHARE_MAX);
        let apart_max = i64::try_from(APART_MAX.as_micros()).unwrap_or(i64::MAX).saturating_add(drift);
        (here.set_on_since(self.at).saturating_abs() <= apart_max).then(|| self.hub_at(here))
    }

    fn age_at(self, here: Reading) -> i64 {
        here.since(self.at)
    }

    /// By the steady clock alone.
    fn hub_at(self, here: Reading) -> Timestamp {
        Timestamp::from_micros(self.said.as_micros().saturating_add(self.age_at(here)))
    }

    /// The offset of the machine's clock that samples are stamped by: one that was set back is seen to be.
    fn offset_at(self, here: Reading) -> Offset {
        let set_back = here.set_on_since(self.at).saturating_neg().max(0);
        let Offset { micros } = Offset::between(self.said, self.at.machine);
        Offset { micros: micros.saturating_add(set_back) }
    }
}

/// The clock that everything is stamped with.
#[derive(Debug)]
pub struct Clock {
    /// When it began, by the steady clock.
    begun: Duration,
    /// Nothing yet: the machine's may be right.
    told: Cell<Option<Told>>,
    /// The hub keeps nothing that carries the machine's time.
    is_too_slow: Cell<bool>,
    apart: Apart,
}

impl Default for Clock {
    fn default() -> Self {
        let (told, is_too_slow, apart) = (Cell::default(), Cell::default(), Apart::default());
        Self { begun: steady(), told, is_too_slow, apart }
    }
}

impl Clock {
    /// The moment for a sample, a scan or a message of now.
    pub fn now(&self) -> Timestamp {
        self.stamp_at(Reading::now())
    }

    fn stamp_at(&self, here: Reading) -> Timestamp {
        let Some(told) = self.told.get() else { return here.machine };
        let hub = told.hub_at(here);
        let goes_by_hub = self.is_too_slow.get() && is_behind(here.machine, hub);
        if goes_by_hub { hub } else { told.offset_at(here).sample_time(here.machine) }
    }

    /// What the hub's clock says, as far as it is known.
    pub fn hub_now(&self) -> Timestamp {
        let here = Reading::now();
        self.told.get().map_or(here.machine, |told| told.hub_at(here))
    }

    /// The moment by which what was stamped is judged too old: the hub's time, or the machine's where that is behind,
    /// since records of a slow clock look older than they are. `None` unless the hub said what time it is, and the
    /// machine's clocks agree how long ago that was: nothing is old by a clock that somebody set.
    pub fn ageing(&self) -> Option<Timestamp> {
        self.ageing_at(Reading::now())
    }

    fn ageing_at(&self, here: Reading) -> Option<Timestamp> {
        self.told.get()?.certain_at(here).map(|hub| hub.min(here.machine))
    }

    /// Whether the hub has said what time it has.
    pub fn knows_hub(&self) -> bool {
        self.told.get().is_some()
    }

    /// Takes note of the hub's clock, read just now.
    pub fn learn(&self, hub: Timestamp) {
        self.learn_at(hub, Reading::now());
    }

    fn learn_at(&self, hub: Timestamp, here: Reading) {
        self.told.set(Some(Told { said: hub, at: here }));
        if !is_behind(here.machine, hub) {
            self.is_too_slow.set(false);
        }
    }

    /// Takes note that the hub, which said `hub` just now, keeps nothing as old as what the machine's clock says: what is
    /// stamped goes by the hub's from now on, until the two are no longer apart.
    pub fn fall_behind(&self, hub: Timestamp) {
        self.is_too_slow.set(true);
        self.learn(hub);
    }

    /// Whether the machine's clock, as it goes now, said `stamped` since this began, and less long ago than it is behind a hub
    /// that says `hub` just now: then what carries that moment looks old for that clock's sake.
    pub fn is_slow_of(&self, stamped: Timestamp, hub: Timestamp) -> bool {
        self.is_slow_at(stamped, hub, Reading::now())
    }

    fn is_slow_at(&self, stamped: Timestamp, hub: Timestamp, here: Reading) -> bool {
        let age = here.machine.as_micros().saturating_sub(stamped.as_micros());
        let behind = hub.as_micros().saturating_sub(here.machine.as_micros());
        let since_begun = here.steady.saturating_sub(self.begun).as_micros();
        let is_own = u128::try_from(age).is_ok_and(|age| age <= since_begun);
        is_own && age < behind && is_behind(here.machine, hub)
    }

    /// Compares the machine's clock with the hub's, which said `hub` in an answer that took `round_trip` and is there
    /// just now.
    pub fn compare(&self, hub: Timestamp, round_trip: Duration) {
        self.apart.learn(hub, round_trip, Reading::now());
    }

    /// Seconds that the machine's clock is ahead of the hub's; `None` while that is not known.
    pub fn ahead_seconds(&self) -> Option<f64> {
        self.apart.ahead_seconds(steady())
    }
}

/// Whether a machine's clock that says `here` is behind a hub's that says `hub`: by more than it may be ahead.
fn is_behind(here: Timestamp, hub: Timestamp) -> bool {
    here.plus_seconds(FUTURE_SECONDS_MAX) < hub
}

#[cfg(test)]
impl Told {
    /// The same, and since then the machine's clock was set on by so many seconds.
    pub(crate) fn and_then_set_on(mut self, seconds: i64) -> Self {
        self.at.machine = self.at.machine.plus_seconds(-seconds);
        self
    }
}

#[cfg(test)]
mod tests;
