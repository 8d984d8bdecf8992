//! ram: what is not available to programs, of all there is. swap: what is used of it, where there is any.

use super::{Source, percent};
use pingup_protocol::metrics::Measurements;
use sysinfo::System;

pub(super) struct Memory(System);

impl Memory {
    pub(super) fn new() -> Option<Self> {
        System::new().ok().map(Self)
    }
}

impl Source for Memory {
    fn measure(&mut self, sample: &mut Measurements) -> Result<(), String> {
        self.0.refresh_memory();
        let total = self.0.total_memory();
        sample.ram = percent(total.saturating_sub(self.0.available_memory()), total);
        if let Some(swap) = percent(self.0.used_swap(), self.0.total_swap()) {
            sample.further.push(("swap".to_owned(), swap));
        }
        sample.ram.map(drop).ok_or_else(|| "the system says that it has no memory".to_owned())
    }
}
