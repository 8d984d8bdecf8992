//! When the hub's clock is believed. Pure: both clocks and the newest row are given.
//!
//! One wrong reading must not delete history, so what says the time has to be borne out, by one of two: the clock was
//! not set for a day ([`QUIET`]), or the newest row, by the agents' clocks, lies about where it says now is
//! ([`APART_MAX`]). Rows bear nothing out after a step that is longer than that: an agent on the hub's own machine goes
//! wrong with it.

use crate::clock::Reading;
use pingup_protocol::time::Timestamp;

/// A wall clock that went so much further than the other, or less far, was set, microseconds.
const STEP_MAX: i64 = 60 * 1_000_000;
/// How long a clock is not set until it is believed by itself, microseconds.
pub(super) const QUIET: i64 = 24 * 3_600 * 1_000_000;
/// The newest row and the clock are apart by this at most where one bears out the other, microseconds.
const APART_MAX: i64 = 3_600 * 1_000_000;

/// What was seen of the clock.
#[derive(Clone, Copy, Debug)]
pub(in crate::tsdb) struct Belief {
    /// How far the wall clock was ahead of the steady one when it was last set.
    ahead: i64,
    /// When that was seen, by the steady one.
    quiet_since: i64,
    /// Whether it was set by more than rows can bear out, since it was last believed by itself.
    has_leapt: bool,
}

impl Belief {
    /// Nothing was seen before `now`.
    pub(in crate::tsdb) const fn begin(now: Reading) -> Self {
        Self { ahead: ahead(now), quiet_since: now.steady, has_leapt: false }
    }

    /// Whether the clock is believed `now`, the newest row known being `newest`. Where there is none, nothing can be let
    /// go; what is sent is judged by the clock that there is.
    pub(in crate::tsdb) fn judge(&mut self, now: Reading, newest: Option<Timestamp>) -> bool {
        let step = apart(ahead(now), self.ahead);
        if step > STEP_MAX {
            let has_leapt = self.has_leapt || step > APART_MAX;
            *self = Self { has_leapt, ..Self::begin(now) };
        }
        if now.steady.saturating_sub(self.quiet_since) >= QUIET {
            self.has_leapt = false;
            return true;
        }
        let is_borne_out =
            newest.is_none_or(|newest| apart(newest.as_micros(), now.wall.as_micros()) <= APART_MAX);
        is_borne_out && !self.has_leapt
    }
}

const fn ahead(now: Reading) -> i64 {
    now.wall.as_micros().saturating_sub(now.steady)
}

const fn apart(one: i64, other: i64) -> i64 {
    one.saturating_sub(other).saturating_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;
    const DAY: i64 = 24 * HOUR;
    const START: Reading = Reading { wall: Timestamp::from_micros(1_800_000_000_000_000), steady: 5_000_000 };

    /// So many seconds after the start, the wall clock having been set on by `set_on`.
    fn at(seconds: i64, set_on: i64) -> Reading {
        let now = START.plus_seconds(seconds);
        Reading { wall: now.wall.plus_seconds(set_on), ..now }
    }

    /// A row of so many seconds after the start.
    fn row(seconds: i64) -> Option<Timestamp> {
        Some(START.wall.plus_seconds(seconds))
    }

    #[test]
    fn a_step_ahead_is_not_believed_nor_the_step_back_for_a_day() {
        let mut belief = Belief::begin(START);
        assert!(belief.judge(at(10 * DAY, 0), row(0)), "ten quiet days");
        let ahead = 10 * DAY + 3;
        assert!(!belief.judge(at(ahead, 40 * DAY), row(ahead)));
        assert!(!belief.judge(at(ahead + 1, 40 * DAY), row(ahead + 40 * DAY)), "the machine's own agent");
        let back = ahead + 4;
        for later in [0, HOUR, DAY - 1] {
            assert!(!belief.judge(at(back + later, 0), row(back + later)), "{later} s later");
        }
        assert!(belief.judge(at(back + DAY, 0), row(back - HOUR)));
        assert!(belief.judge(at(back + DAY + 1, 0), None));
    }

    #[test]
    fn a_step_back_is_not_believed_for_a_day() {
        let mut belief = Belief::begin(START.plus_seconds(-2 * DAY));
        assert!(belief.judge(at(0, 0), row(-5 * DAY)));
        assert!(!belief.judge(at(1, -2 * HOUR), row(1)));
        assert!(!belief.judge(at(DAY, -2 * HOUR), row(DAY - 2 * HOUR)));
        assert!(belief.judge(at(DAY + 1, -2 * HOUR), row(0)));
    }

    #[test]
    fn after_a_short_step_rows_tell() {
        let mut belief = Belief::begin(START.plus_seconds(-2 * DAY));
        assert!(belief.judge(at(0, 60), row(-5 * DAY)), "no step");
        assert!(!belief.judge(at(1, 61), row(-5 * DAY)));
        assert!(belief.judge(at(2, 61), row(2)));
        // Steps that are short by themselves and lead far away agree with nobody's rows.
        let far = |minutes: i64| (at(minutes, 61 + 61 * minutes), row(minutes));
        let believed: Vec<_> = (1..=100).map(far).map(|(now, newest)| belief.judge(now, newest)).collect();
        assert_eq!(believed.iter().position(|believed| !believed), Some(58), "past an hour");
        assert!(believed[58..].iter().all(|believed| !believed));
    }

    #[test]
    fn one_that_begins_ahead_of_old_rows_has_a_day_to_be_set_right() {
        let mut belief = Belief::begin(START);
        for later in [0, HOUR, DAY - 1] {
            assert!(!belief.judge(at(later, 0), row(-40 * DAY + later)), "{later} s later");
        }
        assert!(belief.judge(at(DAY, 0), row(-39 * DAY)), "a quiet hub is believed after a day");
    }

    #[test]
    fn after_a_long_pause_the_first_agent_that_is_back_tells() {
        let mut belief = Belief::begin(START);
        assert!(!belief.judge(at(1, 0), row(-40 * DAY)));
        assert!(!belief.judge(at(2, 0), row(2 - HOUR - 1)), "its spool comes oldest first");
        assert!(belief.judge(at(3, 0), row(3 - HOUR)));
        assert!(belief.judge(at(4, 0), row(4 + 300)), "a clock somewhat ahead");
        assert!(!belief.judge(at(5, 0), row(40 * DAY)), "a row of when the hub was ahead");
    }

    #[test]
    fn without_rows_there_is_nothing_to_contradict_it() {
        let mut belief = Belief::begin(START);
        assert!(belief.judge(at(0, 0), None));
        assert!(!belief.judge(at(1, 40 * DAY), None), "but that it was set");
        assert!(belief.judge(at(1 + DAY, 40 * DAY), None));
    }

    #[test]
    fn moments_without_measure_do_no_harm() {
        let far = |micros, steady| Reading { wall: Timestamp::from_micros(micros), steady };
        let mut belief = Belief::begin(far(i64::MIN, i64::MAX));
        for now in [far(i64::MAX, i64::MIN), far(i64::MIN, i64::MAX), far(0, i64::MIN)] {
            assert!(!belief.judge(now, Some(Timestamp::from_micros(i64::MIN))));
        }
    }
}
