//! What ends an action before it is done: the agent stops, an operator says so, its time is up.

use crate::stop::Stop;
use pingup_protocol::{
    command::{Action, EXEC_TIMEOUT_SECONDS},
    limits::COMMAND_TIMEOUT_SECONDS_MAX,
};
use std::{fmt, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How long restarting a service may take, unless its command says otherwise.
const RESTART_TIMEOUT_SECONDS: u64 = 120;

/// Why an action was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The agent was told to stop.
    Stopped,
    /// An operator cancelled it.
    Cancelled,
    /// It may not run longer than this.
    Overdue(Duration),
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("it was ended since the agent was stopped"),
            Self::Cancelled => f.write_str("it was ended since it was cancelled"),
            Self::Overdue(within) => write!(f, "it was ended after {} s", within.as_secs()),
        }
    }
}

/// Says when an action is to be ended.
#[derive(Debug)]
pub struct Ending<'a> {
    stop: &'a Stop,
    cancel: &'a Stop,
    within: Duration,
    deadline: Instant,
}

impl<'a> Ending<'a> {
    /// When told to `stop`, to `cancel`, or `within` from now.
    pub fn new(stop: &'a Stop, cancel: &'a Stop, within: Duration) -> Self {
        Self { stop, cancel, within, deadline: Instant::now() + within }
    }

    /// Waits until it is.
    pub async fn wait(&self) -> Cut {
        tokio::select! {
            biased;
            () = self.stop.wait() => Cut::Stopped,
            () = self.cancel.wait() => Cut::Cancelled,
            () = sleep_until(self.deadline) => Cut::Overdue(self.within),
        }
    }

    /// Waits for `work`, unless it is to be ended before that is done.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Result<T, Cut> {
        tokio::select! {
            biased;
            cut = self.wait() => Err(cut),
            done = work => Ok(done),
        }
    }

    /// The agent's own stop, for which nothing is done gently.
    pub(super) const fn stop(&self) -> &Stop {
        self.stop
    }
}

/// How long `action` may run, by its own word and its command's: the shorter counts; what is usual for it where neither
/// says.
pub fn within(action: &Action, timeout_seconds: Option<u64>) -> Duration {
    let (own, usual) = match action {
        Action::Exec { timeout_seconds, .. } => (*timeout_seconds, EXEC_TIMEOUT_SECONDS),
        Action::RestartService { .. } => (None, RESTART_TIMEOUT_SECONDS),
        Action::Ping | Action::CollectNow | Action::RunDiscovery { .. } => {
            (None, COMMAND_TIMEOUT_SECONDS_MAX)
        }
    };
    let said = own.into_iter().chain(timeout_seconds).min().unwrap_or(usual);
    Duration::from_secs(said.min(COMMAND_TIMEOUT_SECONDS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop;

    #[test]
    fn the_shorter_time_counts() {
        let exec = |timeout_seconds| Action::Exec { argv: vec!["true".into()], timeout_seconds };
        let restart = || Action::RestartService { service: "x".into() };
        for (action, said, seconds) in [
            (exec(None), None, 60),
            (exec(None), Some(3_600), 3_600),
            (exec(Some(5)), None, 5),
            (exec(Some(5)), Some(3), 3),
            (exec(Some(5)), Some(7), 5),
            (restart(), None, 120),
            (restart(), Some(600), 600),
            (Action::Ping, None, COMMAND_TIMEOUT_SECONDS_MAX),
            (Action::Ping, Some(u64::MAX), COMMAND_TIMEOUT_SECONDS_MAX),
        ] {
            assert_eq!(within(&action, said), Duration::from_secs(seconds), "{action:?} {said:?}");
        }
    }

    #[tokio::test]
    async fn whoever_is_first_ends_it() {
        const LONG: Duration = Duration::from_secs(600);
        let ((stopper, stop), (canceller, cancel)) = (stop::channel(), stop::channel());
        assert_eq!(Ending::new(&stop, &cancel, LONG).or(async { 7 }).await, Ok(7));
        let never = || std::future::pending::<()>();
        assert_eq!(
            Ending::new(&stop, &cancel, Duration::ZERO).or(never()).await,
            Err(Cut::Overdue(Duration::ZERO))
        );
        canceller.stop();
        assert_eq!(Ending::new(&stop, &cancel, LONG).or(never()).await, Err(Cut::Cancelled));
        stopper.stop();
        assert_eq!(Ending::new(&stop, &cancel, LONG).or(never()).await, Err(Cut::Stopped));
    }
}
