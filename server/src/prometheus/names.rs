//! Which measurement is which metric. Pure.
//!
//! The names of measurements are Prometheus names already: small letters, digits and underscores, a letter first.
//! `cpu` is `pingup_cpu_percent`, and so on for what has a unit; every further measurement `x` is `pingup_x`. One that
//! would be called like a metric of the hub's own is `pingup_further_x`, and so is one that begins with `further_`:
//! no two are called the same, and each name leads back to one measurement.

use crate::tsdb::schema::{OWN_COLUMNS, SAMPLES};
use foldhash::HashMap;
use std::{borrow::Cow, sync::Arc};

/// What all names begin with.
const PREFIX: &str = "pingup_";
/// What is put before the name of a measurement that would be taken for something else.
const FURTHER: &str = "further_";

/// What a metric's samples are read from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// A measurement with a column of its own, by its place among [`OWN_COLUMNS`](crate::tsdb::schema::OWN_COLUMNS).
    Own(u8),
    /// The agent's word for how its machine does: 0 for `error`, 1 for any other.
    Up,
    /// What is known of the agent, in labels; always 1.
    Info,
    /// How many hosts a scan found.
    ScanHosts,
    /// How long it took.
    ScanSeconds,
    /// Any other measurement.
    Further(Box<str>),
}

/// What a metric is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its type in Prometheus's words.
    pub kind: &'static str,
    /// What it tells, in a sentence.
    pub help: Cow<'static, str>,
    /// Its unit, by Prometheus's base units; may be empty.
    pub unit: Cow<'static, str>,
}

/// The hub's own metrics: name, what they are, help, unit.
const OWN: [(&str, Metric, &str, &str); 8] = [
    (
        "agent_info",
        Metric::Info,
        "What is known of an agent, in labels; 1 each minute from when it came until it went.",
        "",
    ),
    (
        "agent_up",
        Metric::Up,
        "How an agent says that its machine does: 0 for error, 1 for any other word.",
        "",
    ),
    ("cpu_percent", Metric::Own(0), "Processor time in use, of all cores together.", "percent"),
    ("disk_percent", Metric::Own(2), "Disk space in use.", "percent"),
    ("discovery_hosts", Metric::ScanHosts, "Hosts that a scan of the network found.", ""),
    ("discovery_scan_seconds", Metric::ScanSeconds, "How long a scan of the network took.", "seconds"),
    ("latency_seconds", Metric::Own(3), "How long the hub took to answer the agent.", "seconds"),
    ("ram_percent", Metric::Own(1), "Memory in use.", "percent"),
];

impl Metric {
    /// The metric of that name, whether or not anybody sends it.
    pub fn named(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(PREFIX)?;
        if let Some((_, metric, ..)) = OWN.iter().find(|(own, ..)| *own == rest) {
            return Some(metric.clone());
        }
        let measurement = rest.strip_prefix(FURTHER).unwrap_or(rest);
        let metric = Self::Further(measurement.into());
        (metric.name() == name).then_some(metric)
    }

    /// What it is called.
    pub fn name(&self) -> String {
        match self {
            Self::Further(measurement) if is_taken(measurement) => format!("{PREFIX}{FURTHER}{measurement}"),
            Self::Further(measurement) => format!("{PREFIX}{measurement}"),
            own => {
                let known = OWN.iter().find(|(_, metric, ..)| metric == own);
                format!("{PREFIX}{}", known.map_or("", |(name, ..)| name))
            }
        }
    }

    /// What the value that is stored is divided by.
    pub const fn divisor(&self) -> f64 {
        match self {
            // Milliseconds are stored.
            Self::Own(3) | Self::ScanSeconds => 1_000.0,
            _ => 1.0,
        }
    }

    /// What it is.
    pub fn metadata(&self) -> Metadata {
        let own = OWN.iter().find(|(_, metric, ..)| metric == self);
        let (help, unit) = match (own, self) {
            (Some((_, _, help, unit)), _) => (Cow::Borrowed(*help), *unit),
            (None, Self::Further(name)) => (format!("The agents' measurement {name}.").into(), ""),
            (None, _) => (Cow::Borrowed(""), ""),
        };
        Metadata { name: self.name(), kind: "gauge", help, unit: unit.into() }
    }

    /// The hub's own, in the order of their names.
    pub fn own() -> impl Iterator<Item = Self> {
        OWN.iter().map(|(_, metric, ..)| metric.clone())
    }
}

/// A metric's number, given as it is met.
pub(super) type MetricId = u32;

/// Metrics that are met at most; those beyond are answered when they are named, and told by no list.
pub const METRICS_MAX: usize = 65_536;

/// Metrics and their numbers: first the hub's own, in this order, then measurements.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    further: Arc<Further>,
}

#[derive(Clone, Debug, Default)]
struct Further {
    numbers: HashMap<Box<str>, MetricId>,
    names: Vec<Box<str>>,
}

impl Metrics {
    pub(super) const UP: MetricId = 4;
    pub(super) const INFO: MetricId = 5;
    pub(super) const SCAN_HOSTS: MetricId = 6;
    pub(super) const SCAN_SECONDS: MetricId = 7;
    const FURTHER: MetricId = 8;

    /// The number of a measurement as the history names it; of [`SAMPLES`], which every sample has, that of
    /// [`Metric::Up`]. Nothing for one beyond [`METRICS_MAX`].
    pub(super) fn of_measurement(&mut self, name: &str) -> Option<MetricId> {
        if name == SAMPLES {
            return Some(Self::UP);
        }
        if let Some(own) = OWN_COLUMNS.iter().position(|own| *own == name) {
            return MetricId::try_from(own).ok();
        }
        if let Some(number) = self.further.numbers.get(name) {
            return Some(*number);
        }
        if self.further.names.len() >= METRICS_MAX {
            return None;
        }
        let further = Arc::make_mut(&mut self.further);
        let number = Self::FURTHER + MetricId::try_from(further.names.len()).ok()?;
        further.names.push(name.into());
        further.numbers.insert(name.into(), number);
        Some(number)
    }

    /// The metric of that number.
    pub(super) fn get(&self, number: MetricId) -> Option<Metric> {
        Some(match number {
            Self::UP => Metric::Up,
            Self::INFO => Metric::Info,
            Self::SCAN_HOSTS => Metric::ScanHosts,
            Self::SCAN_SECONDS => Metric::ScanSeconds,
            own if own < Self::UP => Metric::Own(u8::try_from(own).ok()?),
            further => Metric::Further(self.further.names.get((further - Self::FURTHER) as usize)?.clone()),
        })
    }

    /// All of them, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = Metric> {
        let count = Self::FURTHER as usize + self.further.names.len();
        (0..).take(count).filter_map(|number| self.get(number))
    }
}

/// Whether a measurement called so would be taken for something else.
fn is_taken(measurement: &str) -> bool {
    measurement.starts_with(FURTHER) || OWN.iter().any(|(own, ..)| *own == measurement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_what_it_names() {
        let further =
            ["load1", "cpu_percent", "agent_up", "further_x", "further_cpu_percent", "further_", "a"];
        let all: Vec<_> =
            Metric::own().chain(further.iter().map(|name| Metric::Further((*name).into()))).collect();
        let mut names: Vec<_> = all.iter().map(Metric::name).collect();
        for (metric, name) in all.iter().zip(&names) {
            assert_eq!(Metric::named(name).as_ref(), Some(metric), "{name}");
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all.len());
        assert_eq!(Metric::Further("cpu_percent".into()).name(), "pingup_further_cpu_percent");
        assert_eq!(Metric::Further("load1".into()).name(), "pingup_load1");
        for none in ["up", "pingup_further_load1", "cpu_percent"] {
            assert_eq!(Metric::named(none), None, "{none}");
        }
    }
}
