//! Series that others write, as this room asks for them; `app` hands over who knows.

use super::names::Metadata;
use crate::tsdb::rows::SeriesId;
use pingup_promql::{Labels, Matcher};
use std::{fmt::Debug, sync::Arc};

/// How much others write, in no order.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Series.
    pub series: usize,
    /// Series of each metric.
    pub metrics: Vec<(Arc<str>, usize)>,
    /// Different values of each label.
    pub labels: Vec<(Arc<str>, usize)>,
    /// Series that each sender wrote first.
    pub senders: Vec<(Arc<str>, usize)>,
}

/// Who knows which series others write. Does not block for long.
pub trait Written: Debug + Send + Sync {
    /// The series that fulfil all matchers and may have samples between the two moments, milliseconds, themselves
    /// included; in the order of their numbers.
    fn select(&self, matchers: &[Matcher], first_ms: i64, last_ms: i64) -> Vec<SeriesId>;

    /// What a series is called; `None` for one that was forgotten since.
    fn labels(&self, series: SeriesId) -> Option<Labels>;

    /// Names of labels that any of these series has, each once, in no order. Texts are shared, not copied.
    fn names(&self, series: &[SeriesId]) -> Vec<Arc<str>>;

    /// Values of a label that any of these series has, each once, in no order. Texts are shared, not copied.
    fn values(&self, series: &[SeriesId], name: &str) -> Vec<Arc<str>>;

    /// Whether any series has this label with this value.
    fn has(&self, name: &str, value: &str) -> bool;

    /// Puts series in the order of their labels.
    fn sort(&self, series: &mut Vec<SeriesId>);

    /// How much there is.
    fn counted(&self) -> Counted;

    /// What is told of metrics, by name.
    fn metadata(&self) -> Vec<Metadata>;
}

/// Nobody writes any.
#[cfg(test)]
#[derive(Debug)]
pub(in crate::prometheus) struct Nobody;

#[cfg(test)]
impl Written for Nobody {
    fn select(&self, _: &[Matcher], _: i64, _: i64) -> Vec<SeriesId> {
        Vec::new()
    }

    fn labels(&self, _: SeriesId) -> Option<Labels> {
        None
    }

    fn names(&self, _: &[SeriesId]) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn values(&self, _: &[SeriesId], _: &str) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn has(&self, _: &str, _: &str) -> bool {
        false
    }

    fn sort(&self, _: &mut Vec<SeriesId>) {}

    fn counted(&self) -> Counted {
        Counted::default()
    }

    fn metadata(&self) -> Vec<Metadata> {
        Vec::new()
    }
}
