//! cpu: the share of time that the processors were busy since the sample before.

use super::{Source, rounded};
use pingup_protocol::metrics::Measurements;
use sysinfo::System;

pub(super) struct Processor(System);

impl Processor {
    pub(super) fn new() -> Option<Self> {
        System::new().ok().map(Self)
    }
}

impl Source for Processor {
    fn measure(&mut self, sample: &mut Measurements) -> Result<(), String> {
        self.0.refresh_cpu_usage();
        let used = f64::from(self.0.global_cpu_usage());
        sample.cpu = used.is_finite().then(|| rounded(used.clamp(0.0, 100.0)));
        sample.cpu.map(drop).ok_or_else(|| "its use is no number".to_owned())
    }
}
