//! Prometheus's envelope: how the routes under `/prometheus/` tell that something went wrong.
//!
//! Its clients read `errorType` and `error` from a JSON body, and know nothing of problem documents. So whatever is
//! refused there, by a handler, the gate or the table itself, leaves in this form; the status is the one that it has
//! everywhere.

use super::problem::Refusal;
use crate::storage::StorageError;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use pingup_protocol::{plain, problem::ProblemType};
use serde::Serialize;

/// Where all paths begin that speak so.
pub const PREFIX: &str = "/prometheus/";

/// Prometheus's kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// The request makes no sense, or is not allowed.
    BadData,
    /// The query cannot be evaluated over what is there.
    Execution,
    /// Whoever asked is gone.
    Canceled,
    /// It took too long.
    Timeout,
    /// Not now.
    Unavailable,
    /// The hub failed.
    Internal,
    /// There is no such thing.
    NotFound,
    /// Nothing that can be answered is accepted.
    NotAcceptable,
}

impl ErrorType {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
            Self::NotFound => "not_found",
            Self::NotAcceptable => "not_acceptable",
        }
    }

    /// The status that Prometheus sends with it.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadData => 400,
            Self::Execution => 422,
            // No registered status: nobody is there to read it.
            Self::Canceled => 499,
            Self::Timeout | Self::Unavailable => 503,
            Self::Internal => 500,
            Self::NotFound => 404,
            Self::NotAcceptable => 406,
        }
    }
}

impl From<ProblemType> for ErrorType {
    fn from(kind: ProblemType) -> Self {
        match (kind, kind.status()) {
            (ProblemType::NotAcceptable, _) => Self::NotAcceptable,
            (_, 404) => Self::NotFound,
            (_, 503) => Self::Unavailable,
            (_, 500..) => Self::Internal,
            _ => Self::BadData,
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub enum Complaint {
    /// An error that Prometheus knows too.
    Error(ErrorType, String),
    /// A refusal that any route could give; it is counted like all of them.
    Refused(Refusal),
}

impl Complaint {
    /// The request makes no sense.
    pub fn bad_data(text: impl Into<String>) -> Self {
        Self::Error(ErrorType::BadData, text.into())
    }

    /// A parameter makes no sense.
    pub fn parameter(name: &str, text: &dyn std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {text}"))
    }

    /// The query cannot be answered.
    pub fn execution(text: impl Into<String>) -> Self {
        Self::Error(ErrorType::Execution, text.into())
    }
}

impl From<Refusal> for Complaint {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StorageError> for Complaint {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Timeout => Self::Error(ErrorType::Timeout, error.outward().to_owned()),
            other => Self::Refused(other.into()),
        }
    }
}

impl IntoResponse for Complaint {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => refusal.into_response(),
            Self::Error(kind, text) => {
                let status = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut response = status.into_response();
                write(&mut response, kind, &text);
                response
            }
        }
    }
}

/// Puts a refusal of the porch into the envelope.
pub(super) fn write_refusal(response: &mut Response, refusal: &Refusal) {
    write(response, refusal.kind().into(), &refusal.problem().detail);
    offer_password(response);
}

/// Says that a token that is asked for may come as a password too.
pub(super) fn offer_password(response: &mut Response) {
    let headers = response.headers_mut();
    if headers.contains_key(header::WWW_AUTHENTICATE) {
        let basic = HeaderValue::from_static("Basic realm=\"pingup\", charset=\"UTF-8\"");
        headers.append(header::WWW_AUTHENTICATE, basic);
    }
}

fn write(response: &mut Response, kind: ErrorType, text: &str) {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Envelope<'a> {
        status: &'static str,
        error_type: &'static str,
        error: &'a str,
    }
    let envelope = Envelope { status: "error", error_type: kind.name(), error: text };
    let bytes = plain::json(serde_json::to_vec(&envelope).unwrap_or_default());
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::from(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_type_that_fits_its_status() {
        for &kind in ProblemType::ALL {
            let error = ErrorType::from(kind);
            assert_eq!(error.status() / 100, kind.status() / 100, "{}: {}", kind.name(), error.name());
        }
        assert_eq!(ErrorType::from(ProblemType::Overloaded), ErrorType::Unavailable);
        assert_eq!(ErrorType::from(ProblemType::NotFound), ErrorType::NotFound);
        assert_eq!(ErrorType::from(ProblemType::TokenMissing), ErrorType::BadData);
    }
}
