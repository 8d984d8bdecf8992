//! Labels: a small map of names to values by which operators group agents. Each is checked once, where it enters.

use crate::{
    limits::{LABEL_VALUE_BYTES_MAX, LABELS_MAX, NAME_CHARS_MAX},
    schema::{SchemaError, escape},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An agent's labels, or those that are asked for, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Labels(BTreeMap<String, String>);

/// A change of labels as RFC 7396 has it: null removes a label, what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LabelsPatch(BTreeMap<String, Option<String>>);

/// More labels than an agent may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at most {LABELS_MAX} labels expected")]
pub struct TooManyLabels;

impl Labels {
    /// One label alone.
    pub fn one(name: &str, value: &str) -> Self {
        Self(BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    /// These, and where they name none, those of `other`.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        for (name, value) in other.0 {
            self.0.entry(name).or_insert(value);
        }
        self
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Says which label cannot be one, with `place` as the JSON Pointer of them all.
    pub fn check(&self, place: &str) -> Result<(), SchemaError> {
        if self.0.len() > LABELS_MAX {
            return Err(SchemaError::at(place, TooManyLabels.to_string()));
        }
        self.iter().try_for_each(|(name, value)| check_label(place, name, Some(value)))
    }

    /// These, changed by `patch`.
    pub fn patched(mut self, patch: LabelsPatch) -> Result<Self, TooManyLabels> {
        for (name, value) in patch.0 {
            match value {
                Some(value) => self.0.insert(name, value),
                None => self.0.remove(&name),
            };
        }
        if self.0.len() > LABELS_MAX { Err(TooManyLabels) } else { Ok(self) }
    }
}

impl FromIterator<(String, String)> for Labels {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(labels: T) -> Self {
        Self(labels.into_iter().collect())
    }
}

impl LabelsPatch {
    /// Says which label cannot be one, with `place` as the JSON Pointer of them all.
    pub fn check(&self, place: &str) -> Result<(), SchemaError> {
        self.0.iter().try_for_each(|(name, value)| check_label(place, name, value.as_deref()))
    }
}

/// Whether `name` may name a label: `[a-z][a-z0-9_.-]{0,63}`.
pub fn is_label_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-');
    name.len() <= NAME_CHARS_MAX
        && name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && name.bytes().all(allowed)
}

/// Whether `value` may be a label's: 1 to 128 bytes without control characters.
pub fn is_label_value(value: &str) -> bool {
    (1..=LABEL_VALUE_BYTES_MAX).contains(&value.len()) && !value.chars().any(char::is_control)
}

fn check_label(place: &str, name: &str, value: Option<&str>) -> Result<(), SchemaError> {
    let at = |detail: String| SchemaError::at(format!("{place}/{}", escape(name)), detail);
    if !is_label_name(name) {
        return Err(at(format!(
            "a name of 1 to {NAME_CHARS_MAX} characters of a–z 0–9 _ . -, a letter first, expected"
        )));
    }
    if value.is_some_and(|value| !is_label_value(value)) {
        return Err(at(format!("1 to {LABEL_VALUE_BYTES_MAX} bytes without control characters expected")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn labels(json: Value) -> Labels {
        serde_json::from_value(json).unwrap()
    }

    fn patch(json: Value) -> LabelsPatch {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_first_word_counts_name_by_name() {
        let own = labels(json!({"role": "db", "rack": "7"}));
        let both = labels(json!({"role": "web", "site": "ber"})).or(own);
        assert_eq!(both, labels(json!({"role": "web", "site": "ber", "rack": "7"})));
    }

    #[test]
    fn a_patch_sets_removes_and_leaves() {
        let before = labels(json!({"site": "ber", "role": "web"}));
        let after = before.clone().patched(patch(json!({"role": null, "rack": "7", "never": null}))).unwrap();
        assert_eq!(after, labels(json!({"site": "ber", "rack": "7"})));
        assert_eq!(before.clone().patched(LabelsPatch::default()), Ok(before));
    }

    #[test]
    fn names_and_values_keep_to_their_alphabet_and_length() {
        for name in ["a", "role", "example.org-team_1", &"a".repeat(NAME_CHARS_MAX)] {
            assert!(is_label_name(name), "{name}");
        }
        for name in ["", "Role", "1a", "-a", "a:b", "a b", "ä", &"a".repeat(NAME_CHARS_MAX + 1)] {
            assert!(!is_label_name(name), "{name:?}");
        }
        assert!(
            is_label_value("Zürich, 2nd floor: left") && is_label_value(&"x".repeat(LABEL_VALUE_BYTES_MAX))
        );
        for value in ["", "a\nb", "\0", &"x".repeat(LABEL_VALUE_BYTES_MAX + 1)] {
            assert!(!is_label_value(value), "{value:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_label_is_refused_by_its_place() {
        let pointer = |checked: Result<(), SchemaError>| checked.unwrap_err().errors[0].pointer.clone();
        assert_eq!(pointer(labels(json!({"a": "x", "b/c": "y"})).check("/labels")), "/labels/b~1c");
        assert_eq!(pointer(patch(json!({"a": ""})).check("/labels")), "/labels/a");
        assert_eq!(pointer(patch(json!({"A": null})).check("/labels")), "/labels/A");
    }

    #[test]
    fn an_agent_has_only_so_many() {
        let many = |count: usize| -> Value { (0..count).map(|n| (format!("l{n}"), json!("x"))).collect() };
        let full = labels(many(LABELS_MAX));
        assert_eq!(full.check("/labels"), Ok(()));
        assert_eq!(labels(many(LABELS_MAX + 1)).check("/labels").unwrap_err().errors[0].pointer, "/labels");
        assert_eq!(full.clone().patched(patch(json!({"more": "x"}))), Err(TooManyLabels));
        assert!(full.patched(patch(json!({"more": "x", "l0": null}))).is_ok());
    }
}
