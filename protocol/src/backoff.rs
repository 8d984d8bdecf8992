//! How long to wait before trying again. Pure: randomness and the hub's Retry-After are handed in.
//!
//! Agents that lost their hub together must not come back together: a hub that has just started would go down again
//! under all of them. So there are two kinds of waits. A hub that **answers**, and says not now, is asked again soon, at
//! its own word, over the connection that is open. A hub that is **away** is looked for by one connection of each agent
//! at a time, at moments that are spread wide from the first on ([`AWAY`]); whatever else the agent has to say waits for
//! that one. `docs/operations.md` has the arithmetic, and the tests here the proof: whatever moment the hub comes back
//! at, no second has more than one attempt to connect for two agents, and all are back within [`AWAY_SECONDS_MAX`].

use std::time::Duration;

/// The longest Retry-After that is honoured: a hub that says more is asked again after this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// The longest that an agent waits before it looks for its hub again, seconds.
pub const AWAY_SECONDS_MAX: u64 = 20;

/// Waits, in seconds, each any moment from the first to the second; the last holds for all that follow.
pub type Waits = [(u64, u64)];

/// The hub is there, and says not now: any moment below a ceiling that doubles.
pub const REFUSED: &Waits = &[(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (0, 20)];
/// The hub is away: never in step with others, and not before one that is just restarted is there again.
pub const AWAY: &Waits = &[(2, 10), (4, AWAY_SECONDS_MAX)];
/// A machine that would enrol: a hub takes few a minute from one address.
pub const ENROLLING: &Waits = &[(0, 2), (0, 4), (0, 8), (0, 16), (0, 32), (0, 60)];

/// Counts failures and says how long to wait.
#[derive(Clone, Debug)]
pub struct Backoff {
    waits: &'static Waits,
    failures: usize,
}

impl Backoff {
    /// Waits as `waits` say.
    pub const fn new(waits: &'static Waits) -> Self {
        Self { waits, failures: 0 }
    }

    /// It worked: the next failure is the first one.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed: how long to wait. `random` is from 0 up to 1 and chooses the moment, after `retry_after` where the hub
    /// gave one.
    pub fn after_failure(&mut self, retry_after: Option<Duration>, random: f64) -> Duration {
        let (least, most) = match self.waits.get(self.failures) {
            Some(&wait) => wait,
            None => self.waits.last().copied().unwrap_or_default(),
        };
        self.failures = self.failures.saturating_add(1);
        let span = Duration::from_secs(most.saturating_sub(least)).mul_f64(random.clamp(0.0, 1.0));
        retry_after.unwrap_or_default().min(RETRY_AFTER_MAX) + Duration::from_secs(least) + span
    }
}

#[cfg(test)]
mod tests;
