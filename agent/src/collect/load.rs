//! load1, load5, load15: how many tasks ran or waited to; and how long the machine has been up.

use super::{Source, add};
use pingup_protocol::metrics::Measurements;
use sysinfo::System;

pub(super) struct Load;

impl Source for Load {
    fn measure(&mut self, sample: &mut Measurements) {
        if let Ok(load) = System::load_average() {
            for (name, value) in [("load1", load.one), ("load5", load.five), ("load15", load.fifteen)] {
                add(sample, name, value);
            }
        }
        if let Ok(seconds) = System::uptime() {
            add(sample, "uptime_seconds", seconds as f64);
        }
    }
}
