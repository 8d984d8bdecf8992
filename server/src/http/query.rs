//! Query parameters: read once, typed by whoever asks. Which a route knows stands in the route table; the gate
//! refuses others, and repeated ones.

use super::problem::Refusal;
use axum::extract::FromRequestParts;
use http::request::Parts;
use pingup_protocol::time::Timestamp;
use std::{convert::Infallible, ops::RangeInclusive, time::Duration};

/// The query parameters of a request, in order.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query string.
    pub fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Refuses parameters that `known` does not list, and repeated ones.
    pub fn check(&self, known: &[&str]) -> Result<(), Refusal> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let detail = match known {
                    [] => "this route takes none".to_owned(),
                    _ => format!("unknown; this route takes {}", known.join(", ")),
                };
                return Err(Refusal::parameter(&name.escape_debug().to_string(), detail));
            }
            if self.0[..index].iter().any(|(before, _)| before == name) {
                return Err(Refusal::parameter(name, "given twice"));
            }
        }
        Ok(())
    }

    /// The text of a parameter; an empty one counts as absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The text of a parameter that must be there.
    pub fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name).ok_or_else(|| Refusal::parameter(name, "needed"))
    }

    /// A whole number within `range`.
    pub fn number(&self, name: &str, range: RangeInclusive<u64>, default: u64) -> Result<u64, Refusal> {
        let Some(text) = self.text(name) else { return Ok(default) };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let (least, most) = range.into_inner();
            Refusal::parameter(name, format!("a whole number from {least} to {most} expected"))
        })
    }

    /// A moment in RFC 3339.
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        let read = |text: &str| {
            // A plus that was not percent-encoded arrives as a space.
            Timestamp::parse(&text.replace(' ', "+"))
                .map_err(|error| Refusal::parameter(name, error.to_string()))
        };
        self.text(name).map(read).transpose()
    }

    /// A span such as `30s`, `1m` or `6h`.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>, Refusal> {
        let read = |text: &str| {
            humantime::parse_duration(text)
                .map_err(|_| Refusal::parameter(name, "a span such as 30s, 1m, 6h or 1d expected"))
        };
        self.text(name).map(read).transpose()
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_typed_or_refused_by_name() {
        let params =
            Params::parse("limit=5&from=2026-02-25T10:00:00%2B01:00&to=2026-02-25T10:00:00+01:00&step=1m&q=");
        assert_eq!(params.number("limit", 1..=10, 3).unwrap(), 5);
        assert_eq!(params.number("absent", 1..=10, 3).unwrap(), 3);
        assert_eq!(params.time("from").unwrap(), params.time("to").unwrap());
        assert_eq!(params.duration("step").unwrap(), Some(Duration::from_secs(60)));
        assert_eq!(params.text("q"), None);
        assert!(params.number("limit", 6..=10, 6).is_err());
        assert!(params.duration("from").is_err() && params.time("step").is_err());
        assert!(params.required("q").is_err());
    }

    #[test]
    fn unknown_and_repeated_parameters_are_refused() {
        assert!(Params::parse("a=1&b=2").check(&["a", "b"]).is_ok());
        assert!(
            Params::parse("a=1&c=2").check(&["a", "b"]).unwrap_err().problem().detail.contains("takes a, b")
        );
        assert!(Params::parse("a=1&a=1").check(&["a"]).unwrap_err().problem().detail.contains("twice"));
    }
}
