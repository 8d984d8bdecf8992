//! What a process has taken of the processors: the system's own accounts of its threads, in `/proc/<pid>/task`. Those of
//! threads that have ended are gone.

use std::{fs, time::Duration};

/// Processor time of all threads that process `pid` has now; none where the system does not say.
pub(crate) fn worked(pid: u32) -> Option<Duration> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let nanos = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        nanoseconds(&text)
    });
    Some(Duration::from_nanos(nanos.sum()))
}

fn nanoseconds(schedstat: &str) -> Option<u64> {
    schedstat.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_is_the_time_on_a_processor() {
        assert_eq!(nanoseconds("1234567 89 10\n"), Some(1_234_567));
        assert_eq!(nanoseconds(""), None);
    }
}
