//! Which tier answers which part of a range of buckets. Pure.
//!
//! Rollups by the hour hold every sample that is on disk, so they answer whole hours where the step is made of
//! hours. What is left, the ragged edges or everything, is answered by the samples themselves, and, where those
//! have been let go, by rollups by the minute if the step is made of minutes: samples leave their minutes behind
//! in the moment that they go, so the two add up and never overlap. Of minutes only whole ones are taken.

use super::BucketsPlan;
use crate::tsdb::{
    Tier,
    rollup::{HOUR, MINUTE, bucket},
};
use pingup_protocol::time::Timestamp;
use std::ops::Range;

/// A part of a range, and the tier to be asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Whom to ask.
    pub tier: Tier,
    /// For what.
    pub range: Range<Timestamp>,
}

/// Splits the range of `plan` among the tiers. `is_empty` says for certain that no sample of those that are asked
/// about was ever stored on disk within a range: then the hour that the range's end cuts is whole all the same.
pub fn reaches(plan: &BucketsPlan, is_empty: impl Fn(&Range<Timestamp>) -> bool) -> Vec<Reach> {
    let (from, to) = (plan.from.as_micros(), plan.to.as_micros());
    let mut found = Vec::new();
    if plan.step_micros % HOUR == 0 {
        let first = next(from, HOUR);
        let mut end = bucket(to, HOUR);
        let cut = next(to, HOUR);
        if cut > to && first < cut && is_empty(&range(to, cut)) {
            end = cut;
        }
        if first < end {
            fine(&mut found, plan.step_micros, from, first);
            found.push(Reach { tier: Tier::Hour, range: range(first, end) });
            fine(&mut found, plan.step_micros, end, to);
            return found;
        }
    }
    fine(&mut found, plan.step_micros, from, to);
    found
}

/// What is asked where no hour is whole.
fn fine(found: &mut Vec<Reach>, step_micros: i64, from: i64, to: i64) {
    if from >= to {
        return;
    }
    found.push(Reach { tier: Tier::Raw, range: range(from, to) });
    let (first, end) = (next(from, MINUTE), bucket(to, MINUTE));
    if step_micros % MINUTE == 0 && first < end {
        found.push(Reach { tier: Tier::Minute, range: range(first, end) });
    }
}

/// The least multiple of `step` that is not before `at`.
const fn next(at: i64, step: i64) -> i64 {
    match at.rem_euclid(step) {
        0 => at,
        past => at.saturating_add(step - past),
    }
}

const fn range(from: i64, to: i64) -> Range<Timestamp> {
    Timestamp::from_micros(from)..Timestamp::from_micros(to)
}

#[cfg(test)]
mod tests {
    use super::{super::Fields, *};

    const SECOND: i64 = 1_000_000;

    /// Tier, from and to in seconds.
    fn split(from: i64, to: i64, step: i64, is_empty: bool) -> Vec<(Tier, i64, i64)> {
        let plan = BucketsPlan {
            from: Timestamp::from_micros(from * SECOND),
            to: Timestamp::from_micros(to * SECOND),
            step_micros: step * SECOND,
            fields: Fields::All,
            limit: 1,
        };
        let seconds = |at: Timestamp| at.as_micros() / SECOND;
        reaches(&plan, |_| is_empty)
            .into_iter()
            .map(|reach| (reach.tier, seconds(reach.range.start), seconds(reach.range.end)))
            .collect()
    }

    #[test]
    fn whole_hours_are_the_rollups_and_ragged_edges_the_samples() {
        use Tier::{Hour, Minute, Raw};
        assert_eq!(split(0, 7_200, 3_600, false), [(Hour, 0, 7_200)]);
        assert_eq!(
            split(3_590, 10_890, 7_200, false),
            [
                (Raw, 3_590, 3_600),
                (Hour, 3_600, 7_200 + 3_600),
                (Raw, 10_800, 10_890),
                (Minute, 10_800, 10_860)
            ]
        );
        assert_eq!(split(10, 3_590, 3_600, false), [(Raw, 10, 3_590), (Minute, 60, 3_540)]);
        assert_eq!(split(-3_700, -3_600, 3_600, false), [(Raw, -3_700, -3_600), (Minute, -3_660, -3_600)]);
    }

    #[test]
    fn an_hour_with_nothing_behind_the_end_is_whole() {
        assert_eq!(split(0, 7_300, 3_600, true), [(Tier::Hour, 0, 10_800)]);
        assert_eq!(split(3_600, 3_700, 3_600, true), [(Tier::Hour, 3_600, 7_200)]);
        assert_eq!(split(3_610, 3_700, 3_600, true), [(Tier::Raw, 3_610, 3_700)]);
    }

    #[test]
    fn finer_steps_never_ask_for_what_is_coarser_than_they() {
        assert_eq!(split(0, 7_200, 60, true), [(Tier::Raw, 0, 7_200), (Tier::Minute, 0, 7_200)]);
        assert_eq!(split(0, 7_200, 5_400, true), [(Tier::Raw, 0, 7_200), (Tier::Minute, 0, 7_200)]);
        for step in [1, 30, 90] {
            assert_eq!(split(0, 7_200, step, true), [(Tier::Raw, 0, 7_200)], "{step}");
        }
    }
}
