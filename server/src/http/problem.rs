//! Refusals on their way out. The handler says what; the porch adds the hub's clock, counts and writes it.

use crate::{deed::Who, storage::StorageError};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use pingup_protocol::{
    problem::{PointedError, Problem, ProblemType},
    schema::SchemaError,
};
use std::fmt;

/// When to come back after `overloaded`, seconds.
const OVERLOADED_RETRY_SECONDS: u64 = 1;

/// A refusal, as a handler returns it.
#[derive(Clone, Debug)]
pub struct Refusal(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ProblemType,
    problem: Problem,
    retry_after_seconds: Option<u64>,
    who: Option<Who>,
    bytes_read: usize,
    too_many: Option<&'static str>,
}

impl Refusal {
    /// A refusal of `kind`; `detail` says what was wrong this time, and what to do.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        let retry_after_seconds = (kind == ProblemType::Overloaded).then_some(OVERLOADED_RETRY_SECONDS);
        let problem = Problem::new(kind, detail);
        Self(Box::new(Inner { kind, problem, retry_after_seconds, who: None, bytes_read: 0, too_many: None }))
    }

    /// The refusal of one who asks too often: of what there were too many, and in how many seconds the next is taken.
    pub fn too_often(what: &'static str, seconds: u64) -> Self {
        let detail = format!("too many {what}; the next is taken in {seconds} s");
        Self::new(ProblemType::RateLimited, detail).retry_after(seconds).too_many(what)
    }

    /// The hub's own failure: logged here in full, answered without its inside.
    pub fn internal(what: &str, error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "{what}");
        Self::new(ProblemType::InternalError, "the hub failed; its log says why")
    }

    /// Which kind it is.
    pub fn kind(&self) -> ProblemType {
        self.0.kind
    }

    /// What it says.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// Adds the places where the body is not as it should be.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<PointedError>) -> Self {
        self.0.problem.errors = errors;
        self
    }

    /// Adds the least boot that would be taken.
    #[must_use]
    pub fn min_boot(mut self, boot: u64) -> Self {
        self.0.problem.min_boot = Some(boot);
        self
    }

    /// Adds the version in force.
    #[must_use]
    pub fn current_version(mut self, version: u64) -> Self {
        self.0.problem.current_version = Some(version);
        self
    }

    /// Adds when to come back.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// Adds of what there were too many, for the log.
    #[must_use]
    pub fn too_many(mut self, what: &'static str) -> Self {
        self.0.too_many = Some(what);
        self
    }

    /// Of what there were too many.
    pub fn of_what(&self) -> Option<&'static str> {
        self.0.too_many
    }

    /// Adds how much of the body had been read: by that it is counted.
    #[must_use]
    pub fn after(mut self, bytes_read: usize) -> Self {
        self.note_bytes(bytes_read);
        self
    }

    /// The same, of one that is on its way.
    pub fn note_bytes(&mut self, bytes_read: usize) {
        self.0.bytes_read = bytes_read;
    }

    /// How much of the body had been read.
    pub fn bytes_read(&self) -> usize {
        self.0.bytes_read
    }

    /// Adds who is refused, for the audit and the log: that stays here.
    #[must_use]
    pub fn to(mut self, who: Who) -> Self {
        self.0.who = Some(who);
        self
    }

    /// Who is refused, where that is known.
    pub fn who(&self) -> Option<&Who> {
        self.0.who.as_ref()
    }

    /// `schema-invalid` for a query parameter.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::new(ProblemType::SchemaInvalid, format!("query parameter {name}: {detail}"))
    }
}

impl From<SchemaError> for Refusal {
    fn from(error: SchemaError) -> Self {
        let detail = error.to_string();
        Self::new(ProblemType::SchemaInvalid, detail).with_errors(error.errors)
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        Self::from(&error)
    }
}

impl From<&StorageError> for Refusal {
    fn from(error: &StorageError) -> Self {
        if !error.is_transient() {
            return Self::internal("storage failed", error);
        }
        tracing::debug!(%error, "storage cannot take this now");
        Self::new(ProblemType::Overloaded, format!("{}; try again", error.outward()))
    }
}

impl IntoResponse for Refusal {
    /// Status and headers; [`super::finish`] writes the body.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.0.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(
            self.0.kind,
            ProblemType::TokenMissing | ProblemType::TokenInvalid | ProblemType::TokenExpired
        ) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"pingup\""));
        }
        response.extensions_mut().insert(self);
        response
    }
}
