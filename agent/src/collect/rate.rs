//! From a counter to a rate.

use std::time::{Duration, Instant};

/// The least time over which a rate is told; over less, one packet would look like a flood.
const SPAN_LEAST: Duration = Duration::from_millis(50);

/// A counter's last reading.
#[derive(Debug, Default)]
pub(super) struct Rate(Option<(Instant, u64)>);

impl Rate {
    /// Reads the counter as `total`: how much a second since the reading before. `None` at the first one,
    /// and when the counter went back (a device came or went).
    pub(super) fn read(&mut self, now: Instant, total: u64) -> Option<f64> {
        let (then, before) = match self.0 {
            Some((then, _)) if now.duration_since(then) < SPAN_LEAST => return None,
            Some(last) => last,
            None => {
                self.0 = Some((now, total));
                return None;
            }
        };
        self.0 = Some((now, total));
        Some(total.checked_sub(before)? as f64 / now.duration_since(then).as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_difference_over_a_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut rate = Rate::default();
        assert_eq!(rate.read(at(0), 1_000), None);
        assert_eq!(rate.read(at(10), 3_000), Some(200.0));
        assert_eq!(rate.read(at(10), 9_000), None, "no time passed");
        assert_eq!(rate.read(at(20), 5_000), Some(200.0));
        assert_eq!(rate.read(at(30), 100), None, "a device went");
        assert_eq!(rate.read(at(40), 200), Some(10.0));
    }
}
