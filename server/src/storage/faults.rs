//! Faults on purpose, so that tests meet every failure storage can have: the N-th call fails, or ends the
//! process.
//!
//! Whoever changes the disk asks [`Faults::at`] before each system call. In the product nothing is set, and
//! asking costs one look at an empty option. Refuses text in the environment that is no number from 1.

use super::StorageError;
use std::{
    env,
    ffi::OsString,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// The environment's word for [`Faults::fail_nth`].
const FAIL_VARIABLE: &str = "PINGUP_INJECT_FAIL_NTH";
/// The environment's word for [`Faults::abort_nth`].
const ABORT_VARIABLE: &str = "PINGUP_INJECT_ABORT_NTH";

/// Which storage calls are to fail; clones count together. In the product none is ever set.
#[derive(Clone, Debug, Default)]
pub struct Faults(Option<Arc<Plan>>);

#[derive(Debug)]
struct Plan {
    fault: Fault,
    calls: AtomicU64,
    fired: AtomicBool,
    healed: AtomicBool,
}

/// What happens, and at which call, counted from 1.
#[derive(Clone, Copy, Debug)]
enum Fault {
    FailNth(u64),
    FailFrom(u64),
    AbortNth(u64),
}

/// A variable of the environment that says nothing a fault could be made of.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// Not a number.
    #[error("{variable} must be a whole number from 1, the call that is to fail; unset it for none")]
    Number {
        /// Its name.
        variable: &'static str,
    },
    /// Both are set.
    #[error("{FAIL_VARIABLE} and {ABORT_VARIABLE} are both set; set one of them, or neither")]
    Both,
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

    /// What the environment asks for, said in the log; none when it asks for nothing.
    pub fn from_env() -> Result<Self, FaultsError> {
        let faults = Self::from_words(env::var_os)?;
        if let Some(plan) = &faults.0 {
            tracing::warn!(fault = ?plan.fault, "FAULTS ARE INJECTED INTO STORAGE: this hub is for tests only");
        }
        Ok(faults)
    }

    fn from_words(word: impl Fn(&'static str) -> Option<OsString>) -> Result<Self, FaultsError> {
        let number = |variable: &'static str| {
            let Some(text) = word(variable) else { return Ok(None) };
            let number = text.to_str().and_then(|text| text.parse().ok()).filter(|n| *n > 0);
            number.map(Some).ok_or(FaultsError::Number { variable })
        };
        match (number(FAIL_VARIABLE)?, number(ABORT_VARIABLE)?) {
            (Some(_), Some(_)) => Err(FaultsError::Both),
            (Some(n), None) => Ok(Self::fail_nth(n)),
            (None, Some(n)) => Ok(Self::abort_nth(n)),
            (None, None) => Ok(Self::none()),
        }
    }

    fn planned(fault: Fault) -> Self {
        Self(Some(Arc::new(Plan {
            fault,
            calls: AtomicU64::new(0),
            fired: AtomicBool::new(false),
            healed: AtomicBool::new(false),
        })))
    }

    /// Asked before each storage call, which it names: `Err` when that call is to fail.
    pub fn at(&self, call: &'static str) -> Result<(), StorageError> {
        let Some(plan) = &self.0 else { return Ok(()) };
        let number = plan.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let due = match plan.fault {
            Fault::FailNth(n) | Fault::AbortNth(n) => number == n,
            Fault::FailFrom(n) => number >= n,
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

    /// Whether a call has failed on purpose.
    pub fn has_fired(&self) -> bool {
        self.0.as_ref().is_some_and(|plan| plan.fired.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(faults: &Faults, calls: usize) -> Vec<bool> {
        (0..calls).map(|_| faults.at("test").is_ok()).collect()
    }

    #[test]
    fn the_call_that_is_named_fails() {
        assert_eq!(told(&Faults::none(), 3), [true, true, true]);
        let once = Faults::fail_nth(2);
        assert_eq!(told(&once, 1), [true]);
        assert!(!once.has_fired());
        assert!(matches!(once.at("journal sync"), Err(StorageError::Injected("journal sync"))));
        assert!(once.has_fired() && once.at("test").is_ok() && once.calls() == 3);
        let from = Faults::fail_from(2);
        assert_eq!(told(&from, 3), [true, false, false]);
        from.heal();
        assert_eq!(told(&from, 2), [true, true]);
    }

    #[test]
    fn the_environment_is_read_or_refused_by_name() {
        let read = |fail: Option<&str>, abort: Option<&str>| {
            let word = |name| if name == FAIL_VARIABLE { fail } else { abort }.map(OsString::from);
            Faults::from_words(word).map(|faults| faults.0.map(|plan| plan.fault))
        };
        assert!(matches!(read(None, None), Ok(None)));
        assert!(matches!(read(Some("3"), None), Ok(Some(Fault::FailNth(3)))));
        assert!(matches!(read(None, Some("1")), Ok(Some(Fault::AbortNth(1)))));
        assert!(matches!(read(Some("1"), Some("1")), Err(FaultsError::Both)));
        for bad in ["", "0", "-1", "x"] {
            let refusal = read(None, Some(bad)).unwrap_err().to_string();
            assert!(refusal.contains(ABORT_VARIABLE), "{refusal}");
        }
    }
}
