//! Series that others write, as this room asks for them; `app` hands over who knows.

use super::names::Metadata;
use crate::tsdb::rows::SeriesId;
use pingup_promql::{Labels, Matcher};
use std::fmt::Debug;

/// Who knows which series others write. Does not block for long.
pub trait Written: Debug + Send + Sync {
    /// The series that fulfil all matchers and may have samples between the two moments, milliseconds, themselves
    /// included; in the order of their numbers.
    fn select(&self, matchers: &[Matcher], first_ms: i64, last_ms: i64) -> Vec<SeriesId>;

    /// What a series is called; `None` for one that was forgotten since.
    fn labels(&self, series: SeriesId) -> Option<Labels>;

    /// Shows each label that any of these series has, once.
    fn each_label(&self, series: &[SeriesId], show: &mut dyn FnMut(&str, &str));

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

    fn each_label(&self, _: &[SeriesId], _: &mut dyn FnMut(&str, &str)) {}

    fn metadata(&self) -> Vec<Metadata> {
        Vec::new()
    }
}
