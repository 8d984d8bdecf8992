//! Measuring: one file a source, one sample out.
//!
//! A source that the machine does not have (sensors, swap) leaves its measurement out; it never invents one.
//! Rates and the processor's use are over the time since the sample before, so a collector is primed once
//! and then kept.

pub mod disk;
mod load;
mod memory;
mod network;
mod processes;
mod processor;
mod rate;
mod temperature;

use pingup_protocol::metrics::Measurements;
use std::time::Duration;

/// How long a new collector should be let alone before its first sample: the processor's use is a
/// difference, and over less time than this it is noise.
pub const PRIMING: Duration = Duration::from_millis(250);

/// Something that can be measured.
trait Source {
    /// Measures, and adds what it found to `sample`.
    fn measure(&mut self, sample: &mut Measurements);
}

/// All sources of this machine.
pub struct Collector {
    sources: Vec<Box<dyn Source>>,
}

impl Collector {
    /// Finds the machine's sources and takes the readings that the first sample is compared with.
    pub fn primed() -> Self {
        let candidates: [Option<Box<dyn Source>>; 7] = [
            boxed(processor::Processor::new()),
            boxed(memory::Memory::new()),
            boxed(disk::Disk::new()),
            boxed(network::Network::new()),
            boxed(temperature::Temperature::new()),
            Some(Box::new(load::Load)),
            Some(Box::new(processes::Processes)),
        ];
        let mut collector = Self { sources: candidates.into_iter().flatten().collect() };
        collector.measure();
        collector
    }

    /// Measures everything.
    pub fn measure(&mut self) -> Measurements {
        let mut sample = Measurements::default();
        for source in &mut self.sources {
            source.measure(&mut sample);
        }
        sample
    }
}

fn boxed<S: Source + 'static>(source: Option<S>) -> Option<Box<dyn Source>> {
    source.map(|source| Box::new(source) as Box<dyn Source>)
}

/// Adds `value` under `name`, to two decimals, unless it is no number.
fn add(sample: &mut Measurements, name: &str, value: f64) {
    if value.is_finite() {
        sample.further.push((name.to_owned(), rounded(value)));
    }
}

/// The share of `part` in `whole`, percent; `None` of nothing.
fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| rounded((part as f64 / whole as f64 * 100.0).clamp(0.0, 100.0)))
}

/// To two decimals: what lies below is noise that would only make samples longer.
pub fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::ids::is_name;

    #[test]
    fn a_sample_of_this_machine_is_one_that_the_hub_takes() {
        let mut collector = Collector::primed();
        std::thread::sleep(PRIMING);
        let sample = collector.measure();
        sample.check("/metrics").unwrap();
        assert!(sample.cpu.is_some() && sample.ram.is_some(), "{sample:?}");
        assert!(sample.latency.is_none(), "that is the transport's to tell");
        assert!(sample.further.iter().all(|(name, value)| is_name(name) && value.is_finite()));
        let names: Vec<_> = sample.further.iter().map(|(name, _)| name.as_str()).collect();
        for expected in ["load1", "processes", "uptime_seconds", "net_rx_bytes_per_second"] {
            assert!(names.contains(&expected), "{expected} in {names:?}");
        }
    }

    #[test]
    fn shares_stay_within_a_hundred() {
        assert_eq!(percent(1, 3), Some(33.33));
        assert_eq!(percent(5, 4), Some(100.0));
        assert_eq!(percent(0, 0), None);
    }
}
