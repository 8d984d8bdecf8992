//! What the system holds an engine to, whatever its question makes of it: so much memory, so much time of the processors,
//! no file that is written, no end later than the hub's. Here on Linux; elsewhere DuckDB's own limits are what there is.

use crate::sql::letters::Ask;
use std::io;

/// Memory beside what DuckDB counts: the program itself, rows that were handed over, an answer, and what DuckDB does not
/// count, such as long texts.
const BESIDE_BYTES: u64 = 192 * 1024 * 1024;
/// Seconds of the processors beside those that a question may take on each.
const BESIDE_SECONDS: u64 = 5;
/// Files at once: those of the history come one after the other, a few at a time.
const FILES_MAX: u64 = 512;

/// Closes the fence. It is never opened again.
#[cfg(target_os = "linux")]
pub(super) fn close(ask: &Ask) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

    set_parent_process_death_signal(Some(Signal::KILL))?;
    let seconds = ask.time_max.as_secs() * u64::from(super::THREADS_MAX) + BESIDE_SECONDS;
    for (resource, most) in [
        (Resource::Data, ask.memory_bytes.saturating_add(BESIDE_BYTES)),
        (Resource::Cpu, seconds),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nofile, FILES_MAX),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn close(_ask: &Ask) -> io::Result<()> {
    Ok(())
}
