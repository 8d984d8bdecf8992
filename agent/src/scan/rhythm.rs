//! When the next scan is due: one interval after the one before began, whatever happened in between.
//!
//! It is kept on disk when a scan begins, so a start of the agent, or a change of anything else in its configuration, moves
//! nothing. Only another interval begins anew, at a random moment within it: agents that are told at once do not all scan
//! at once. All of it goes by the machine's clock, which goes on while the machine sleeps or is off; set back, it
//! never puts a scan off by more than an interval.

use pingup_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An interval, and when one began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rhythm {
    every_seconds: u64,
    /// When the last scan began; for a rhythm that is new, when one would have.
    from: Timestamp,
}

impl Rhythm {
    /// One of this interval that is new at `now`. `share`, from 0 to 1, says how much of the first interval is over.
    pub fn begun(every: Duration, now: Timestamp, share: f64) -> Self {
        let over = every.mul_f64(share.clamp(0.0, 1.0));
        let rhythm = Self { every_seconds: every.as_secs(), from: now };
        Self { from: Timestamp::from_micros(now.as_micros().saturating_sub(micros(over))), ..rhythm }
    }

    /// Whether this is a rhythm of that interval.
    pub const fn is_every(&self, every: Duration) -> bool {
        self.every_seconds == every.as_secs()
    }

    /// The same with a scan that begins now.
    pub const fn struck(self, now: Timestamp) -> Self {
        Self { from: now, ..self }
    }

    /// The same, never ahead of `now`: where the clock was set back, the interval begins now.
    pub fn by(self, now: Timestamp) -> Self {
        Self { from: self.from.min(now), ..self }
    }

    /// How long it is until the next scan; nothing when it is due.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let every = Duration::from_secs(self.every_seconds);
        let gone = now.as_micros().saturating_sub(self.from.as_micros());
        let gone = Duration::from_micros(u64::try_from(gone).unwrap_or_default());
        every.saturating_sub(gone)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000).plus_seconds(seconds)
    }

    #[test]
    fn a_new_rhythm_begins_anywhere_within_its_interval() {
        for (share, seconds) in [(0.0, 3_600), (0.25, 2_700), (1.0, 0), (7.0, 0), (f64::MIN, 3_600)] {
            assert_eq!(
                Rhythm::begun(HOUR, at(0), share).wait(at(0)),
                Duration::from_secs(seconds),
                "{share}"
            );
        }
    }

    #[test]
    fn what_is_late_is_due_and_the_next_counts_from_then() {
        let rhythm = Rhythm::begun(HOUR, at(0), 0.0);
        assert_eq!(rhythm.wait(at(3_599)), Duration::from_secs(1));
        assert_eq!(rhythm.wait(at(3_600)), Duration::ZERO);
        assert_eq!(rhythm.wait(at(90_000)), Duration::ZERO, "it was off for a day");
        assert_eq!(rhythm.struck(at(90_000)).wait(at(90_600)), Duration::from_secs(3_000));
        assert!(rhythm.is_every(HOUR) && !rhythm.is_every(HOUR * 2));
    }

    #[test]
    fn a_clock_that_is_set_back_puts_nothing_off_for_long() {
        let set_back = Rhythm::begun(HOUR, at(0), 0.0).by(at(-1_000_000));
        assert_eq!(set_back.wait(at(-1_000_000)), HOUR);
        assert_eq!(
            set_back.by(at(-996_400)).wait(at(-996_400)),
            Duration::ZERO,
            "an interval later it is due"
        );
        let rhythm = Rhythm::begun(HOUR, at(0), 0.5);
        assert_eq!(rhythm.by(at(60)), rhythm, "a clock that goes on moves nothing");
        assert_eq!(rhythm.wait(Timestamp::from_micros(i64::MIN)), HOUR);
        assert_eq!(Rhythm::begun(HOUR, Timestamp::from_micros(i64::MIN), 0.5).wait(at(0)), Duration::ZERO);
    }
}
