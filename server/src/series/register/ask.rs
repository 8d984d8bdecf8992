//! What is asked of the register. Whatever takes long takes its lock for a moment at a time: senders wait for it.

use super::Register;
use crate::{series::Counts, tsdb::rows::SeriesId};
use pingup_promql as promql;
use std::sync::Arc;

/// Series that are put in order while the lock is held: some milliseconds.
const AT_ONCE: usize = 4_096;

impl Register {
    /// The series that fulfil all matchers and may have samples between the two moments, milliseconds, themselves
    /// included; in the order of their numbers.
    pub fn select(&self, matchers: &[promql::Matcher], first_ms: i64, last_ms: i64) -> Vec<SeriesId> {
        self.read().select(matchers, (first_ms, last_ms))
    }

    /// What a series is called; `None` for one that was forgotten.
    pub fn labels(&self, series: SeriesId) -> Option<promql::Labels> {
        self.read().labels(series)
    }

    /// Names of labels that any of these series has, each once, in no order.
    pub fn names(&self, series: &[SeriesId]) -> Vec<Arc<str>> {
        self.read().names(series)
    }

    /// Values of a label that any of these series has, each once, in no order.
    pub fn values(&self, series: &[SeriesId], name: &str) -> Vec<Arc<str>> {
        self.read().values(series, name)
    }

    /// Whether any series has this label with this value.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.read().has(name, value)
    }

    /// How many series there are, by what people count.
    pub fn counts(&self) -> Counts {
        self.read().counts()
    }

    /// How many series there are, and what they take in memory, bytes.
    pub fn size(&self) -> (usize, usize) {
        let index = self.read();
        (index.len(), index.bytes())
    }

    /// Puts series in the order of their labels; those that are forgotten meanwhile stand anywhere.
    pub fn sort(&self, series: &mut Vec<SeriesId>) {
        for run in series.chunks_mut(AT_ONCE) {
            let index = self.read();
            run.sort_unstable_by(|a, b| index.compare(*a, *b));
        }
        let (mut length, mut merged) = (AT_ONCE, Vec::new());
        while length < series.len() {
            merged.clear();
            merged.reserve_exact(series.len());
            for pair in series.chunks(2 * length) {
                let (a, b) = pair.split_at(length.min(pair.len()));
                self.merge(a, b, &mut merged);
            }
            std::mem::swap(series, &mut merged);
            length *= 2;
        }
    }

    /// Puts two runs that are in order behind `merged`, as one.
    fn merge(&self, mut a: &[SeriesId], mut b: &[SeriesId], merged: &mut Vec<SeriesId>) {
        while !a.is_empty() && !b.is_empty() {
            let index = self.read();
            for _ in 0..AT_ONCE {
                let (Some((first_a, rest_a)), Some((first_b, rest_b))) = (a.split_first(), b.split_first())
                else {
                    break;
                };
                if index.compare(*first_b, *first_a).is_lt() {
                    merged.push(*first_b);
                    b = rest_b;
                } else {
                    merged.push(*first_a);
                    a = rest_a;
                }
            }
        }
        merged.extend_from_slice(a);
        merged.extend_from_slice(b);
    }
}
