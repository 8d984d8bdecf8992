//! Answers that were read late: one can lie in the machine for seconds, while this program or the machine stood still, or
//! be held up on its way. The moment it tells is over by then.

use super::{Clock, Reading, Told};
use pingup_protocol::time::Timestamp;
use std::time::Duration;

/// How late an answer may be read and still count as read at once, seconds.
const LATE_SECONDS_MAX: i64 = 2;
const LATE_MAX: Duration = Duration::from_secs(LATE_SECONDS_MAX.unsigned_abs());

impl Clock {
    /// Takes note of the hub's clock as an answer tells it that came `took` after it was asked for, and was read just now.
    /// What is known stays where it says that the answer was read late, and that can be.
    pub fn hear(&self, hub: Timestamp, took: Duration) {
        self.hear_at(hub, took, Reading::now());
    }

    fn hear_at(&self, hub: Timestamp, took: Duration, here: Reading) {
        if !self.told.get().is_some_and(|told| explains(told, hub, took, here)) {
            self.learn_at(hub, here);
        }
    }

    /// Whether an answer in which the hub says `hub`, and that came `took` after it was asked for, is read late, or may be:
    /// the machine's clocks do not agree what time the hub has. One that came at once never is.
    pub fn is_late(&self, hub: Timestamp, took: Duration) -> bool {
        self.is_late_at(hub, took, Reading::now())
    }

    fn is_late_at(&self, said: Timestamp, took: Duration, here: Reading) -> bool {
        let is_after = |told: Told| told.certain_at(here).is_none_or(|hub| is_over(said, hub));
        took > LATE_MAX && self.told.get().is_some_and(is_after)
    }
}

/// Whether by what was `told` before, the answer lay for a while, and no longer than since it was asked for.
fn explains(told: Told, said: Timestamp, took: Duration, here: Reading) -> bool {
    let latest =
        said.plus_seconds(i64::try_from(took.as_secs()).unwrap_or(i64::MAX).saturating_add(LATE_SECONDS_MAX));
    took > LATE_MAX && told.certain_at(here).is_some_and(|hub| is_over(said, hub) && hub <= latest)
}

fn is_over(said: Timestamp, hub: Timestamp) -> bool {
    said.plus_seconds(LATE_SECONDS_MAX) < hub
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    /// Both clocks of a right machine, so many seconds after noon.
    fn at(second: i64) -> Reading {
        Reading {
            machine: NOON.plus_seconds(second),
            steady: Duration::from_secs((1_000 + second).unsigned_abs()),
        }
    }

    fn told_at_noon() -> Clock {
        let clock = Clock::default();
        clock.learn_at(NOON, at(0));
        clock
    }

    /// Of an answer of `said`, read a minute after noon.
    fn is_late(clock: &Clock, said: i64, took: u64) -> bool {
        clock.is_late_at(NOON.plus_seconds(said), Duration::from_secs(took), at(60))
    }

    #[test]
    fn an_answer_that_lay_is_late_and_one_that_came_at_once_never_is() {
        let clock = told_at_noon();
        assert!(is_late(&clock, 54, 50) && is_late(&clock, 57, 3));
        assert!(!is_late(&clock, 58, 50), "held by the hub, and read at once");
        assert!(!is_late(&clock, 54, 2), "its clock was set back");
        assert!(!is_late(&clock, 99, 50), "or on");
        assert!(!is_late(&Clock::default(), 54, 50), "nothing is known to hold it against");
    }

    #[test]
    fn while_the_clocks_do_not_agree_an_answer_that_took_long_may_be_late() {
        let clock = told_at_noon();
        let here = Reading { machine: NOON.plus_seconds(3_600), ..at(60) };
        assert!(clock.is_late_at(NOON.plus_seconds(60), Duration::from_secs(50), here));
        assert!(!clock.is_late_at(NOON.plus_seconds(60), Duration::from_secs(1), here));
    }

    #[test]
    fn what_is_known_of_the_hubs_clock_is_not_turned_back_by_an_answer_that_lay() {
        for (said, took, known) in
            [(54, 10, 60), (54, 1, 54), (-3_540, 10, -3_540), (59, 10, 59), (99, 10, 99)]
        {
            let clock = told_at_noon();
            clock.hear_at(NOON.plus_seconds(said), Duration::from_secs(took), at(60));
            let hub = clock.told.get().unwrap().hub_at(at(60));
            assert_eq!(hub, NOON.plus_seconds(known), "{said} took {took}");
        }
        let clock = Clock::default();
        clock.hear_at(NOON, Duration::from_secs(99), at(0));
        assert!(clock.knows_hub());
    }
}
