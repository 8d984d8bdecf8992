//! How far back a step can be answered. Pure.
//!
//! A step made of whole hours is answered from rollups by the hour, one of whole minutes from those by the minute, any
//! other from samples; each is kept for its own time. A range that begins before what its step is answered from would
//! be told with a gap where a coarser step has none: such a question is refused, with the step that would do. One that
//! begins only a little before is answered from the first bucket on that lies within what is kept.

use super::{BUCKETS_MAX, PlanError};
use crate::tsdb::{
    Retention,
    retain::before,
    rollup::{DAY, HOUR, MINUTE, bucket},
};
use pingup_protocol::time::Timestamp;
use std::time::Duration;

/// A question that was put together a while ago, by a clock that is a little behind, is answered still, if its buckets
/// are no longer than this: the one that what is kept begins in would be told short, so it is left out.
const GRACE: i64 = HOUR;

/// What steps are made of, and how long that is kept: from fine to coarse, none shorter than the finer ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Units([(i64, Duration); 3]);

impl Units {
    /// Those of a store that keeps its tiers for so long.
    pub(super) fn kept(retention: &Retention) -> Self {
        let Retention { raw, minute, hour } = retention.widened();
        Self([(MICRO, raw), (MINUTE, minute), (HOUR, hour)])
    }

    /// Refuses a range of too many buckets.
    pub(super) fn check_count(
        &self,
        from: Timestamp,
        to: Timestamp,
        step: i64,
        now: Timestamp,
    ) -> Result<(), PlanError> {
        let first = from.as_micros().div_euclid(step);
        let last = to.as_micros().saturating_sub(1).div_euclid(step);
        if last.saturating_sub(first) < BUCKETS_MAX {
            return Ok(());
        }
        let span = to.as_micros().saturating_sub(from.as_micros());
        let least = self.next(from, span / BUCKETS_MAX + 1, now);
        let detail =
            format!("at most {BUCKETS_MAX} buckets a range; ask for a step of {least} or a shorter range");
        Err(PlanError::new("step", detail))
    }

    /// From when on a range is answered: its beginning, or the first bucket that is kept as a whole. Refuses a step that
    /// the range's beginning cannot be answered by, though a coarser one can, or can longer.
    pub(super) fn begin(&self, from: Timestamp, step: i64, now: Timestamp) -> Result<Timestamp, PlanError> {
        let needed = self.needed(from, 0, now);
        let own = self.0.iter().rposition(|(unit, _)| step % unit == 0).unwrap_or_default();
        if own >= needed || self.0[own].1 == self.0[needed].1 {
            return Ok(from);
        }
        if reaches_back(self.0[own].1, from, grace(step), now) {
            let first = first_kept(self.0[own].1, now);
            // From the next bucket on, unless one begins there.
            return Ok(Timestamp::from_micros(bucket(first.saturating_add(step - 1), step)));
        }
        let [samples, minutes, hours] = self.0.map(|(_, kept)| humantime::format_duration(kept));
        Err(PlanError::new(
            "step",
            format!(
                "samples are kept for {samples}, rollups by the minute for {minutes}, by the hour for {hours}, and this \
                 range begins earlier than its step can be answered; ask for a step of {}, or begin later",
                self.next(from, step, now)
            ),
        ))
    }

    /// The least step, not shorter than `step`, that the range's beginning can be answered by; as it is asked for.
    pub(super) fn next(&self, from: Timestamp, step: i64, now: Timestamp) -> String {
        let (unit, _) = self.0[self.needed(from, grace(step), now)];
        let unit = unit.max(SECOND);
        let next = (step.saturating_add(unit - 1) / unit).saturating_mul(unit);
        match () {
            () if next % HOUR == 0 => format!("{}h", next / HOUR),
            () if next % MINUTE == 0 => format!("{}m", next / MINUTE),
            () => format!("{}s", next / SECOND),
        }
    }

    /// The place of the finest that reaches back to `from`; if none does, of the one that reaches farthest.
    fn needed(&self, from: Timestamp, grace: i64, now: Timestamp) -> usize {
        let found = self.0.iter().position(|(_, kept)| reaches_back(*kept, from, grace, now));
        found.unwrap_or(self.0.len() - 1)
    }
}

/// Whether what is kept for so long reaches back to `from`, or nearly.
fn reaches_back(kept: Duration, from: Timestamp, grace: i64, now: Timestamp) -> bool {
    from.as_micros().saturating_add(grace) >= first_kept(kept, now)
}

/// From when on something is there that is kept for so long: days go as a whole.
fn first_kept(kept: Duration, now: Timestamp) -> i64 {
    bucket(before(now, kept).as_micros(), DAY)
}

/// How long before what is kept a range by this step may begin.
const fn grace(step: i64) -> i64 {
    if step <= GRACE { GRACE } else { 0 }
}

/// What a sample's moment is told in, and a step.
const MICRO: i64 = 1;
const SECOND: i64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::{super::*, *};

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const SECONDS_A_DAY: i64 = 86_400;

    const fn days(days: u64) -> Duration {
        Duration::from_secs(days * 86_400)
    }

    const KEPT: Retention = Retention { raw: days(30), minute: days(90), hour: days(730) };

    /// Asks for a day that began so many days ago.
    fn ask(kept: &Retention, days_ago: i64, step: u64) -> Result<Plan, PlanError> {
        let from = NOW.plus_seconds(-days_ago * SECONDS_A_DAY);
        let question = Question {
            from: Some(from),
            to: Some(from.plus_seconds(SECONDS_A_DAY)),
            step: Some(Duration::from_secs(step)),
            limit: 10,
            ..Question::default()
        };
        Plan::new(question, NOW, kept)
    }

    /// Every kind of step against every age: what is answered, and which step is named where it is not.
    #[test]
    fn a_step_is_answered_as_far_back_as_what_it_is_made_of_is_kept() {
        const MONTH: u64 = 2_630_016;
        for (step, [fresh, month, quarter, years]) in [
            (7, [None, Some("1m"), Some("1h"), Some("1h")]),
            (90, [None, Some("2m"), Some("1h"), Some("1h")]),
            (3_601, [None, Some("61m"), Some("2h"), Some("2h")]),
            (MONTH, [None, Some("43834m"), Some("731h"), Some("731h")]),
            (60, [None, None, Some("1h"), Some("1h")]),
            (5_400, [None, None, Some("2h"), Some("2h")]),
            (3_600, [None; 4]),
            (86_400, [None; 4]),
        ] {
            // Nothing reaches back for a thousand days; the hours reach farthest.
            for (days_ago, named) in [
                (1, fresh),
                (30, fresh),
                (32, month),
                (90, month),
                (92, quarter),
                (700, quarter),
                (1_000, years),
            ] {
                let answer = ask(&KEPT, days_ago, step);
                match (named, answer) {
                    (None, Ok(_)) => {}
                    (Some(named), Err(refused)) => {
                        let asked = format!("ask for a step of {named}, or begin later");
                        assert!(
                            refused.parameter == "step" && refused.detail.ends_with(&asked),
                            "{step} s, {days_ago} days ago: {refused}"
                        );
                        let again = humantime::parse_duration(named).unwrap().as_secs();
                        assert!(ask(&KEPT, days_ago, again).is_ok(), "{step} s, {days_ago} days ago");
                    }
                    (named, answer) => panic!("{step} s, {days_ago} days ago: {named:?}, {answer:?}"),
                }
            }
        }
    }

    #[test]
    fn where_nothing_coarser_is_kept_longer_nothing_is_refused() {
        let alike = Retention { raw: days(30), minute: days(30), hour: days(30) };
        let odd = Retention { raw: days(30), minute: days(1), hour: days(7) };
        for kept in [alike, odd] {
            for step in [7, 60, 3_600] {
                for days_ago in [1, 31, 90, 1_000] {
                    assert!(ask(&kept, days_ago, step).is_ok(), "{kept:?}, {step} s, {days_ago} days ago");
                }
            }
        }
        let minutes_as_samples = Retention { minute: days(30), ..KEPT };
        let refused = ask(&minutes_as_samples, 40, 60).unwrap_err();
        assert!(refused.detail.contains("a step of 1h"), "{refused}");
    }

    #[test]
    fn the_step_that_is_named_for_a_long_range_can_be_answered() {
        for (days, named) in [(20, "35s"), (60, "2m"), (700, "1h")] {
            let from = Some(NOW.plus_seconds(-days * SECONDS_A_DAY));
            let step = Some(Duration::from_secs(1));
            let question = Question { from, to: Some(NOW), step, limit: 10, ..Question::default() };
            let refused = Plan::new(question, NOW, &KEPT).unwrap_err();
            assert!(refused.detail.contains(&format!("a step of {named} or")), "{refused}");
        }
    }

    /// The edge: the day in which it ends, and an hour before that. By seconds from the edge and of the step: where the
    /// answer begins.
    #[test]
    fn a_day_is_kept_as_a_whole_and_an_hour_is_given_to_slow_askers() {
        let edge = Timestamp::from_micros(bucket(before(NOW, KEPT.raw).as_micros(), DAY));
        let from = |seconds: i64, step: u64| -> Result<i64, PlanError> {
            let (from, to) = (Some(edge.plus_seconds(seconds)), Some(edge.plus_seconds(SECONDS_A_DAY)));
            let step = Some(Duration::from_secs(step));
            match Plan::new(Question { from, to, step, limit: 10, ..Question::default() }, NOW, &KEPT)? {
                Plan::Buckets(plan) => Ok(plan.from.as_micros() - edge.as_micros()),
                plan => panic!("{plan:?}"),
            }
        };
        assert_eq!((from(0, 30), from(5, 30), from(-GRACE / SECOND, 30)), (Ok(0), Ok(5 * SECOND), Ok(0)));
        assert_eq!(from(-GRACE / SECOND - 1, 30).unwrap_err().parameter, "step");
        // A bucket that begins before the edge would be told short.
        let late = from(-1, 3_599).unwrap();
        assert!((1..3_599 * SECOND).contains(&late), "{late}");
        assert_eq!((edge.as_micros() + late) % (3_599 * SECOND), 0);
        // Minutes are kept longer: nothing is left out.
        assert_eq!(from(-1, 60), Ok(-SECOND));
        // Too much would be left out of longer ones.
        for (step, named) in [(3_601, "61m"), (5_401, "91m")] {
            let refused = from(-1, step).unwrap_err();
            assert!(refused.detail.contains(&format!("a step of {named},")), "{refused}");
        }
    }

    #[test]
    fn a_range_that_ends_before_what_is_kept_is_empty() {
        let edge = Timestamp::from_micros(bucket(before(NOW, KEPT.raw).as_micros(), DAY));
        let (from, to) = (edge.plus_seconds(-60), edge.plus_seconds(-30));
        let step = Some(Duration::from_secs(7));
        let question = Question { from: Some(from), to: Some(to), step, limit: 10, ..Question::default() };
        match Plan::new(question, NOW, &KEPT).unwrap() {
            Plan::Buckets(plan) => assert_eq!((plan.from, plan.to), (to, to)),
            plan => panic!("{plan:?}"),
        }
    }
}
