//! Faults on purpose, so that tests meet every failure storage can have: the N-th call fails, or ends the
//! process; or the writer stands still.
//!
//! Whoever changes the disk asks [`Faults::at`] before each system call, and the journal's writer asks
//! [`Faults::stand_still`] before each record. In the product nothing is set, and asking costs one look at an
//! empty option. What the environment may say, and what of it is refused: `words`.

mod words;

pub use self::words::FaultsError;

use super::StorageError;
use std::{
    env,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
#[cfg(test)]
use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// Which storage calls are to fail; clones count together. In the product none is ever set.
#[derive(Clone, Debug, Default)]
pub struct Faults(Option<Arc<Plan>>);

#[derive(Debug)]
struct Plan {
    fault: Fault,
    /// From when a stall counts.
    made: Instant,
    calls: AtomicU64,
    fired: AtomicBool,
    healed: AtomicBool,
    /// The calls so far, and what each was about.
    #[cfg(test)]
    told: Mutex<Vec<Call>>,
}

/// A call as it was told: its name and its path.
#[cfg(test)]
pub(crate) type Call = (&'static str, PathBuf);

/// What happens, and when: at which call, counted from 1, or so long after the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    FailNth(u64),
    FailFrom(u64),
    AbortNth(u64),
    Stall { after: Duration, lasting: Duration },
}

impl Faults {
    /// None: every call works.
    pub fn none() -> Self {
        Self(None)
    }

    /// Fails the `n`-th storage call from now (1 is the next), once; later calls work.
    pub fn fail_nth(n: u64) -> Self {
        Self::planned(Fault::FailNth(n))
    }

    /// Fails every call from the `n`-th on, until [`Faults::heal`].
    pub fn fail_from(n: u64) -> Self {
        Self::planned(Fault::FailFrom(n))
    }

    /// Ends the process at once at the `n`-th call, as a crash would: nothing is flushed or told.
    pub fn abort_nth(n: u64) -> Self {
        Self::planned(Fault::AbortNth(n))
    }

    /// The first record that the writer begins `after` from now or later waits for `lasting`; the others do not.
    pub fn stall(after: Duration, lasting: Duration) -> Self {
        Self::planned(Fault::Stall { after, lasting })
    }

    /// What the environment asks for, said in the log; none when it asks for nothing.
    pub fn from_env() -> Result<Self, FaultsError> {
        let Some(fault) = words::read(env::var_os)? else { return Ok(Self::none()) };
        tracing::warn!(?fault, "FAULTS ARE INJECTED INTO STORAGE: this hub is for tests only");
        Ok(Self::planned(fault))
    }

    fn planned(fault: Fault) -> Self {
        Self(Some(Arc::new(Plan {
            fault,
            made: Instant::now(),
            calls: AtomicU64::new(0),
            fired: AtomicBool::new(false),
            healed: AtomicBool::new(false),
            #[cfg(test)]
            told: Mutex::default(),
        })))
    }

    /// Asked before each storage call, which it names: `Err` when that call is to fail.
    pub fn at(&self, call: &'static str) -> Result<(), StorageError> {
        self.at_path(call, Path::new(""))
    }

    /// As [`Faults::at`], of a call that is about `path`.
    pub fn at_path(&self, call: &'static str, path: &Path) -> Result<(), StorageError> {
        let Some(plan) = &self.0 else { return Ok(()) };
        #[cfg(test)]
        plan.told.lock().unwrap_or_else(PoisonError::into_inner).push((call, path.to_owned()));
        #[cfg(not(test))]
        let _only_tests_ask_where = path;
        let number = plan.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let due = match plan.fault {
            Fault::FailNth(n) | Fault::AbortNth(n) => number == n,
            Fault::FailFrom(n) => number >= n,
            Fault::Stall { .. } => false,
        };
        if !due || plan.healed.load(Ordering::SeqCst) {
            return Ok(());
        }
        if matches!(plan.fault, Fault::AbortNth(_)) {
            std::process::abort();
        }
        plan.fired.store(true, Ordering::SeqCst);
        Err(StorageError::Injected(call))
    }

    /// Asked by the journal's writer before each record: blocks, once, when the stall has come.
    pub fn stand_still(&self) {
        let Some(plan) = &self.0 else { return };
        if let Some(lasting) = plan.stall_at(plan.made.elapsed()) {
            tracing::warn!(seconds = lasting.as_secs_f64(), "the writer stands still on purpose");
            thread::sleep(lasting);
        }
    }

    /// From now on every call works.
    pub fn heal(&self) {
        if let Some(plan) = &self.0 {
            plan.healed.store(true, Ordering::SeqCst);
        }
    }

    /// Calls asked about so far; 0 where no fault is set, for then nobody counts.
    pub fn calls(&self) -> u64 {
        self.0.as_ref().map_or(0, |plan| plan.calls.load(Ordering::SeqCst))
    }

    /// The calls that were asked about so far, in their order; none where no fault is set.
    #[cfg(test)]
    pub(crate) fn told(&self) -> Vec<Call> {
        let told = |plan: &Arc<Plan>| plan.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.0.as_ref().map(told).unwrap_or_default()
    }

    /// Whether the fault has come at least once.
    pub fn has_fired(&self) -> bool {
        self.0.as_ref().is_some_and(|plan| plan.fired.load(Ordering::SeqCst))
    }
}

impl Plan {
    /// How long whoever asks now is to stand still; told once.
    fn stall_at(&self, since_made: Duration) -> Option<Duration> {
        let Fault::Stall { after, lasting } = self.fault else { return None };
        (since_made >= after && !self.fired.swap(true, Ordering::SeqCst)).then_some(lasting)
    }
}

#[cfg(test)]
mod tests;
