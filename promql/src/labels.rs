//! Label sets: what names a series.
//!
//! A set is a sorted, shared slice of shared strings, so that the thousand series of a query cost no copies of
//! their labels. A label with an empty value is no label, as in Prometheus, and is never kept.

use std::{fmt, sync::Arc};

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";
/// The label that holds a bucket's upper bound.
pub const BUCKET_BOUND: &str = "le";

/// Labels that say what is measured, not where: whatever changes a value drops them.
const DROPPED: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// One name and its value.
type Pair = (Arc<str>, Arc<str>);

/// A set of labels, sorted by name; cheap to clone.
///
/// Sets are ordered as Prometheus orders series: pair by pair, name before value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[Pair]>);

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

impl Labels {
    /// A set of these pairs. The last value of a name wins; an empty value is left out.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut kept: Vec<Pair> = Vec::new();
        for (name, value) in pairs {
            let (name, value) = (name.into(), value.into());
            match kept.binary_search_by(|(other, _)| other.cmp(&name)) {
                Ok(at) => kept[at].1 = value,
                Err(at) => kept.insert(at, (name, value)),
            }
        }
        kept.retain(|(_, value)| !value.is_empty());
        Self(kept.into())
    }

    /// The value of a label; a label that is not there has the empty value.
    pub fn get(&self, name: &str) -> &str {
        self.value(name).map_or("", |value| value)
    }

    /// The same text without a copy of it; `None` for a label that is not there.
    pub fn shared(&self, name: &str) -> Option<&Arc<str>> {
        self.value(name)
    }

    /// The metric's name, or nothing.
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME)
    }

    /// Names and values, in order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same with one label set; the empty value takes it away.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let value: Arc<str> = match self.value(name) {
            Some(same) if **same == *value => return self.clone(),
            _ => value.into(),
        };
        let others = self.0.iter().filter(|(other, _)| **other != *name).cloned();
        Self::new(others.chain([(Arc::from(name), value)]))
    }

    /// What a result that is no longer the metric's own value is called.
    pub(crate) fn without_name(&self) -> Self {
        self.filtered(|name| !DROPPED.contains(&name))
    }

    /// Only the labels that are named.
    pub(crate) fn only(&self, names: &[String]) -> Self {
        self.filtered(|name| names.iter().any(|kept| kept == name))
    }

    /// All but the labels that are named.
    pub(crate) fn without(&self, names: &[String]) -> Self {
        self.filtered(|name| !names.iter().any(|left| left == name))
    }

    fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        if self.0.iter().all(|(name, _)| keep(name)) {
            return self.clone();
        }
        Self(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }

    fn value(&self, name: &str) -> Option<&Arc<str>> {
        // Sets are small: a look at each beats a search by halves.
        self.0.iter().find(|(other, _)| **other == *name).map(|(_, value)| value)
    }
}

/// As Prometheus writes a set into its errors: `{__name__="up", job="api"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, (name, value)) in self.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_sorted_and_has_no_empty_values() {
        let labels = Labels::new([("job", "api"), ("__name__", "up"), ("gone", ""), ("job", "web")]);
        assert_eq!(labels.to_string(), r#"{__name__="up", job="web"}"#);
        assert_eq!((labels.metric_name(), labels.get("gone"), labels.len()), ("up", "", 2));
        assert_eq!(labels.without_name().to_string(), r#"{job="web"}"#);
        assert_eq!(labels.with("job", "").to_string(), r#"{__name__="up"}"#);
        assert_eq!(labels.with("a", "1").to_string(), r#"{__name__="up", a="1", job="web"}"#);
        assert_eq!(labels.only(&["job".into()]), labels.without(&["__name__".into()]));
    }

    #[test]
    fn sets_are_ordered_pair_by_pair() {
        let a = Labels::new([("a", "1")]);
        let longer = Labels::new([("a", "1"), ("b", "0")]);
        let later = Labels::new([("a", "2")]);
        assert!(Labels::default() < a && a < longer && longer < later);
    }
}
