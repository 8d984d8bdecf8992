//! What a process takes in memory: resident bytes every 100 ms, and the system's own high-water mark at the end.
//!
//! Both come from `/proc/<pid>/status`. Where there is none, nothing is known and nothing is said.

use crate::processor::worked;
use serde::Serialize;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinHandle;

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What was seen of a process, or of several one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    /// The most that was resident, bytes; null where the system does not say.
    pub(crate) resident_peak_bytes: Option<u64>,
    /// The most that was resident at one of the looks, bytes.
    pub(crate) resident_seen_bytes: Option<u64>,
}

impl Memory {
    /// The higher of both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            resident_peak_bytes: self.resident_peak_bytes.max(other.resident_peak_bytes),
            resident_seen_bytes: self.resident_seen_bytes.max(other.resident_seen_bytes),
        }
    }
}

/// Looks at a process until it is told to finish.
#[derive(Debug)]
pub(crate) struct Watch {
    pid: Option<u32>,
    seen_bytes: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Begins to look at process `pid`.
    pub(crate) fn start(pid: Option<u32>) -> Self {
        let seen_bytes = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&seen_bytes);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(LOOK_EVERY);
            loop {
                ticks.tick().await;
                if let Some(bytes) = pid.and_then(|pid| status(pid, "VmRSS:")) {
                    shared.fetch_max(bytes, Ordering::Relaxed);
                }
            }
        });
        Self { pid, seen_bytes, task }
    }

    /// What is resident now, bytes.
    pub(crate) fn now(&self) -> Option<u64> {
        status(self.pid?, "VmRSS:")
    }

    /// What it has taken of the processors so far.
    pub(crate) fn worked(&self) -> Option<Duration> {
        worked(self.pid?)
    }

    /// Ends it; to be called while the process still runs.
    pub(crate) fn finish(&self) -> Memory {
        self.task.abort();
        let seen = Some(self.seen_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0);
        let peak = self.pid.and_then(peak_bytes);
        Memory { resident_peak_bytes: peak.max(seen), resident_seen_bytes: seen }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The most that process `pid` has taken so far, bytes.
pub(crate) fn peak_bytes(pid: u32) -> Option<u64> {
    status(pid, "VmHWM:")
}

/// A size in a process's status, bytes.
fn status(pid: u32, name: &str) -> Option<u64> {
    kibibytes(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, name).map(|kib| kib * 1024)
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_where_they_are() {
        let text = "Name:\tx\nVmHWM:\t   12345 kB\nVmRSS:\t     999 kB\n";
        assert_eq!(kibibytes(text, "VmHWM:"), Some(12_345));
        assert_eq!(kibibytes(text, "VmRSS:"), Some(999));
        assert_eq!(kibibytes(text, "VmSwap:"), None);
    }

    #[test]
    fn what_is_unknown_stays_behind_what_is_known() {
        let known = Memory { resident_peak_bytes: Some(5), resident_seen_bytes: Some(4) };
        assert_eq!(known.and(Memory::default()), known);
    }
}
