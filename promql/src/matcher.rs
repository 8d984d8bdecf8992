//! What a selector asks of a series' labels.

use crate::{
    labels::{Labels, METRIC_NAME},
    pattern::Pattern,
};
use std::fmt;

/// One condition on one label. A label that a series does not have counts as empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// The label's name; `__name__` for the metric's.
    pub name: String,
    /// What must hold of its value.
    pub test: Test,
}

/// What must hold of a label's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It is this.
    Equal(String),
    /// It is not this.
    NotEqual(String),
    /// The pattern matches the whole of it.
    Matches(Pattern),
    /// The pattern does not match the whole of it.
    MatchesNot(Pattern),
}

impl Matcher {
    /// The condition that the metric is called so.
    pub fn named(metric: impl Into<String>) -> Self {
        Self { name: METRIC_NAME.to_owned(), test: Test::Equal(metric.into()) }
    }

    /// Whether a value of the label fulfils the condition; the empty value stands for no label.
    pub fn accepts(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal(wanted) => wanted == value,
            Test::NotEqual(refused) => refused != value,
            Test::Matches(pattern) => pattern.matches(value),
            Test::MatchesNot(pattern) => !pattern.matches(value),
        }
    }
}

/// Whether a series fulfils all of them.
pub fn accepts_all(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.accepts(labels.get(&matcher.name)))
}

/// As it is written in a query: `job=~"api.*"`.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.test {
            Test::Equal(value) => write!(f, "{name}={value:?}"),
            Test::NotEqual(value) => write!(f, "{name}!={value:?}"),
            Test::Matches(pattern) => write!(f, "{name}=~{:?}", pattern.as_str()),
            Test::MatchesNot(pattern) => write!(f, "{name}!~{:?}", pattern.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_is_not_there_is_empty() {
        let labels = Labels::new([("__name__", "up"), ("job", "api")]);
        let holds =
            |name: &str, test: Test| Matcher { name: name.to_owned(), test }.accepts(labels.get(name));
        assert!(holds("job", Test::Equal("api".into())) && !holds("job", Test::NotEqual("api".into())));
        assert!(holds("zone", Test::Equal(String::new())) && !holds("zone", Test::NotEqual(String::new())));
        let pattern = |text| Pattern::new(text).unwrap();
        assert!(holds("job", Test::Matches(pattern("a.*"))) && holds("zone", Test::Matches(pattern(".*"))));
        assert!(holds("zone", Test::MatchesNot(pattern(".+"))));
        assert!(
            accepts_all(&[Matcher::named("up")], &labels) && !accepts_all(&[Matcher::named("down")], &labels)
        );
    }
}
