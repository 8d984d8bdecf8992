//! Attributes as labels: their names as [`names`] has them, their values in words.

use super::{
    message::{AnyValue, Attribute},
    names::{self, SAID_BYTES_MAX},
};
use crate::series::{
    LabelError,
    labels::{self, LABEL_SET_BYTES_MAX, LABELS_MAX, VALUE_BYTES_MAX},
};
use std::collections::BTreeMap;

/// Names and values of labels.
pub(super) type Pairs = BTreeMap<String, String>;

/// Puts a label, if it has a value.
pub(super) fn put(pairs: &mut Pairs, name: &str, value: String) {
    if !value.is_empty() {
        pairs.insert(name.to_owned(), value);
    }
}

/// Attributes as labels; of several that are called the same then, in the order of their keys, all values.
///
/// # Errors
/// They are more than one series may have. That is told before they are copied, so what comes back is small.
pub(super) fn pairs<'a>(
    attributes: impl IntoIterator<Item = &'a Attribute<'a>>,
) -> Result<Pairs, LabelError> {
    let mut ordered: Vec<_> = attributes.into_iter().collect();
    ordered.sort_by(|a, b| a.key.cmp(&b.key));
    let (mut pairs, mut bytes) = (Pairs::new(), 0);
    for Attribute { key, value } in ordered {
        if key.len() > SAID_BYTES_MAX {
            return Err(LabelError::LongName(labels::told(key), key.len()));
        }
        let (Some(name), value) = (names::label(key), words(key, value)?) else { continue };
        if value.is_empty() {
            continue;
        }
        bytes += value.len();
        if bytes > LABEL_SET_BYTES_MAX {
            return Err(LabelError::LongSet(bytes));
        }
        pairs
            .entry(name)
            .and_modify(|values: &mut String| {
                values.push(';');
                values.push_str(&value);
            })
            .or_insert(value);
        if pairs.len() > LABELS_MAX {
            return Err(LabelError::TooMany(pairs.len()));
        }
    }
    Ok(pairs)
}

/// The value of the attribute `key` in words: lists and maps as JSON.
///
/// # Errors
/// It is longer than a label's value may be. That is told before it is written.
pub(super) fn words(key: &str, value: &AnyValue<'_>) -> Result<String, LabelError> {
    let bytes = at_least(value);
    if bytes > VALUE_BYTES_MAX {
        return Err(LabelError::LongValue(labels::told(key), bytes));
    }
    Ok(match value {
        AnyValue::Nothing => String::new(),
        AnyValue::Text(text) => text.clone().into_owned(),
        AnyValue::Truth(truth) => truth.to_string(),
        AnyValue::Integer(number) => number.to_string(),
        AnyValue::Double(number) => number.to_string(),
        AnyValue::List(_) | AnyValue::Map(_) => json(value).to_string(),
    })
}

/// How long a value is in words, at least: without escapes, and with numbers of one digit.
fn at_least(value: &AnyValue<'_>) -> usize {
    match value {
        AnyValue::Nothing => 0,
        AnyValue::Text(text) => text.len(),
        AnyValue::Truth(_) | AnyValue::Integer(_) | AnyValue::Double(_) => 1,
        // A comma or a bracket; for a member quotes and a colon too.
        AnyValue::List(values) => values.iter().map(|value| 1 + at_least(value)).sum(),
        AnyValue::Map(members) => members.iter().map(|one| 4 + one.key.len() + at_least(&one.value)).sum(),
    }
}

fn json(value: &AnyValue<'_>) -> serde_json::Value {
    match value {
        AnyValue::Nothing => serde_json::Value::Null,
        AnyValue::Text(text) => (**text).into(),
        AnyValue::Truth(truth) => (*truth).into(),
        AnyValue::Integer(number) => (*number).into(),
        AnyValue::Double(number) => (*number).into(),
        AnyValue::List(values) => values.iter().map(json).collect(),
        AnyValue::Map(values) => {
            values.iter().map(|one| (one.key.clone().into_owned(), json(&one.value))).collect()
        }
    }
}
