//! What all attempts of one scan share: its rate, its sockets, what it has learned, and where it is.

use super::{
    echo::{Echo, Echoed},
    neighbourhood::Neighbourhood,
    pace::Pace,
    patience::{Patience, Wait},
    plan::{Plan, Target},
    probe::{self, Outcome},
    surroundings::Surroundings,
};
use rustix::process::{Resource, getrlimit};
use std::{
    net::Ipv4Addr,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, sleep_until},
};

/// Connections that are tried at a time.
const SOCKETS_MAX: usize = 1_024;
/// Fewer would make no scan.
const SOCKETS_LEAST: usize = 8;
/// Files that the rest of the agent needs: spool, journal, connections to the hub, what commands run.
const FILES_KEPT: u64 = 128;
/// How often an attempt is put off that this machine could not make, and for how long each time.
const PUT_OFF_MAX: u32 = 20;
const PUT_OFF_FOR: Duration = Duration::from_millis(50);

/// Where those listen who answer nowhere else, most often: these ports are tried first, and without hurry.
const LIKELY: [u16; 4] = [22, 80, 443, 445];

/// What came of an attempt, and when it was made: it may have had to wait for its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) outcome: Outcome,
    pub(super) made: Instant,
}

/// A scan at work.
#[derive(Debug)]
pub(super) struct Search {
    /// Every port is tried, in this order.
    pub(super) ports: Vec<u16>,
    /// Where this machine is.
    pub(super) surroundings: Surroundings,
    /// Who is there as well.
    pub(super) neighbourhood: Neighbourhood,
    echo: Option<Echo>,
    sockets: Semaphore,
    pace: Mutex<Pace>,
    patience: Mutex<Vec<Patience>>,
}

impl Search {
    /// A scan of `plan` that begins now.
    pub(super) fn new(plan: &Plan) -> Self {
        let neighbourhood = Neighbourhood::default();
        let mut ports = plan.ports().to_vec();
        ports.sort_by_key(|port| !LIKELY.contains(port));
        // Without the one, nothing follows from the other.
        let sees_neighbours = neighbourhood.of(Ipv4Addr::UNSPECIFIED).is_ok();
        Self {
            ports,
            surroundings: if sees_neighbours { Surroundings::look() } else { Surroundings::default() },
            neighbourhood,
            echo: Echo::open(),
            sockets: Semaphore::new(sockets_max(getrlimit(Resource::Nofile).current)),
            pace: Mutex::new(Pace::new(plan.rate(), Instant::now())),
            patience: Mutex::new(vec![Patience::default(); plan.networks().len()]),
        }
    }

    /// Tries to connect to `port`, and waits as `wait` says.
    pub(super) async fn attempt(&self, target: Target, port: u16, wait: Wait) -> Attempt {
        let (mut outcome, mut made) = (Outcome::NotMade, Instant::now());
        for _ in 0..PUT_OFF_MAX {
            // Closed by nobody.
            let Ok(_socket) = self.sockets.acquire().await else { break };
            self.slot().await;
            let within = self.timeout(target, wait);
            made = Instant::now();
            outcome = probe::connect(target.address, port, within).await;
            if outcome != Outcome::NotMade {
                break;
            }
            sleep(PUT_OFF_FOR).await;
        }
        outcome.answer().inspect(|took| self.learn(target, *took));
        Attempt { outcome, made }
    }

    /// Asks for an echo, where this machine may, and waits as `wait` says.
    pub(super) async fn echo(&self, target: Target, wait: Wait) -> Echoed {
        let Some(echo) = &self.echo else { return Echoed::default() };
        self.slot().await;
        let echoed = echo.ask(target.address, self.timeout(target, wait)).await;
        echoed.took.inspect(|took| self.learn(target, *took));
        echoed
    }

    async fn slot(&self) {
        let slot = lock(&self.pace).slot(Instant::now());
        sleep_until(slot).await;
    }

    fn timeout(&self, target: Target, wait: Wait) -> Duration {
        lock(&self.patience)[target.network].timeout(wait)
    }

    fn learn(&self, target: Target, took: Duration) {
        let patience = &mut lock(&self.patience)[target.network];
        // One who is slower than the others there says nothing of them: all would be waited for as long.
        if took <= patience.timeout(Wait::Usual) {
            patience.learn(took);
        }
    }
}

/// How many sockets a scan may have open where a process may have `files`.
fn sockets_max(files: Option<u64>) -> usize {
    let left = files.unwrap_or(u64::MAX).saturating_sub(FILES_KEPT) / 2;
    usize::try_from(left).unwrap_or(usize::MAX).clamp(SOCKETS_LEAST, SOCKETS_MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_leaves_files_to_the_rest_of_the_agent() {
        for (files, sockets) in [
            (None, SOCKETS_MAX),
            (Some(1_048_576), SOCKETS_MAX),
            (Some(1_024), 448),
            (Some(256), 64),
            (Some(20), SOCKETS_LEAST),
        ] {
            assert_eq!(sockets_max(files), sockets, "{files:?}");
        }
    }
}
