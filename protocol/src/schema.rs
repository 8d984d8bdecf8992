//! From verified JSON to types: reading, and saying where a body is not as it should be.

use crate::problem::{PointedError, Problem, ProblemType};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use std::fmt;

/// A body that is JSON, but not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// Each place, and what would be right there; never empty.
    pub errors: Vec<PointedError>,
}

impl SchemaError {
    /// One place, as a JSON Pointer, and what would be right there.
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { errors: vec![PointedError { pointer: pointer.into(), detail: detail.into() }] }
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for PointedError { pointer, detail } in &self.errors {
            let place = if pointer.is_empty() { "the body" } else { pointer };
            write!(f, "{separator}{place}: {detail}")?;
            separator = "; ";
        }
        Ok(())
    }
}

impl std::error::Error for SchemaError {}

impl From<SchemaError> for Problem {
    fn from(error: SchemaError) -> Self {
        let mut problem = Self::new(ProblemType::SchemaInvalid, error.to_string());
        problem.errors = error.errors;
        problem
    }
}

/// A rule over a body that its shape alone cannot tell.
pub trait Checked: DeserializeOwned {
    /// Says which rule is broken, and where.
    fn check(&self) -> Result<(), SchemaError> {
        Ok(())
    }
}

/// Reads `json` as a `T` and checks its rules.
pub fn read<T: Checked>(json: &[u8]) -> Result<T, SchemaError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let body: T = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| SchemaError::at(pointer_of(error.path()), plain(error.inner())))?;
    body.check()?;
    Ok(body)
}

/// The JSON Pointer of a place in a body.
fn pointer_of(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            Segment::Enum { variant } => pointer.push_str(&format!("/{}", escape(variant))),
            Segment::Unknown => {}
        }
    }
    pointer
}

/// A member name as a reference token of RFC 6901.
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The message without the line and column that mean nothing to who sent one line.
pub(crate) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Outer {
        #[serde(rename = "inner~/")]
        _inner: Vec<u8>,
    }
    impl Checked for Outer {}

    #[test]
    fn errors_point_at_their_place() {
        let error = read::<Outer>(br#"{"inner~/":[1,"x"]}"#).unwrap_err();
        assert_eq!(error.errors[0].pointer, "/inner~0~1/1");
        assert!(!error.errors[0].detail.contains("line"), "{error}");
        assert_eq!(read::<Outer>(b"{}").unwrap_err().errors[0].pointer, "");
    }
}
