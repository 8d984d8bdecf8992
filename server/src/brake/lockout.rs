//! Who sent too many bad tokens is not listened to for a while, and then for longer and longer.
//!
//! An address has so many bad tokens within a minute for nothing. The next one locks it for a second, the one after that
//! for two, then four, up to five minutes; while it is locked nothing is counted, for nothing is looked at. An
//! address that sent none for ten minutes after its lock begins anew.
//!
//! A good token does not unlock anything: whoever has one is known before the book is asked (`http::gate`), so those
//! who share an address with a guesser neither suffer from him nor help him.

use super::Book;
use pingup_protocol::time::Timestamp;
use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The longest lock.
const LOCK_SECONDS_MAX: i64 = 300;
/// How long after a lock its address has to be quiet to be taken for a new one.
const FORGET_SECONDS: i64 = 600;
const WINDOW_SECONDS: i64 = 60;

/// What is known of an address. All of it is zero for one that is new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tries {
    /// When the minute began in which bad tokens are counted.
    since: Timestamp,
    /// How many there were in it.
    bad: u32,
    /// How often it was locked.
    locks: u32,
    /// When the last lock ends.
    until: Timestamp,
}

impl Tries {
    /// Seconds until the lock ends, if it is locked. A clock that was set back must not keep anyone out: no lock is
    /// longer than the longest.
    fn locked(&self, now: Timestamp) -> Option<u64> {
        let micros = self.until.as_micros().saturating_sub(now.as_micros());
        let is_lock = self.locks > 0 && micros > 0 && micros <= LOCK_SECONDS_MAX * 1_000_000;
        is_lock.then(|| micros.unsigned_abs().div_ceil(1_000_000))
    }

    /// Counts a bad one; the seconds of the lock that it brought about.
    fn count(&mut self, free: u32, now: Timestamp) -> Option<i64> {
        if self.locks > 0 && !is_within(self.until, FORGET_SECONDS, now) && self.locked(now).is_none() {
            *self = Self::default();
        }
        if self.locks == 0 && (self.bad == 0 || !is_within(self.since, WINDOW_SECONDS, now)) {
            (self.since, self.bad) = (now, 0);
        }
        self.bad = self.bad.saturating_add(1);
        if self.locks == 0 && self.bad <= free {
            return None;
        }
        let seconds = 1_i64.checked_shl(self.locks).unwrap_or(LOCK_SECONDS_MAX).min(LOCK_SECONDS_MAX);
        self.locks = self.locks.saturating_add(1).min(i64::BITS - 2);
        self.until = now.plus_seconds(seconds);
        Some(seconds)
    }
}

/// Whether `now` is less than so many seconds after a moment; one that seems to come later counts no more.
fn is_within(moment: Timestamp, seconds: i64, now: Timestamp) -> bool {
    moment <= now && now < moment.plus_seconds(seconds)
}

/// The book of bad tokens. Shared as it is.
#[derive(Debug)]
pub struct Lockout {
    free: u32,
    book: Mutex<Book<Tries>>,
}

impl Lockout {
    /// Allows each address so many bad tokens within a minute.
    pub fn new(bad_per_minute_max: u32) -> Self {
        Self { free: bad_per_minute_max, book: Mutex::default() }
    }

    /// Whether a token of this address is looked at; if not, the seconds until then.
    pub fn check(&self, address: IpAddr, now: Timestamp) -> Result<(), u64> {
        let locked = self.book().find(address).and_then(|tries| tries.locked(now));
        locked.map_or(Ok(()), Err)
    }

    /// Counts a bad token of this address; the seconds for which it is locked now, if it was one too many.
    pub fn count(&self, address: IpAddr, now: Timestamp) -> Option<i64> {
        let mut book = self.book();
        let tries = book.entry(address);
        // Several may have been looked at before the first of them locked it: they are one.
        if tries.locked(now).is_some() { None } else { tries.count(self.free, now) }
    }

    /// An entry is valid after every step.
    fn book(&self) -> MutexGuard<'_, Book<Tries>> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn one() -> IpAddr {
        IpAddr::from([10, 0, 0, 1])
    }

    #[test]
    fn locks_grow_and_nobody_else_is_held_up() {
        let lockout = Lockout::new(3);
        let mut now = NOW;
        for _ in 0..3 {
            assert_eq!((lockout.check(one(), now), lockout.count(one(), now)), (Ok(()), None));
        }
        let mut locks = Vec::new();
        for _ in 0..12 {
            assert_eq!(lockout.check(one(), now), Ok(()));
            let seconds = lockout.count(one(), now).unwrap();
            locks.push(seconds);
            assert_eq!(lockout.check(one(), now), Err(seconds.unsigned_abs()));
            assert_eq!(lockout.count(one(), now), None, "what was looked at at the same time counts once");
            assert_eq!(lockout.check(IpAddr::from([10, 0, 0, 2]), now), Ok(()));
            now = now.plus_seconds(seconds);
        }
        assert_eq!(locks, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    }

    #[test]
    fn who_was_quiet_begins_anew_and_slow_mistakes_lock_nobody() {
        let lockout = Lockout::new(1);
        for minute in 0..100 {
            assert_eq!(lockout.count(one(), NOW.plus_seconds(60 * minute)), None);
        }
        let now = NOW.plus_seconds(60 * 99);
        assert_eq!(lockout.count(one(), now), Some(1));
        assert_eq!(
            lockout.count(one(), now.plus_seconds(FORGET_SECONDS)),
            Some(2),
            "not quiet for long enough"
        );
        let later = now.plus_seconds(FORGET_SECONDS + 2 + FORGET_SECONDS);
        assert_eq!((lockout.count(one(), later), lockout.count(one(), later)), (None, Some(1)));
    }

    #[test]
    fn none_allowed_is_none_and_a_clock_set_back_keeps_nobody_out() {
        let lockout = Lockout::new(0);
        assert_eq!(lockout.count(one(), NOW), Some(1));
        let back = NOW.plus_seconds(-3_600);
        assert_eq!(lockout.check(one(), back), Ok(()));
        assert_eq!(lockout.count(one(), back), Some(1));
    }

    #[test]
    fn a_lock_never_ends_later_than_the_longest_however_often_it_is_earned() {
        let lockout = Lockout::new(0);
        let mut now = NOW;
        for _ in 0..200 {
            let seconds = lockout.count(one(), now).unwrap();
            assert!((1..=LOCK_SECONDS_MAX).contains(&seconds), "{seconds}");
            now = now.plus_seconds(seconds);
        }
    }
}
