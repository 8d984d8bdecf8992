//! processes: how many there are.
//!
//! On Linux they are counted by their directories in /proc: reading each one, as a process table does, would
//! cost more than all other sources together.

use super::{Source, add};
use pingup_protocol::metrics::Measurements;

pub(super) struct Processes;

impl Source for Processes {
    fn measure(&mut self, sample: &mut Measurements) -> Result<(), String> {
        // This is one.
        let count = Some(count()?).filter(|&count| count > 0);
        add(sample, "processes", count.ok_or("the system shows no processes")? as f64);
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn count() -> Result<usize, String> {
    let is_process = |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let entries = std::fs::read_dir("/proc").map_err(|error| format!("/proc: {error}"))?;
    Ok(entries.flatten().filter(|entry| is_process(&entry.file_name())).count())
}

#[cfg(not(target_os = "linux"))]
fn count() -> Result<usize, String> {
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
    let mut system = System::new().map_err(|error| format!("{error:?}"))?;
    Ok(system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing()))
}
