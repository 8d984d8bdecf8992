//! Why a query has no answer.
//!
//! The words are Prometheus's where it has some, because people search for them. The kind says what a server
//! answers with; this library knows no status codes.

/// What sort of failure it is. In brackets: Prometheus's `errorType` and the status it is sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is no query that this library evaluates, or its times make no sense (`bad_data`, 400).
    Query,
    /// The query cannot be evaluated over these series (`execution`, 422).
    Execution,
    /// A [limit](crate::Limits) of samples, series, points or steps was reached (`execution`, 422).
    Limit,
    /// It took longer than allowed (`timeout`, 503).
    Timeout,
    /// Whoever asked does not want the answer any more (`canceled`, 499).
    Cancelled,
    /// The source of the series failed, or this library did (`internal`, 500).
    Source,
}

/// A failure and its words, which are fit to be shown to whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// A failure of the source. The message is shown to whoever asked: no secrets in it.
    pub fn source(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Source, message)
    }

    /// A limit of the source's own was reached. The message is shown to whoever asked.
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, message)
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn query(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Query, message)
    }

    pub(crate) fn execution(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Execution, message)
    }

    /// A part of a query is not what its plan says; a mistake in this library.
    pub(crate) fn internal(message: &str) -> Self {
        Self::new(ErrorKind::Source, format!("internal: {message}"))
    }

    /// Two series of a result would be called the same.
    pub(crate) fn same_labels() -> Self {
        Self::execution("vector cannot contain metrics with the same labelset")
    }
}
