//! What the machine does by itself while a load runs: how late a thread wakes that has nothing to do with the hub, and
//! how long a small write takes until it is on the hub's disk.
//!
//! A machine that others share pauses now and then, and so does its disk. Tails of latency are told beside these
//! figures of the same seconds: a pause that a bare thread had as well is not the hub's. The threads cost what a
//! thousand wakeups and a hundred small writes a second cost.

use crate::{load_report::Latency, tally::microseconds};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// The pause between two wakeups, and between two writes.
const WAKE_EVERY: Duration = Duration::from_millis(1);
const SYNC_EVERY: Duration = Duration::from_millis(10);
/// What is written at once, and the room that is written to over and over, bytes.
const WRITE_BYTES: usize = 4_096;
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What was found.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Machine {
    /// How much later than asked a bare thread woke, milliseconds.
    wakeups: Latency,
    /// What 4 KiB took until they were on the disk; null where the hub's disk is not here, or fails.
    syncs: Option<Latency>,
}

/// The threads that look.
pub(crate) struct Probe {
    ending: EndOnDrop,
    wakeups: JoinHandle<Histogram<u64>>,
    syncs: Option<JoinHandle<Option<Histogram<u64>>>>,
}

struct EndOnDrop(Arc<AtomicBool>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Probe {
    /// Begins to look; at the disk of `folder`, where there is one.
    pub(crate) fn start(folder: Option<&Path>) -> Self {
        let ending = Arc::new(AtomicBool::new(false));
        let ends = || {
            let ending = Arc::clone(&ending);
            move || ending.load(Ordering::Relaxed)
        };
        let file = folder.and_then(|folder| tempfile::tempfile_in(folder).ok());
        let (woken, synced) = (ends(), ends());
        let wakeups = thread::spawn(move || wake(woken));
        let syncs = file.map(|file| thread::spawn(move || sync(&file, synced)));
        Self { ending: EndOnDrop(ending), wakeups, syncs }
    }

    /// Ends the threads; what they found.
    pub(crate) fn finish(self) -> Option<Machine> {
        let Self { ending, wakeups, syncs } = self;
        drop(ending);
        let wakeups = Latency::of(&wakeups.join().ok()?);
        let syncs = syncs.and_then(|syncs| syncs.join().ok().flatten());
        Some(Machine { wakeups, syncs: syncs.as_ref().map(Latency::of) })
    }
}

impl Machine {
    /// The same for people.
    pub(crate) fn text(&self) -> String {
        let line = |what, Latency { p50, p99, p999, max, .. }: &Latency| {
            format!("    {what:<24} {p50:>9.2} {p99:>9.2} {p999:>9.2} {max:>9.2}\n")
        };
        let mut text = "\n  this machine, ms                 p50       p99     p99.9       max\n".to_owned();
        text += &line("a bare thread wakes late", &self.wakeups);
        if let Some(syncs) = &self.syncs {
            text += &line("4 KiB written and synced", syncs);
        }
        text
    }
}

fn wake(ends: impl Fn() -> bool) -> Histogram<u64> {
    let mut micros = microseconds();
    loop {
        let asked = Instant::now();
        thread::sleep(WAKE_EVERY);
        record(&mut micros, asked.elapsed().saturating_sub(WAKE_EVERY));
        if ends() {
            return micros;
        }
    }
}

/// Nothing once a write fails: a full disk is not slow.
fn sync(file: &File, ends: impl Fn() -> bool) -> Option<Histogram<u64>> {
    let (mut micros, mut at) = (microseconds(), 0);
    loop {
        let begun = Instant::now();
        file.write_all_at(&[1; WRITE_BYTES], at).and_then(|()| file.sync_data()).ok()?;
        record(&mut micros, begun.elapsed());
        at = (at + WRITE_BYTES as u64) % FILE_BYTES_MAX;
        if ends() {
            return Some(micros);
        }
        thread::sleep(SYNC_EVERY);
    }
}

fn record(micros: &mut Histogram<u64>, took: Duration) {
    micros.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_of_wakeups_and_of_the_disk_where_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let with_disk = Probe::start(Some(folder.path())).finish().unwrap();
        assert!(with_disk.syncs.is_some() && with_disk.text().contains("written and synced"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
        for nowhere in [None, Some(folder.path().join("missing"))] {
            let without = Probe::start(nowhere.as_deref()).finish().unwrap();
            assert!(without.syncs.is_none() && !without.text().contains("written"), "{nowhere:?}");
        }
    }
}
