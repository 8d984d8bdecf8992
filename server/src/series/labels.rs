//! What a written series is called, checked once: whoever holds [`Labels`] need not look again.
//!
//! Names are those that PromQL can ask for. Values are any text. An empty value is no label, as everywhere in
//! Prometheus's world, and is refused here: the door leaves it out, or says so.

use std::fmt;

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";
/// What the names of the hub's own metrics begin with: nobody else may write any.
pub const RESERVED_PREFIX: &str = "pingup_";
/// Labels of one series, its name among them.
pub const LABELS_MAX: usize = 64;
/// A label's name, and a metric's, bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// A label's value, bytes.
pub const VALUE_BYTES_MAX: usize = 4_096;
/// All names and values of one series together, bytes.
pub const LABEL_SET_BYTES_MAX: usize = 8 * 1_024;
const _: () =
    assert!(NAME_BYTES_MAX + VALUE_BYTES_MAX <= LABEL_SET_BYTES_MAX, "one label at its bounds fits");

/// What of a text that is refused is told, characters.
const TOLD_CHARS_MAX: usize = 64;

/// Labels of a series: sorted by name, none twice, none empty, the metric's name among them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Box<[(Box<str>, Box<str>)]>);

/// Why labels are none that can be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// No metric's name.
    #[error("a series has no label __name__")]
    NoMetricName,
    /// The hub's own.
    #[error("the metric {0:?} is the hub's own: names that begin with pingup_ are reserved")]
    Reserved(String),
    /// A metric's name that PromQL cannot ask for.
    #[error("the metric name {0:?} is not letters, digits, _ and :, beginning with no digit")]
    MetricName(String),
    /// A label's name that PromQL cannot ask for.
    #[error("the label name {0:?} is not letters, digits and _, beginning with no digit")]
    Name(String),
    /// One name with two values.
    #[error("the label {0:?} is there twice")]
    Twice(String),
    /// A label without a value.
    #[error("the label {0:?} has an empty value")]
    Empty(String),
    /// Too many.
    #[error("{0} labels; {LABELS_MAX} are allowed")]
    TooMany(usize),
    /// A name that is too long.
    #[error("the name {0:?}… has {1} bytes; {NAME_BYTES_MAX} are allowed")]
    LongName(String, usize),
    /// A value that is too long.
    #[error("the value of {0:?} has {1} bytes; {VALUE_BYTES_MAX} are allowed")]
    LongValue(String, usize),
    /// Too much in all.
    #[error("the labels have {0} bytes; {LABEL_SET_BYTES_MAX} are allowed")]
    LongSet(usize),
}

impl Labels {
    /// Labels of these names and values, in any order.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn new(mut pairs: Vec<(String, String)>) -> Result<Self, LabelError> {
        if pairs.len() > LABELS_MAX {
            return Err(LabelError::TooMany(pairs.len()));
        }
        pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        if let Some(twice) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(LabelError::Twice(told(&twice[0].0)));
        }
        for (name, value) in &pairs {
            check_label(name, value)?;
        }
        let metric = pairs.iter().find(|(name, _)| name == METRIC_NAME).map(|(_, metric)| metric);
        check_metric(metric.ok_or(LabelError::NoMetricName)?)?;
        let bytes = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > LABEL_SET_BYTES_MAX {
            return Err(LabelError::LongSet(bytes));
        }
        Ok(Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
    }

    /// Names and values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The metric's name.
    pub fn metric_name(&self) -> &str {
        self.iter().find(|(name, _)| *name == METRIC_NAME).map_or("", |(_, metric)| metric)
    }
}

fn check_label(name: &str, value: &str) -> Result<(), LabelError> {
    if name.len() > NAME_BYTES_MAX {
        return Err(LabelError::LongName(told(name), name.len()));
    }
    if !is_name(name, |_| false) {
        return Err(LabelError::Name(told(name)));
    }
    if value.is_empty() {
        return Err(LabelError::Empty(told(name)));
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(LabelError::LongValue(told(name), value.len()));
    }
    Ok(())
}

pub(super) fn check_metric(metric: &str) -> Result<(), LabelError> {
    if metric.len() > NAME_BYTES_MAX {
        return Err(LabelError::LongName(told(metric), metric.len()));
    }
    if !is_metric_name(metric) {
        return Err(LabelError::MetricName(told(metric)));
    }
    if metric.starts_with(RESERVED_PREFIX) {
        return Err(LabelError::Reserved(told(metric)));
    }
    Ok(())
}

/// Whether PromQL can ask for a metric of this name.
pub fn is_metric_name(name: &str) -> bool {
    is_name(name, |c| c == ':')
}

fn is_name(name: &str, further: impl Fn(char) -> bool) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || further(c))
}

pub(super) fn told(text: &str) -> String {
    text.chars().take(TOLD_CHARS_MAX).collect()
}

/// As it is written in PromQL: `up{job="api"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric_name())?;
        f.write_str("{")?;
        for (at, (name, value)) in self.iter().filter(|(name, _)| *name != METRIC_NAME).enumerate() {
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

    fn labels(pairs: &[(&str, &str)]) -> Result<Labels, LabelError> {
        Labels::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn labels_are_sorted_and_told_as_they_are_asked_for() {
        let up = labels(&[("job", "api"), ("__name__", "up:x"), ("a", "ä\"")]).unwrap();
        assert_eq!(up.to_string(), r#"up:x{a="ä\"", job="api"}"#);
        assert_eq!((up.metric_name(), up.iter().count()), ("up:x", 3));
    }

    #[test]
    fn each_rule_is_told_by_its_name() {
        let name = ("__name__", "up");
        for (pairs, error) in [
            (vec![("job", "x")], LabelError::NoMetricName),
            (vec![("__name__", "pingup_up")], LabelError::Reserved("pingup_up".into())),
            (vec![("__name__", "1up")], LabelError::MetricName("1up".into())),
            (vec![("__name__", "a.b")], LabelError::MetricName("a.b".into())),
            (vec![name, ("a:b", "x")], LabelError::Name("a:b".into())),
            (vec![name, ("", "x")], LabelError::Name(String::new())),
            (vec![name, ("a", "x"), ("a", "y")], LabelError::Twice("a".into())),
            (vec![name, ("a", "")], LabelError::Empty("a".into())),
        ] {
            assert_eq!(labels(&pairs).unwrap_err(), error);
        }
    }

    #[test]
    fn what_is_at_a_bound_is_taken_and_one_more_is_not() {
        let with = |name: usize, value: usize| {
            labels(&[("__name__", "up"), (&"n".repeat(name), &"v".repeat(value))]).err()
        };
        assert_eq!(with(NAME_BYTES_MAX, VALUE_BYTES_MAX), None);
        assert!(matches!(with(NAME_BYTES_MAX + 1, 1), Some(LabelError::LongName(_, 257))));
        assert!(matches!(with(1, VALUE_BYTES_MAX + 1), Some(LabelError::LongValue(_, 4_097))));
        assert!(labels(&[("__name__", &"n".repeat(NAME_BYTES_MAX))]).is_ok());
        assert!(labels(&[("__name__", &"n".repeat(NAME_BYTES_MAX + 1))]).is_err());
        let many = |count: usize| {
            let pairs = (1..count).map(|n| (format!("l{n}"), "x".to_owned()));
            Labels::new(pairs.chain([("__name__".to_owned(), "up".to_owned())]).collect()).err()
        };
        assert_eq!(many(LABELS_MAX), None);
        assert_eq!(many(LABELS_MAX + 1), Some(LabelError::TooMany(LABELS_MAX + 1)));
        let fill = LABEL_SET_BYTES_MAX - "__name__upab".len() - VALUE_BYTES_MAX;
        let set = |fill: usize| {
            labels(&[("__name__", "up"), ("a", &"v".repeat(VALUE_BYTES_MAX)), ("b", &"v".repeat(fill))]).err()
        };
        assert_eq!(set(fill), None);
        assert_eq!(set(fill + 1), Some(LabelError::LongSet(LABEL_SET_BYTES_MAX + 1)));
    }
}
