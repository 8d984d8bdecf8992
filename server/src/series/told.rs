//! What senders tell of metrics: type, help and unit, for people. In memory alone: senders tell it again and again, and
//! after a restart it is there once they did. Bounded; what is beyond is not told.

use super::{Described, MetricKind, labels};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Metrics of which something is told at most.
pub const DESCRIBED_MAX: usize = 10_000;
/// A help at most, bytes; longer ones are cut.
pub const HELP_BYTES_MAX: usize = 512;
/// A unit at most, bytes; longer ones are cut.
pub const UNIT_BYTES_MAX: usize = 64;

/// Type, help and unit by metric.
#[derive(Debug, Default)]
pub struct Told(Mutex<BTreeMap<Box<str>, About>>);

/// Type, help and unit.
type About = (MetricKind, Box<str>, Box<str>);

impl Told {
    /// Takes note; the newest word counts. What is no metric's name, or the hub's own, is left out.
    pub(super) fn note(&self, described: Vec<Described>) {
        if described.is_empty() {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Described { metric, kind, help, unit } in described {
            let is_known = known.contains_key(&*metric);
            if !is_known && (known.len() >= DESCRIBED_MAX || labels::check_metric(&metric).is_err()) {
                continue;
            }
            known.insert(metric.into(), (kind, cut(&help, HELP_BYTES_MAX), cut(&unit, UNIT_BYTES_MAX)));
        }
    }

    /// All that is told, by name.
    pub fn all(&self) -> Vec<Described> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let described = known.iter().map(|(metric, (kind, help, unit))| Described {
            metric: metric.to_string(),
            kind: *kind,
            help: help.to_string(),
            unit: unit.to_string(),
        });
        described.collect()
    }
}

fn cut(text: &str, bytes_max: usize) -> Box<str> {
    text[..text.floor_char_boundary(bytes_max)].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(metric: &str, help: &str) -> Described {
        Described {
            metric: metric.to_owned(),
            kind: MetricKind::Gauge,
            help: help.to_owned(),
            unit: String::new(),
        }
    }

    #[test]
    fn the_newest_word_counts_and_long_ones_are_cut() {
        let told = Told::default();
        told.note(vec![described("up", "old"), described("pingup_up", ""), described("1", "")]);
        told.note(vec![described("up", &"ä".repeat(HELP_BYTES_MAX))]);
        let [up] = &told.all()[..] else { panic!("one is told") };
        assert_eq!((up.metric.as_str(), up.help.len()), ("up", HELP_BYTES_MAX));
    }

    #[test]
    fn beyond_the_bound_nothing_new_is_told() {
        let told = Told::default();
        told.note((0..=DESCRIBED_MAX).map(|n| described(&format!("m{n}"), "")).collect());
        told.note(vec![described("m0", "newer")]);
        let all = told.all();
        assert_eq!((all.len(), all[0].help.as_str()), (DESCRIBED_MAX, "newer"));
    }
}
