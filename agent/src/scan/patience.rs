//! How long to wait for an answer: learned from those that came, one network at a time.
//!
//! As TCP does it (RFC 6298): a smoothed mean of the times that answers took, and four times how far they stray from it.

use std::time::Duration;

/// Before anybody answered: an answer that takes longer is not distinguished from silence at the first attempt.
const FIRST: Duration = Duration::from_secs(1);
/// The least: a machine that is busy answers late now and then, and a phone sleeps between beacons of its access point.
const LEAST: Duration = Duration::from_millis(200);
/// Seconds after which the kernel asks again by itself: it is not known which of both was answered (Karn).
const AMBIGUOUS: Duration = Duration::from_secs(1);
/// The gains of RFC 6298.
const MEAN_GAIN: f64 = 1.0 / 8.0;
const STRAY_GAIN: f64 = 1.0 / 4.0;
const STRAYS: f64 = 4.0;

/// How long an attempt is to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// As long as answers of that network usually take.
    Usual,
    /// As long as if nothing were known of it: somebody there may be slower than the others.
    Unhurried,
    /// Twice as long as usual, there and for one who is there and took so long to answer.
    Again(Duration),
}

/// What was learned of one network.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    /// Mean and stray, seconds.
    learned: Option<(f64, f64)>,
}

impl Patience {
    /// An answer took this long.
    pub(super) fn learn(&mut self, took: Duration) {
        if took >= AMBIGUOUS {
            return;
        }
        let took = took.as_secs_f64();
        self.learned = Some(match self.learned {
            None => (took, took / 2.0),
            Some((mean, stray)) => {
                let stray = stray + STRAY_GAIN * ((mean - took).abs() - stray);
                (mean + MEAN_GAIN * (took - mean), stray)
            }
        });
    }

    /// How long to wait for the next one.
    pub(super) fn timeout(&self, wait: Wait) -> Duration {
        match wait {
            Wait::Usual => self.usual(),
            Wait::Unhurried => FIRST,
            Wait::Again(took) => (self.usual().max(took) * 2).min(FIRST * 2),
        }
    }

    fn usual(&self) -> Duration {
        let Some((mean, stray)) = self.learned else { return FIRST };
        Duration::from_secs_f64(mean + STRAYS * stray).clamp(LEAST, FIRST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn milliseconds(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn after(times: impl IntoIterator<Item = u64>) -> Duration {
        let mut patience = Patience::default();
        times.into_iter().for_each(|time| patience.learn(milliseconds(time)));
        patience.timeout(Wait::Usual)
    }

    #[test]
    fn a_network_is_waited_for_as_long_as_it_is_slow() {
        assert_eq!(after([]), FIRST);
        assert_eq!(after([1; 50]), LEAST);
        assert_eq!(after([100]), milliseconds(300), "the first: its time and four times half of it");
        let even = after([300; 50]);
        assert!(even > milliseconds(300) && even < milliseconds(310), "{even:?}");
        let uneven = after((0..100).map(|index| if index % 2 == 0 { 50 } else { 350 }));
        assert!(uneven > milliseconds(600) && uneven <= FIRST, "{uneven:?}");
        assert_eq!(after([900]), FIRST, "never longer than before anything was known");
    }

    #[test]
    fn one_who_is_slow_is_waited_for_in_a_network_that_is_not() {
        let mut patience = Patience::default();
        (0..50).for_each(|_| patience.learn(milliseconds(5)));
        for (wait, timeout) in [
            (Wait::Usual, LEAST),
            (Wait::Unhurried, FIRST),
            (Wait::Again(milliseconds(5)), LEAST * 2),
            (Wait::Again(milliseconds(900)), milliseconds(1_800)),
            (Wait::Again(milliseconds(1_900)), FIRST * 2),
        ] {
            assert_eq!(patience.timeout(wait), timeout, "{wait:?}");
        }
        assert_eq!(Patience::default().timeout(Wait::Again(Duration::ZERO)), FIRST * 2);
    }

    #[test]
    fn what_the_kernel_asked_twice_teaches_nothing() {
        assert_eq!(after([300, 1_000, 3_000]), after([300]));
    }
}
