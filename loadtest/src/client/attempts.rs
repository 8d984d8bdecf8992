//! Attempts to open a connection, counted by the second: who comes back all at once shows here.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Seconds that are told apart: a day. What comes later counts with the last.
const SECONDS_MAX: usize = 24 * 3600;

/// The count of many connections.
#[derive(Debug)]
pub(crate) struct Attempts(Mutex<Counted>);

#[derive(Debug)]
struct Counted {
    began: Instant,
    by_second: Vec<u32>,
}

impl Attempts {
    /// Nothing counted yet, from `began` on.
    pub(crate) fn new(began: Instant) -> Self {
        Self(Mutex::new(Counted { began, by_second: Vec::new() }))
    }

    /// An attempt, made at `at`.
    pub(super) fn note(&self, at: Instant) {
        let mut counted = self.lock();
        let second = usize::try_from(at.saturating_duration_since(counted.began).as_secs());
        let second = second.unwrap_or(SECONDS_MAX).min(SECONDS_MAX - 1);
        if counted.by_second.len() <= second {
            counted.by_second.resize(second + 1, 0);
        }
        counted.by_second[second] += 1;
    }

    /// Begins anew at `began`, with nothing.
    pub(crate) fn begin_anew(&self, began: Instant) {
        *self.lock() = Counted { began, by_second: Vec::new() };
    }

    /// What was counted, second by second.
    pub(crate) fn by_second(&self) -> Vec<u32> {
        self.lock().by_second.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        // A count stays sound whoever panicked beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn attempts_are_told_by_the_second() {
        let began = Instant::now();
        let attempts = Attempts::new(began);
        for millis in [0, 999, 2_000, 2_500] {
            attempts.note(began + Duration::from_millis(millis));
        }
        assert_eq!(attempts.by_second(), [2, 0, 2]);
        attempts.begin_anew(began + Duration::from_secs(1));
        attempts.note(began);
        attempts.note(began + Duration::from_secs(10_000_000));
        let counted = attempts.by_second();
        assert_eq!((counted.len(), counted[0], counted[SECONDS_MAX - 1]), (SECONDS_MAX, 1, 1));
    }
}
