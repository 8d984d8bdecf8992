//! Days from before what the hub keeps, of which rows are stored while its clock is not believed.
//!
//! By a clock that is not believed nothing is too old, so an agent may bring samples of any day since the year 0; a file is
//! made for each day, and one body could bring thousands. Promises: beyond so many days ([`OVERDUE_DAYS_MAX`]) a request
//! is told to come back, whole, so that nothing of it is lost: within a day the clock is believed, and what is too old
//! then has expired.

use super::{Fate, IngestError, Load, Work, accept::Window};
use crate::tsdb::rollup::day;
use pingup_protocol::time::Timestamp;
use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Days of which rows may be stored though they are older than what is kept, until the clock is believed: the spool of an
/// agent that was alone for a hundred days.
pub const OVERDUE_DAYS_MAX: usize = 100;

/// The days that were taken in.
#[derive(Debug, Default)]
pub struct Overdue {
    days: Mutex<BTreeSet<i64>>,
    /// Whether there are any: looked at with every request.
    has_any: AtomicBool,
}

impl Overdue {
    /// Takes the days of `work` in that lie before the `window`'s due time, where it has one.
    ///
    /// # Errors
    /// [`IngestError::TooManyDays`] where they would be too many; none of them is taken in then.
    pub fn admit(&self, work: &Work, window: &Window) -> Result<(), IngestError> {
        let Some(due) = window.due() else {
            if self.has_any.load(Ordering::Relaxed) {
                self.forget();
            }
            return Ok(());
        };
        let brought = days_before(work, due);
        if brought.is_empty() {
            return Ok(());
        }
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        if days.len() + brought.difference(&days).count() > OVERDUE_DAYS_MAX {
            return Err(IngestError::TooManyDays);
        }
        days.extend(brought);
        self.has_any.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The clock is believed: what is too old is not stored any more.
    fn forget(&self) {
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        days.clear();
        self.has_any.store(false, Ordering::Relaxed);
    }
}

/// The days of what is to be stored and was measured before `due`.
fn days_before(work: &Work, due: Timestamp) -> BTreeSet<i64> {
    let old = |at: &Timestamp| *at < due;
    let of = |at: Timestamp| day(at.as_micros());
    match work {
        Work::Job(job) => match &job.load {
            Load::Unnumbered(at, Some(_)) => Some(*at).filter(old).map(of).into_iter().collect(),
            Load::Unnumbered(_, None) => BTreeSet::new(),
            Load::Stream { entries, .. } => {
                let stored = entries.iter().filter_map(|(_, fate)| match fate {
                    Fate::Store(at, _) => Some(*at),
                    Fate::Expired(_) | Fate::Rejected(_) => None,
                });
                stored.filter(old).map(of).collect()
            }
        },
        Work::Points(points) => {
            let moments =
                points.iter().map(|point| Timestamp::from_micros(point.at_ms.saturating_mul(1_000)));
            moments.filter(old).map(of).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ingest::{Job, testing},
        tsdb::rows::{PointRow, SeriesId},
    };
    use std::time::Duration;

    const DAY: i64 = 86_400;
    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const KEPT: Duration = Duration::from_secs(30 * 86_400);

    fn doubted() -> Window {
        Window::doubted(NOW, KEPT)
    }

    /// A batch of samples of these days ago.
    fn batch(days: impl IntoIterator<Item = i64>) -> Work {
        let at = |days: i64| NOW.plus_seconds(-days * DAY);
        let store = |days| Fate::Store(at(days), testing::sample(1.0));
        let entries = (1..).zip(days.into_iter().map(store)).collect();
        Job { agent_id: testing::agent("a"), load: Load::Stream { boot: 1, entries } }.into()
    }

    fn points(days: impl IntoIterator<Item = i64>) -> Work {
        let at_ms = |days: i64| NOW.plus_seconds(-days * DAY).as_micros() / 1_000;
        let point = |days| PointRow { series: SeriesId::new(1), at_ms: at_ms(days), value: 0.5 };
        Work::Points(days.into_iter().map(point).collect())
    }

    #[test]
    fn a_batch_of_thousands_of_days_is_told_to_come_back() {
        let kinds: [fn(Vec<i64>) -> Work; 2] = [|days| batch(days), |days| points(days)];
        for bring in kinds {
            let overdue = Overdue::default();
            let many = bring((0..10_000).collect());
            assert_eq!(overdue.admit(&many, &doubted()), Err(IngestError::TooManyDays));
            // None of it counts.
            let max = OVERDUE_DAYS_MAX as i64;
            assert_eq!(overdue.admit(&bring((31..31 + max).collect()), &doubted()), Ok(()));
            assert_eq!(overdue.admit(&bring((0..31 + max).collect()), &doubted()), Ok(()), "known days");
            assert_eq!(overdue.admit(&bring(vec![31 + max]), &doubted()), Err(IngestError::TooManyDays));
            assert_eq!(overdue.admit(&bring((0..=30).collect()), &doubted()), Ok(()), "what is kept anyway");
        }
    }

    #[test]
    fn once_the_clock_is_believed_it_begins_anew() {
        let overdue = Overdue::default();
        let full = batch(31..31 + OVERDUE_DAYS_MAX as i64);
        let other = batch([1_000]);
        assert_eq!(overdue.admit(&full, &doubted()), Ok(()));
        assert_eq!(overdue.admit(&other, &doubted()), Err(IngestError::TooManyDays));
        assert_eq!(overdue.admit(&other, &Window::new(NOW, KEPT)), Ok(()), "nothing in it is stored");
        assert_eq!(overdue.admit(&other, &doubted()), Ok(()));
    }

    #[test]
    fn a_lone_sample_counts_and_what_is_not_stored_does_not() {
        let overdue = Overdue::default();
        let max = OVERDUE_DAYS_MAX as i64;
        assert_eq!(overdue.admit(&batch(31..30 + max), &doubted()), Ok(()));
        let at = |days: i64| NOW.plus_seconds(-days * DAY);
        let lone = |days: i64| -> Work { testing::unnumbered("a", at(days).as_micros()).into() };
        let expired = |days: i64| -> Work {
            let entries = vec![(1, Fate::Expired(at(days)))];
            Job { agent_id: testing::agent("a"), load: Load::Stream { boot: 1, entries } }.into()
        };
        assert_eq!(overdue.admit(&expired(900), &doubted()), Ok(()));
        assert_eq!(overdue.admit(&lone(500), &doubted()), Ok(()));
        assert_eq!(overdue.admit(&lone(501), &doubted()), Err(IngestError::TooManyDays));
    }
}
