//! Answers: JSON, signed JSON, pages; and which representation the asker accepts. In JSON for operators no letter acts, and
//! none opens markup: it is written as [`plain`] has it. What is signed is canonical instead.

use super::problem::Refusal;
use crate::storage::{Found, Outbox, Wanted};
use axum::{
    body::Body,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header, request::Parts};
use pingup_protocol::{plain, problem::ProblemType};
use serde::Serialize;
use std::ops::RangeInclusive;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Room that is made for a page before it is written.
const PAGE_ROOM_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How many items a page of a list may be asked to have.
pub const LIST_LIMIT: RangeInclusive<u64> = 1..=1_000;
/// How many it has when nobody asks.
pub const LIST_LIMIT_DEFAULT: u64 = 100;

/// A page of a list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins; null on the last.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The page of what was `found`; `cursor` writes the place of its last item.
    pub fn new(found: Found<T>, cursor: impl FnOnce(&T) -> String) -> Self {
        let next_cursor = found.items.last().filter(|_| found.more).map(cursor);
        Self { items: found.items, next_cursor }
    }
}

/// `body` as JSON.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => signed(status, plain::json(bytes)),
        Err(error) => Refusal::internal("an answer could not be written", &error).into_response(),
    }
}

/// `body` as JSON, which takes its room in the `outbox` where it is long. Blocks until there is room; the body itself
/// is gone by then.
pub fn long_json(body: impl Serialize, outbox: &Outbox, wanted: &Wanted) -> Result<Response, Refusal> {
    let bytes = serde_json::to_vec(&body)
        .map_err(|error| Refusal::internal("an answer could not be written", &error))?;
    drop(body);
    long(bytes, outbox, wanted)
}

/// Writes `items` as an array behind what is in `into`, and lets go of each: of a long page neither are items and text
/// whole at once, nor is the text copied into larger and larger room.
pub fn write_items<T: Serialize>(items: Vec<T>, into: &mut Vec<u8>) -> serde_json::Result<()> {
    let (begun, count) = (into.len(), items.len());
    into.push(b'[');
    for (place, item) in items.into_iter().enumerate() {
        match place {
            0 => {}
            1 => {
                // The others take about what the first one does, and some. What is not written to takes no memory.
                let bytes = into.len() - begun;
                into.reserve((bytes + bytes / 8).saturating_mul(count).min(PAGE_ROOM_BYTES_MAX));
                into.push(b',');
            }
            _ => into.push(b','),
        }
        serde_json::to_writer(&mut *into, &item)?;
    }
    into.push(b']');
    Ok(())
}

/// JSON that was written already, which takes its room in the `outbox` as [`long_json`] does.
pub fn long(json: Vec<u8>, outbox: &Outbox, wanted: &Wanted) -> Result<Response, Refusal> {
    Ok(of(Representation::Json.media_type(), outbox.hold(plain::json(json), wanted)?))
}

/// An answer of this media type.
pub fn of(media_type: &'static str, bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Bytes that were signed, as they were signed.
pub fn signed(status: StatusCode, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// Marks an answer that goes on until one side ends it. Its line waits for no further request, and closes behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endless;

/// A stream of server-sent events.
pub fn event_stream(body: Body) -> Response {
    let mut response = Response::new(body);
    response.extensions_mut().insert(Endless);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, EVENT_STREAM);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    // What some proxies would gather before they pass it on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// A form in which a route can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// `application/json`.
    Json,
    /// `application/x-ndjson`: a JSON value a line.
    NdJson,
    /// `text/csv` (RFC 4180).
    Csv,
    /// `text/plain`: the Prometheus text format.
    Text,
    /// `application/vnd.apache.arrow.stream`: an Arrow IPC stream.
    Arrow,
    /// `application/vnd.apache.parquet`: a Parquet file.
    Parquet,
    /// `text/event-stream`: server-sent events.
    EventStream,
    /// `application/x-protobuf`: a message of Prometheus's remote protocols.
    Protobuf,
}

impl Representation {
    /// Its media type, without parameters.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::NdJson => "application/x-ndjson",
            Self::Csv => "text/csv",
            Self::Text => "text/plain",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::EventStream => "text/event-stream",
            Self::Protobuf => "application/x-protobuf",
        }
    }

    /// Picks from what a route `offers` what `accept` likes best; the first where it likes several the same.
    pub fn choose(accept: &str, offers: &[Self]) -> Result<Self, Refusal> {
        let accept = if accept.trim().is_empty() { "*/*" } else { accept };
        let mut best: Option<(f32, Self)> = None;
        for &offer in offers {
            let liking = liking(accept, offer.media_type());
            if liking > best.map_or(0.0, |(liking, _)| liking) {
                best = Some((liking, offer));
            }
        }
        best.map(|(_, offer)| offer).ok_or_else(|| {
            let types: Vec<_> = offers.iter().map(|offer| offer.media_type()).collect();
            Refusal::new(ProblemType::NotAcceptable, format!("this route answers in {}", types.join(", ")))
        })
    }
}

/// How much an Accept header likes a media type (RFC 9110 §12.5.1): the weight of its most specific range.
fn liking(accept: &str, media_type: &str) -> f32 {
    let main = media_type.split('/').next().unwrap_or_default();
    let mut found = (0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let specificity = match parts.next() {
            Some(range) if range.eq_ignore_ascii_case(media_type) => 3,
            Some(range) if range.strip_suffix("/*").is_some_and(|m| m.eq_ignore_ascii_case(main)) => 2,
            Some("*/*") => 1,
            _ => continue,
        };
        let weight = parts
            .find_map(|parameter| parameter.strip_prefix("q=").or(parameter.strip_prefix("Q=")))
            .map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0));
        if specificity > found.0 {
            found = (specificity, weight);
        }
    }
    found.1
}

impl<S: Sync> FromRequestParts<S> for Representation {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts
            .extensions
            .get::<Self>()
            .copied()
            .ok_or_else(|| Refusal::internal("the route table does not provide", &"Representation"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_written_as_an_array_whatever_their_sizes() {
        for items in [vec![], vec!["a".repeat(9)], vec![String::new(), "b".repeat(99), "\"".to_owned()]] {
            let mut into = b"before ".to_vec();
            let expected = serde_json::to_string(&items).unwrap();
            write_items(items, &mut into).unwrap();
            assert_eq!(String::from_utf8(into).unwrap(), format!("before {expected}"));
        }
        let mut into = Vec::new();
        let huge = "x".repeat(1_000_000);
        write_items(vec![huge.as_str(); 40], &mut into).unwrap();
        assert!(into.len() > 40_000_000 && into.starts_with(b"[\"xx") && into.ends_with(b"xx\"]"));
        let mut few = Vec::new();
        write_items(vec![huge.as_str(), "", ""], &mut few).unwrap();
        assert!(few.capacity() <= 2 * PAGE_ROOM_BYTES_MAX);
    }

    #[test]
    fn the_most_liked_offer_is_chosen() {
        let offers = [Representation::Json, Representation::NdJson, Representation::Csv];
        for (accept, chosen) in [
            ("  ", Representation::Json),
            ("", Representation::Json),
            ("*/*", Representation::Json),
            ("text/csv", Representation::Csv),
            ("text/*;q=0.5, application/x-ndjson", Representation::NdJson),
            ("application/json;q=0.1, text/csv;q=0.2", Representation::Csv),
            ("application/json;q=0, */*", Representation::NdJson),
            ("text/html, */*;q=0.1", Representation::Json),
        ] {
            assert_eq!(Representation::choose(accept, &offers).unwrap(), chosen, "{accept:?}");
        }
        for accept in ["text/html", "application/json;q=0", "image/*"] {
            assert!(Representation::choose(accept, &offers[..1]).is_err(), "{accept}");
        }
    }
}
