//! Writes a page in the form that was asked for: JSON, NDJSON, CSV, Arrow or Parquet. The tiers that it was read
//! from stand in a header of each; JSON has them and the cursor in its body, the other forms in headers only.

use crate::{
    history::{Bucket, Listing, Row, Tiers, frame, plan::Fields, table},
    http::{
        cursor,
        problem::Refusal,
        respond::{self, Representation},
    },
    storage::{Outbox, Wanted},
};
use arrow::{array::RecordBatch, error::ArrowError};
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use pingup_protocol::plain;
use serde::Serialize;
use std::fmt;

/// The cursor of a page that is not JSON.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");
/// The tiers that an answer was read from, separated by commas.
const TIERS: HeaderName = HeaderName::from_static("x-pingup-tiers");

const CSV: &str = "text/csv; charset=utf-8; header=present";

/// What a page is made of.
pub(super) trait Item: Serialize + Send + Sized + 'static {
    /// Items as CSV.
    fn to_table(items: &[Self], fields: &Fields) -> String;
    /// Items as columns.
    fn to_columns(items: &[Self], fields: &Fields) -> Result<RecordBatch, ArrowError>;
}

impl Item for Row {
    fn to_table(items: &[Self], fields: &Fields) -> String {
        table::rows(items, fields)
    }

    fn to_columns(items: &[Self], fields: &Fields) -> Result<RecordBatch, ArrowError> {
        frame::rows(items, fields)
    }
}

impl Item for Bucket {
    fn to_table(items: &[Self], fields: &Fields) -> String {
        table::buckets(items, fields)
    }

    fn to_columns(items: &[Self], fields: &Fields) -> Result<RecordBatch, ArrowError> {
        frame::buckets(items, fields)
    }
}

/// Says in a header where an answer comes from.
pub(super) fn with_tiers(mut response: Response, tiers: &Tiers) -> Response {
    // Names of tiers are what any header takes.
    if let Ok(tiers) = HeaderValue::from_str(&tiers.joined()) {
        response.headers_mut().insert(TIERS, tiers);
    }
    response
}

/// Writes a page, in its question's turn: it may be large. A long one takes its room in the `outbox`.
pub(super) fn write<T: Item>(
    form: Representation,
    listing: Listing<T>,
    fields: &Fields,
    outbox: &Outbox,
    wanted: &Wanted,
) -> Result<Response, Refusal> {
    let Listing { items, next, tiers } = listing;
    let next_cursor = next.map(|place| cursor::encode(&place));
    let (media_type, bytes) = match form {
        Representation::Json
        | Representation::Text
        | Representation::EventStream
        | Representation::Protobuf => {
            let page = page(items, next_cursor, &tiers).map_err(|error| unwritten(&error))?;
            return Ok(with_tiers(respond::long(page, outbox, wanted)?, &tiers));
        }
        Representation::NdJson => (form.media_type(), lines(&items)?.into_bytes()),
        Representation::Csv => (CSV, T::to_table(&items, fields).into_bytes()),
        Representation::Arrow => (form.media_type(), in_columns(&items, fields, frame::stream)?),
        Representation::Parquet => (form.media_type(), in_columns(&items, fields, frame::parquet)?),
    };
    drop(items);
    let mut response = respond::of(media_type, outbox.hold(bytes, wanted)?);
    // A cursor is base64url, which any header takes.
    if let Some(next) = next_cursor.and_then(|next| HeaderValue::from_str(&next).ok()) {
        response.headers_mut().insert(NEXT_CURSOR, next);
    }
    Ok(with_tiers(response, &tiers))
}

/// A page of rows or buckets in JSON.
fn page<T: Serialize>(
    items: Vec<T>,
    next_cursor: Option<String>,
    tiers: &Tiers,
) -> serde_json::Result<Vec<u8>> {
    let mut into = Vec::new();
    into.extend_from_slice(br#"{"items":"#);
    respond::write_items(items, &mut into)?;
    into.extend_from_slice(br#","nextCursor":"#);
    serde_json::to_writer(&mut into, &next_cursor)?;
    into.extend_from_slice(br#","tiers":"#);
    serde_json::to_writer(&mut into, tiers)?;
    into.push(b'}');
    Ok(into)
}

fn in_columns<T: Item, E: fmt::Display>(
    items: &[T],
    fields: &Fields,
    write: fn(&RecordBatch) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, Refusal> {
    let columns = T::to_columns(items, fields).map_err(|error| unwritten(&error))?;
    write(&columns).map_err(|error| unwritten(&error))
}

fn lines<T: Serialize>(items: &[T]) -> Result<String, Refusal> {
    let mut text = String::new();
    for item in items {
        let line = serde_json::to_string(item).map_err(|error| unwritten(&error))?;
        text.push_str(&plain::json_text(&line));
        text.push('\n');
    }
    Ok(text)
}

fn unwritten(error: &dyn fmt::Display) -> Refusal {
    Refusal::internal("a page could not be written", error)
}
