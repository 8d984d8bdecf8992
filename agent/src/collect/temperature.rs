//! temperature: the hottest sensor, °C; absent where there is none, as in most virtual machines.

use super::{Source, add};
use pingup_protocol::metrics::Measurements;
use sysinfo::Components;

pub(super) struct Temperature(Components);

impl Temperature {
    pub(super) fn new() -> Option<Self> {
        Components::new().ok().map(Self)
    }
}

impl Source for Temperature {
    fn measure(&mut self, sample: &mut Measurements) -> Result<(), String> {
        self.0.refresh(true);
        let readings = self.0.iter().filter_map(|sensor| sensor.temperature()).map(f64::from);
        if let Some(hottest) = readings.filter(|degrees| degrees.is_finite()).max_by(f64::total_cmp) {
            add(sample, "temperature", hottest);
        }
        Ok(())
    }
}
