//! Writes a page in the form that was asked for: JSON, NDJSON, CSV, Arrow or Parquet. The tiers that it was read
//! from stand in a header of each; JSON has them and the cursor in its body, the other forms in headers only.

use crate::{
    history::{Bucket, Listing, Row, Tiers, frame, plan::Fields, table},
    http::{
        cursor,
        problem::Refusal,
        respond::{self, Representation},
    },
};
use arrow::{array::RecordBatch, error::ArrowError};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use std::fmt;
use tokio::task::spawn_blocking;

/// The cursor of a page that is not JSON.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");
/// The tiers that an answer was read from, separated by commas.
const TIERS: HeaderName = HeaderName::from_static("x-pingup-tiers");

const CSV: &str = "text/csv; charset=utf-8; header=present";

/// A page of rows or buckets in JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TieredPage<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
    tiers: Tiers,
}

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

/// Writes a page, off the threads that serve connections: it may be large.
pub(super) async fn page<T: Item>(
    form: Representation,
    listing: Listing<T>,
    fields: Fields,
) -> Result<Response, Refusal> {
    spawn_blocking(move || write(form, listing, &fields))
        .await
        .map_err(|error| Refusal::internal("a page could not be written", &error))?
}

/// Says in a header where an answer comes from.
pub(super) fn with_tiers(mut response: Response, tiers: &Tiers) -> Response {
    // Names of tiers are what any header takes.
    if let Ok(tiers) = HeaderValue::from_str(&tiers.joined()) {
        response.headers_mut().insert(TIERS, tiers);
    }
    response
}

fn write<T: Item>(form: Representation, listing: Listing<T>, fields: &Fields) -> Result<Response, Refusal> {
    let Listing { items, next, tiers } = listing;
    let next_cursor = next.map(|place| cursor::encode(&place));
    let (media_type, body) = match form {
        Representation::Json | Representation::Text | Representation::EventStream => {
            let page = TieredPage { items, next_cursor, tiers };
            return Ok(with_tiers(respond::json(StatusCode::OK, &page), &page.tiers));
        }
        Representation::NdJson => (form.media_type(), Body::from(lines(&items)?)),
        Representation::Csv => (CSV, Body::from(T::to_table(&items, fields))),
        Representation::Arrow => (form.media_type(), in_columns(&items, fields, frame::stream)?),
        Representation::Parquet => (form.media_type(), in_columns(&items, fields, frame::parquet)?),
    };
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // A cursor is base64url, which any header takes.
    if let Some(next) = next_cursor.and_then(|next| HeaderValue::from_str(&next).ok()) {
        headers.insert(NEXT_CURSOR, next);
    }
    Ok(with_tiers(response, &tiers))
}

fn in_columns<T: Item, E: fmt::Display>(
    items: &[T],
    fields: &Fields,
    write: fn(&RecordBatch) -> Result<Vec<u8>, E>,
) -> Result<Body, Refusal> {
    let columns = T::to_columns(items, fields).map_err(|error| unwritten(&error))?;
    Ok(write(&columns).map_err(|error| unwritten(&error))?.into())
}

fn lines<T: Serialize>(items: &[T]) -> Result<String, Refusal> {
    let mut text = String::new();
    for item in items {
        text.push_str(&serde_json::to_string(item).map_err(|error| unwritten(&error))?);
        text.push('\n');
    }
    Ok(text)
}

fn unwritten(error: &dyn fmt::Display) -> Refusal {
    Refusal::internal("a page could not be written", error)
}
