//! Measuring: one file a source, one sample out.
//!
//! A source that the machine does not have (sensors, swap) leaves its measurement out; it never invents one. What a
//! system does not show (a `/proc` that is empty) is no nought either: it is missing, and said once to be.
//! Rates and the processor's use are over the time since the sample before, so a collector is primed once
//! and then kept.
//!
//! Reading a file system whose server is away can hang for ever. So sources are measured on a thread of their
//! own ([`worker`]); one that does not come back in time is left there, alone, and costs its own measurements
//! until it does. Threads are bounded by the sources: each is in one place at a time.

mod cgroup;
pub mod disk;
mod load;
mod memory;
mod network;
mod processes;
mod processor;
mod rate;
mod temperature;
mod worker;

use pingup_protocol::metrics::Measurements;
use std::time::Duration;
use tokio::sync::oneshot::{self, error::TryRecvError};
use worker::{Done, Worker};

/// How long a new collector should be let alone before its first sample: the processor's use is a
/// difference, and over less time than this it is noise. The library that reads it takes none within 200 ms.
pub const PRIMING: Duration = Duration::from_millis(210);
/// How long a source may take: far more than any does on a machine that is not stuck.
const SOURCE_WITHIN: Duration = Duration::from_secs(3);

/// Something that can be measured.
trait Source: Send {
    /// Measures, and adds what it found to `sample`. What the machine does not have is left out; what cannot be read
    /// is an error, in words for the log.
    fn measure(&mut self, sample: &mut Measurements) -> Result<(), String>;
}

/// Where a source is.
enum Place {
    Here(Box<dyn Source>),
    /// On a thread; it comes back here.
    Away(oneshot::Receiver<Done>),
    /// It panicked, and took itself along.
    Gone,
}

/// A source's seat in the collector.
struct Seat {
    name: &'static str,
    place: Place,
    /// Whether it was said that it fails, since it last did not.
    is_told: bool,
}

/// All sources of this machine.
pub struct Collector {
    seats: Vec<Seat>,
    /// Started when it is needed, and anew when a source hangs on it.
    worker: Option<Worker>,
}

impl Collector {
    /// Finds the machine's sources and takes the readings that the first sample is compared with.
    pub async fn primed() -> Self {
        let candidates: [(&str, Option<Box<dyn Source>>); 7] = [
            ("processor", boxed(processor::Processor::new())),
            ("memory", boxed(memory::Memory::new())),
            ("disk", boxed(disk::Disk::new())),
            ("network", boxed(network::Network::new())),
            ("temperature", boxed(temperature::Temperature::new())),
            ("load", Some(Box::new(load::Load))),
            ("processes", Some(Box::new(processes::Processes))),
        ];
        let mut collector = Self::of(candidates);
        collector.measure().await;
        collector
    }

    fn of(candidates: impl IntoIterator<Item = (&'static str, Option<Box<dyn Source>>)>) -> Self {
        let seat = |(name, source): (_, Option<_>)| match source {
            Some(source) => Some(Seat { name, place: Place::Here(source), is_told: false }),
            None => {
                tracing::info!(source = name, "cannot be measured on this system");
                None
            }
        };
        Self { seats: candidates.into_iter().filter_map(seat).collect(), worker: None }
    }

    /// Measures everything that comes back in time.
    pub async fn measure(&mut self) -> Measurements {
        self.measure_within(|| tokio::time::sleep(SOURCE_WITHIN)).await
    }

    /// Measures each source until its `limit` is over. What is cut off in between is taken up again the next time.
    async fn measure_within<L: Future<Output = ()>>(&mut self, mut limit: impl FnMut() -> L) -> Measurements {
        let mut sample = Measurements::default();
        for seat in &mut self.seats {
            seat.take_back();
            let worker = match self.worker.take().map_or_else(Worker::start, Ok) {
                Ok(worker) => self.worker.insert(worker),
                Err(error) => {
                    seat.note(Err(format!("no thread: {error}")));
                    continue;
                }
            };
            let Some(done) = seat.lend(worker) else { continue };
            let answered = tokio::select! {
                biased;
                answered = done => Some(answered),
                () = limit() => None,
            };
            match answered {
                Some(Ok(done)) => seat.settle(done, &mut sample),
                Some(Err(_)) => {
                    (seat.place, self.worker) = (Place::Gone, None);
                    seat.note(Err("it panicked, and is not measured any more".to_owned()));
                }
                None => {
                    self.worker = None;
                    seat.note(Err("it hangs; it is measured again once it has come back".to_owned()));
                }
            }
        }
        sample
    }
}

impl Seat {
    /// Looks whether a source that hung has come back. What it found is of then, and not told.
    fn take_back(&mut self) {
        let Place::Away(done) = &mut self.place else { return };
        match done.try_recv() {
            Ok(Done { source, .. }) => {
                tracing::info!(source = self.name, "came back");
                self.place = Place::Here(source);
            }
            Err(TryRecvError::Closed) => self.place = Place::Gone,
            Err(TryRecvError::Empty) => {}
        }
    }

    /// Gives the source that is here to `worker`.
    fn lend(&mut self, worker: &Worker) -> Option<&mut oneshot::Receiver<Done>> {
        match std::mem::replace(&mut self.place, Place::Gone) {
            Place::Here(source) => self.place = Place::Away(worker.measure(source)),
            elsewhere => {
                self.place = elsewhere;
                return None;
            }
        }
        match &mut self.place {
            Place::Away(done) => Some(done),
            _ => None,
        }
    }

    fn settle(&mut self, done: Done, sample: &mut Measurements) {
        let Done { source, found, result } = done;
        self.place = Place::Here(source);
        sample.cpu = sample.cpu.or(found.cpu);
        sample.ram = sample.ram.or(found.ram);
        sample.disk = sample.disk.or(found.disk);
        sample.further.extend(found.further);
        self.note(result);
    }

    /// Says that it fails: once, until it does not.
    fn note(&mut self, result: Result<(), String>) {
        if let (Err(reason), false) = (&result, self.is_told) {
            tracing::warn!(source = self.name, "cannot be measured: {reason}");
        }
        self.is_told = result.is_err();
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
mod tests;
