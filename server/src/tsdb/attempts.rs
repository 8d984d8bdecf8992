//! What is to be done of several things, when some of them fail: the one that was tried least, so that none that fails
//! for good, say of a damaged file, keeps the others.

use super::Tier;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// A period of a tier.
pub(super) type Period = (Tier, i64);

/// How often each period was tried since it last worked; none is kept that there is nothing to do for.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<BTreeMap<Period, u32>>);

impl Attempts {
    /// Of what is due, the one that was tried least; of those the first. It counts as tried from now on, also if who
    /// does it panics.
    pub(super) fn next<T>(&self, due: Vec<T>, period: impl Fn(&T) -> Period) -> Option<T> {
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tried.retain(|known, _| due.iter().any(|one| period(one) == *known));
        let next = due.into_iter().min_by_key(|one| tried.get(&period(one)).copied().unwrap_or_default())?;
        let count = tried.entry(period(&next)).or_default();
        *count = count.saturating_add(1);
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

    #[test]
    fn what_fails_is_tried_in_turns_and_keeps_nobody() {
        let attempts = Attempts::default();
        let due = |days: &[i64]| days.iter().map(|day| (Tier::Raw, *day)).collect::<Vec<_>>();
        let next = |days: &[i64]| attempts.next(due(days), |period| *period).map(|(_, day)| day);
        assert_eq!([next(&[1, 2, 3]), next(&[1, 2, 3])], [Some(1), Some(2)], "one that failed comes last");
        attempts.done((Tier::Raw, 2));
        assert_eq!([next(&[1, 3]), next(&[1, 3]), next(&[1, 3])], [Some(3), Some(1), Some(3)]);
        assert!(!attempts.is_empty());
        assert_eq!(next(&[]), None);
        assert!(attempts.is_empty(), "what is not due any more is forgotten");
    }
}
