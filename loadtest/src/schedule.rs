//! When each push is due: a schedule that does not wait for answers (an open loop).
//!
//! Pure. Push number k of a run is due when the rows before it have had their time; the pushes go round the
//! lanes, so lane l of n owns l, l + n, l + 2n …. A lane that was held up sends late, and its latency counts
//! from the due moment: a stall shows in every push it delayed, not only in the one that met it.

use std::{num::NonZeroU64, time::Duration};

const NANOS_A_SECOND: u128 = 1_000_000_000;

/// The due moments of a whole run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    rows_a_second: NonZeroU64,
    rows_a_push: usize,
    lanes: usize,
    duration: Duration,
}

impl Schedule {
    /// Spreads `rows_a_second`, sent `rows_a_push` at a time, over `lanes` for `duration`.
    pub(crate) const fn new(
        rows_a_second: NonZeroU64,
        rows_a_push: usize,
        lanes: usize,
        duration: Duration,
    ) -> Self {
        Self { rows_a_second, rows_a_push, lanes, duration }
    }

    /// The due moments of one lane, counted from the start of the run, in order.
    pub(crate) fn of_lane(self, lane: usize) -> impl Iterator<Item = Duration> {
        (lane as u64..)
            .step_by(self.lanes)
            .map(move |push| self.due(push))
            .take_while(move |d| *d < self.duration)
    }

    fn due(self, push: u64) -> Duration {
        let nanos = u128::from(push) * self.rows_a_push as u128 * NANOS_A_SECOND
            / u128::from(self.rows_a_second.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: u64, batch: usize, lanes: usize, seconds: u64) -> Schedule {
        Schedule::new(NonZeroU64::new(rate).unwrap(), batch, lanes, Duration::from_secs(seconds))
    }

    #[test]
    fn lanes_take_turns_at_the_rate() {
        let plan = schedule(10, 1, 2, 1);
        let millis = |lane| plan.of_lane(lane).map(|due| due.as_millis()).collect::<Vec<_>>();
        assert_eq!(millis(0), [0, 200, 400, 600, 800]);
        assert_eq!(millis(1), [100, 300, 500, 700, 900]);
    }

    #[test]
    fn batches_make_pushes_rarer_not_rows() {
        for (rate, batch, lanes, seconds) in
            [(1_000, 1, 7, 3), (1_000, 50, 7, 3), (999, 10, 64, 2), (1, 1, 3, 5)]
        {
            let plan = schedule(rate, batch, lanes, seconds);
            let pushes: usize = (0..lanes).map(|lane| plan.of_lane(lane).count()).sum();
            let rows = (pushes * batch) as u64;
            assert!(
                (rate * seconds..rate * seconds + batch as u64).contains(&rows),
                "{rows} rows of {plan:?}"
            );
        }
    }

    #[test]
    fn rounding_does_not_add_up() {
        let plan = schedule(3, 1, 1, 7 * 24 * 3600);
        assert_eq!(plan.due(3 * 500_000), Duration::from_secs(500_000));
    }

    #[test]
    fn a_lane_without_a_turn_has_nothing_to_do() {
        assert_eq!(schedule(1, 1, 10, 1).of_lane(9).count(), 0);
    }
}
