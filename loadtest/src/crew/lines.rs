//! How many connections each agent keeps, and whether the system grants so many open files.
//!
//! The real agent keeps two: one that waits for commands, and one for all that it says. Where ten thousand of them are
//! more files than a process may open, only the waiting one is kept, and what is said opens one for each request.

use crate::{client::Manner, error::LoadError};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What the real agent keeps.
pub(crate) const LINES_REAL: usize = 2;
/// Connections for one request each that are open at once.
const BRIEF_MAX: usize = 1_024;
/// Files that are open besides: the operator's connections, the runtime's, the hub's own.
const SPARE_FILES: usize = 128;

/// What a connection is for, in the order in which they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// Waiting for commands.
    Wait,
    /// Samples, heartbeats, results.
    Say,
}

/// Connections, and so open files, that `agents` with `lines` kept ones each need at the hub and here.
pub(crate) const fn files_needed(agents: usize, lines: usize) -> usize {
    let brief = if lines < LINES_REAL { BRIEF_MAX } else { 0 };
    agents.saturating_mul(lines).saturating_add(brief + SPARE_FILES)
}

/// How many connections each of `agents` keeps where `files_max` files may be open (none: any number): what is
/// `wanted`, or as many of the real agent's as fit.
pub(crate) fn kept(agents: usize, wanted: Option<usize>, files_max: Option<u64>) -> Result<usize, LoadError> {
    let fits = |lines: usize| files_max.is_none_or(|most| files_needed(agents, lines) as u64 <= most);
    let lines = wanted.or_else(|| (1..=LINES_REAL).rev().find(|&lines| fits(lines))).unwrap_or(1);
    match fits(lines) {
        true => Ok(lines),
        false => Err(LoadError::OpenFiles {
            needed: files_needed(agents, lines),
            granted: files_max.unwrap_or_default(),
        }),
    }
}

/// Which connections are kept, and the turns of the others.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    kept: usize,
    turns: Arc<Semaphore>,
}

impl Lines {
    /// `kept` connections each.
    pub(super) fn new(kept: usize) -> Self {
        Self { kept, turns: Arc::new(Semaphore::new(BRIEF_MAX)) }
    }

    /// `manner`, kept or not as a connection for `purpose` is.
    pub(super) fn manner(&self, purpose: Purpose, manner: Manner) -> Manner {
        let is_kept = (purpose as usize) < self.kept;
        Manner { brief: (!is_kept).then(|| Arc::clone(&self.turns)), ..manner }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_kept_as_the_system_grants() {
        assert_eq!(kept(10_000, None, None).unwrap(), 2);
        assert_eq!(kept(10_000, None, Some(20_128)).unwrap(), 2);
        assert_eq!(kept(10_000, None, Some(20_127)).unwrap(), 1);
        assert_eq!(kept(10, None, Some(1_024)).unwrap(), 2);
        assert_eq!(kept(10_000, Some(1), Some(20_000)).unwrap(), 1);
        for (agents, wanted) in [(10_000, Some(2)), (20_000, None)] {
            let refused = kept(agents, wanted, Some(20_000)).unwrap_err().to_string();
            assert!(refused.contains("20000") && !refused.contains('\n'), "{refused}");
        }
    }

    #[test]
    fn the_waiting_one_is_always_kept() {
        let kept = |lines| {
            let manner = |purpose| Lines::new(lines).manner(purpose, Manner::default());
            [Purpose::Wait, Purpose::Say].map(|purpose| manner(purpose).brief.is_none())
        };
        assert_eq!(kept(1), [true, false]);
        assert_eq!(kept(2), [true, true]);
    }
}
