//! What is to be done of several things, when some of them fail: the one that was tried least, so that none that fails
//! for good, say of a damaged file, keeps the others. Each failure of one doubles the time until it is tried again
//! ([`PAUSE_MAX`]): a try reads all that there is to read of it.

use super::Tier;
use pingup_protocol::time::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How long one that failed once is left alone.
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(1);
/// How long one that fails again and again is left alone at most: what somebody has mended is done within that time.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(600);

/// A period of a tier.
pub(super) type Period = (Tier, i64);

/// How each period was tried since it last worked; none is kept that there is nothing to do for.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<BTreeMap<Period, Tried>>);

/// Tries that have not worked.
#[derive(Clone, Copy, Debug)]
struct Tried {
    count: u32,
    /// The last one, by the hub's clock.
    at: Timestamp,
}

impl Tried {
    /// Whether its pause is not over. A clock that was set back ends it.
    fn is_left_alone(self, now: Timestamp) -> bool {
        (self.at..self.at.plus_seconds(pause(self.count).as_secs().cast_signed())).contains(&now)
    }
}

/// How long one is left alone that failed so often.
fn pause(failures: u32) -> Duration {
    let doubled = 2_u32.checked_pow(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    PAUSE_MIN.saturating_mul(doubled).min(PAUSE_MAX)
}

impl Attempts {
    /// Of what is due and not left alone, the one that was tried least; of those the first. It counts as tried from
    /// `now` on, also if who does it panics.
    pub(super) fn next<T>(&self, due: Vec<T>, period: impl Fn(&T) -> Period, now: Timestamp) -> Option<T> {
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tried.retain(|known, _| due.iter().any(|one| period(one) == *known));
        let count = |one: &T| tried.get(&period(one)).map_or(0, |tried| tried.count);
        let is_left_alone = |one: &T| tried.get(&period(one)).is_some_and(|tried| tried.is_left_alone(now));
        let next = due.into_iter().filter(|one| !is_left_alone(one)).min_by_key(count)?;
        let tried = tried.entry(period(&next)).or_insert(Tried { count: 0, at: now });
        *tried = Tried { count: tried.count.saturating_add(1), at: now };
        Some(next)
    }

    /// It worked.
    pub(super) fn done(&self, period: Period) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&period);
    }

    /// Whether nothing waits to be tried again.
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    /// The day that is tried of these, `seconds` from now.
    fn next(attempts: &Attempts, days: &[i64], seconds: i64) -> Option<i64> {
        let due = days.iter().map(|day| (Tier::Raw, *day)).collect();
        attempts.next(due, |period| *period, NOW.plus_seconds(seconds)).map(|(_, day)| day)
    }

    #[test]
    fn what_fails_is_tried_in_turns_and_keeps_nobody() {
        let attempts = Attempts::default();
        let days = [1, 2, 3];
        assert_eq!([next(&attempts, &days, 0), next(&attempts, &days, 0)], [Some(1), Some(2)]);
        attempts.done((Tier::Raw, 2));
        assert_eq!([next(&attempts, &[1, 3], 1), next(&attempts, &[1, 3], 1)], [Some(3), Some(1)]);
        assert_eq!(next(&attempts, &[1, 3], 2), Some(3), "one that failed comes last");
        assert!(!attempts.is_empty());
        assert_eq!(next(&attempts, &[], 2), None);
        assert!(attempts.is_empty(), "what is not due any more is forgotten");
    }

    #[test]
    fn each_failure_doubles_the_pause_up_to_a_bound() {
        let (attempts, longest) = (Attempts::default(), PAUSE_MAX.as_secs().cast_signed());
        let mut tried = 0;
        assert_eq!(next(&attempts, &[1], tried), Some(1));
        for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, longest, longest, longest] {
            assert_eq!(next(&attempts, &[1], tried + pause - 1), None, "before {pause} s are over");
            tried += pause;
            assert_eq!(next(&attempts, &[1], tried), Some(1), "after {pause} s");
        }
        assert_eq!(next(&attempts, &[1, 2], tried), Some(2), "others need not wait");
        assert_eq!(next(&attempts, &[1], tried - 10 * longest), Some(1), "a clock that was set back ends it");
        assert_eq!(pause(u32::MAX), PAUSE_MAX);
        attempts.done((Tier::Raw, 1));
        assert_eq!([next(&attempts, &[1], tried), next(&attempts, &[1], tried + 1)], [Some(1); 2], "anew");
    }
}
