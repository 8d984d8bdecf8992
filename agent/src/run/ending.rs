//! Being told to stop, and the time that is left then.

use crate::{stop::Stop, transport::Revoked};
use std::{io, time::Duration};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};

/// How long everything has to come to its end when the agent is told to stop: a command that runs, a request
/// that is under way, and then what waits in spool and journal.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Waits for `work` as long as it takes until everyone is told to stop, and from then on a bounded time. What was
/// not done by then waits where it is for the next start.
pub(super) async fn bounded(
    mut work: impl Future<Output = Result<(), Revoked>> + Unpin,
    stop: &Stop,
) -> Result<(), Revoked> {
    tokio::select! {
        ended = &mut work => return ended,
        () = stop.wait() => {}
    }
    timeout(STOP_WITHIN, work).await.unwrap_or(Ok(()))
}

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for `work`; `None` when told to stop before that was done.
    pub(super) async fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait() => None,
            done = work => Some(done),
        }
    }
}
