//! load1, load5, load15: how many tasks ran or waited to; and how long the machine has been up.

use super::{Source, add};
use pingup_protocol::metrics::Measurements;
use sysinfo::System;

pub(super) struct Load;

impl Source for Load {
    fn measure(&mut self, sample: &mut Measurements) -> Result<(), String> {
        let (load, uptime) = (System::load_average(), System::uptime());
        if let Ok(seconds) = uptime {
            add(sample, "uptime_seconds", seconds as f64);
        }
        let load = load.map_err(|error| format!("no load: {error:?}"))?;
        for (name, value) in [("load1", load.one), ("load5", load.five), ("load15", load.fifteen)] {
            add(sample, name, value);
        }
        uptime.map(drop).map_err(|error| format!("no uptime: {error:?}"))
    }
}
