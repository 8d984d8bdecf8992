//! Attributes as labels: their names as [`names`] has them, their values in words.

use super::{
    message::{AnyValue, Attribute},
    names,
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
pub(super) fn pairs<'a>(attributes: impl IntoIterator<Item = &'a Attribute<'a>>) -> Pairs {
    let mut ordered: Vec<_> = attributes.into_iter().collect();
    ordered.sort_by(|a, b| a.key.cmp(&b.key));
    let mut pairs = Pairs::new();
    for attribute in ordered {
        let (Some(name), value) = (names::label(&attribute.key), words(&attribute.value)) else { continue };
        if value.is_empty() {
            continue;
        }
        pairs
            .entry(name)
            .and_modify(|values: &mut String| {
                values.push(';');
                values.push_str(&value);
            })
            .or_insert(value);
    }
    pairs
}

/// An attribute's value in words: lists and maps as JSON.
pub(super) fn words(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Nothing => String::new(),
        AnyValue::Text(text) => text.clone().into_owned(),
        AnyValue::Truth(truth) => truth.to_string(),
        AnyValue::Integer(number) => number.to_string(),
        AnyValue::Double(number) => number.to_string(),
        AnyValue::List(_) | AnyValue::Map(_) => json(value).to_string(),
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
