//! cpu: the share of time that the processors were busy since the sample before; in a container that may use a part of
//! them only, the share of that part.

use super::{Source, cgroup::Cgroup, rate::Rate, rounded};
use pingup_protocol::metrics::Measurements;
use std::time::Instant;
use sysinfo::System;

pub(super) struct Processor {
    system: System,
    group: Cgroup,
    used: Rate,
    /// The share of a container's part, as it was told last: less than a moment later it is told again.
    last: Option<f64>,
}

impl Processor {
    pub(super) fn new() -> Option<Self> {
        let system = System::new().ok()?;
        Some(Self { system, group: Cgroup::of_container(), used: Rate::default(), last: None })
    }

    /// The share of the container's part; `None` outside of one, and at the first reading.
    fn share_of_part(&mut self, now: Instant) -> Option<f64> {
        let part = self.group.processors().filter(|part| part.limit < self.system.cpus().len() as f64)?;
        if let Some(micros) = self.used.read(now, part.used_micros) {
            self.last = Some(micros / 1e6 / part.limit * 100.0);
        }
        self.last
    }
}

impl Source for Processor {
    fn measure(&mut self, sample: &mut Measurements) -> Result<(), String> {
        self.system.refresh_cpu_usage();
        if self.system.cpus().is_empty() || !counts_time() {
            return Err("the system shows no processors".to_owned());
        }
        let of_machine = f64::from(self.system.global_cpu_usage());
        let used = self.share_of_part(Instant::now()).unwrap_or(of_machine);
        sample.cpu = used.is_finite().then(|| rounded(used.clamp(0.0, 100.0)));
        sample.cpu.map(drop).ok_or_else(|| "its use is no number".to_owned())
    }
}

/// Whether the system says for how long its processors were busy: where it does not, the library says that they never were.
#[cfg(target_os = "linux")]
fn counts_time() -> bool {
    std::fs::File::open("/proc/stat").is_ok_and(|mut file| {
        let mut first = [0; 4];
        std::io::Read::read_exact(&mut file, &mut first).is_ok() && &first == b"cpu "
    })
}

#[cfg(not(target_os = "linux"))]
const fn counts_time() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_containers_use_is_of_what_it_may_use() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
        let mut processor = Processor::new().unwrap();
        processor.group = Cgroup(home.path().to_owned());
        processor.system.refresh_cpu_usage();
        write("cpu.max", "50000 100000");
        let start = Instant::now();
        for (seconds, used, expected) in [
            (0, 1_000_000, None),
            (10, 2_000_000, Some(20.0)),
            (10, 2_500_000, Some(20.0)),
            (20, 7_000_000, Some(100.0)),
        ] {
            write("cpu.stat", &format!("usage_usec {used}\n"));
            assert_eq!(processor.share_of_part(start + Duration::from_secs(seconds)), expected);
        }
        write("cpu.max", "max 100000");
        assert_eq!(processor.share_of_part(start + Duration::from_secs(30)), None);
        write("cpu.max", "100000000 100000");
        assert_eq!(processor.share_of_part(start + Duration::from_secs(30)), None, "more than there are");
    }
}
