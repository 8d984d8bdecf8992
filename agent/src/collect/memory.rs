//! ram: what is not available to programs, of all there is; in a container that may have a part of it only, of that
//! part. swap: what is used of it, where there is any.

use super::{Source, cgroup::Cgroup, percent};
use pingup_protocol::metrics::Measurements;
use sysinfo::System;

pub(super) struct Memory {
    system: System,
    group: Cgroup,
}

impl Memory {
    pub(super) fn new() -> Option<Self> {
        Some(Self { system: System::new().ok()?, group: Cgroup::of_container() })
    }
}

impl Source for Memory {
    fn measure(&mut self, sample: &mut Measurements) -> Result<(), String> {
        self.system.refresh_memory();
        let total = self.system.total_memory();
        let of_machine = percent(total.saturating_sub(self.system.available_memory()), total);
        let part = self.group.memory().filter(|part| total == 0 || part.limit < total);
        sample.ram = part.map_or(of_machine, |part| percent(part.used, part.limit));
        if let Some(swap) = percent(self.system.used_swap(), self.system.total_swap()) {
            sample.further.push(("swap".to_owned(), swap));
        }
        sample.ram.map(drop).ok_or_else(|| "the system says that it has no memory".to_owned())
    }
}
