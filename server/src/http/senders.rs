//! How the doors for senders of series tell that something went wrong: programs send, and people read it in their logs.
//!
//! Remote write wants a line of text. OTLP wants a `google.rpc.Status`, in protobuf or JSON as the request was. The status
//! of HTTP decides whether a sender tries again (429, 5xx) or lets the request go (all else).

use super::{envelope::offer_password, problem::Refusal, protobuf, single};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use pingup_protocol::plain;
use serde::Serialize;

/// Where remote write comes in.
pub const WRITE: &str = "/prometheus/api/v1/write";
/// Where all paths begin that speak OTLP.
pub const OTLP_PREFIX: &str = "/otlp/";

const TEXT: &str = "text/plain; charset=utf-8";

/// How an OTLP message is encoded; its answer is encoded the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

impl Encoding {
    /// That of a request's body, by its own account.
    pub fn of(headers: &HeaderMap) -> Self {
        let content_type = single(headers, &header::CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        match media_type.eq_ignore_ascii_case(Self::Json.media_type()) {
            true => Self::Json,
            false => Self::Protobuf,
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// An answer that is a line of text.
pub fn text(status: StatusCode, line: &str) -> Response {
    let mut response = status.into_response();
    put(&mut response, TEXT, line.as_bytes().to_vec());
    response
}

/// An answer that is a `google.rpc.Status`.
pub fn status(encoding: Encoding, status: StatusCode, message: &str) -> Response {
    let mut response = status.into_response();
    put_status(&mut response, encoding, message);
    response
}

/// Writes a refusal of the porch as a line of text. A body that is too large is 400: vmagent repeats whatever else it hears,
/// and all that it has stands behind.
pub(super) fn write_text(response: &mut Response, refusal: &Refusal) {
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    put(response, TEXT, plain::lines(&refusal.problem().detail).into_owned().into_bytes());
    offer_password(response);
}

/// Writes a refusal of the porch as a `google.rpc.Status`.
pub(super) fn write_status(response: &mut Response, encoding: Encoding, refusal: &Refusal) {
    put_status(response, encoding, &refusal.problem().detail);
    offer_password(response);
}

fn put_status(response: &mut Response, encoding: Encoding, message: &str) {
    #[derive(Serialize)]
    struct Status<'a> {
        code: u32,
        message: &'a str,
    }
    let (code, message) = (code(response.status()), &*plain::lines(message));
    let body = match encoding {
        Encoding::Json => serde_json::to_vec(&Status { code, message }).unwrap_or_default(),
        Encoding::Protobuf => {
            let mut body = Vec::new();
            protobuf::put_number(&mut body, 1, u64::from(code));
            protobuf::put_bytes(&mut body, 2, message.as_bytes());
            body
        }
    };
    put(response, encoding.media_type(), body);
}

/// The code of `google.rpc.Code` that fits a status best.
const fn code(status: StatusCode) -> u32 {
    match status.as_u16() {
        401 => 16,
        403 => 7,
        404 => 5,
        405 => 12,
        429 => 8,
        503 => 14,
        500.. => 13,
        _ => 3,
    }
}

fn put(response: &mut Response, media_type: &'static str, body: Vec<u8>) {
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    *response.body_mut() = Body::from(body);
}
