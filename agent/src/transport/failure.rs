//! Why a request did not end in a good answer, and what follows from it.

use crate::backoff::{Backoff, random};
use pingup_protocol::{
    plain,
    problem::{DETAIL_CHARS_MAX, Problem, ProblemType},
    signing::SignError,
    time::Timestamp,
};
use std::{fmt, time::Duration};

/// Why a request did not end in a good answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No answer came.
    #[error("cannot reach the hub at {hub}: {reason}")]
    Unreachable {
        /// Where it should be.
        hub: String,
        /// What went wrong.
        reason: String,
    },
    /// Somebody was reached who did not prove to be the hub: nothing was said to him.
    #[error("the hub at {hub} is not trusted: {reason}")]
    Untrusted {
        /// Where it should be.
        hub: String,
        /// What was missing.
        reason: String,
    },
    /// An answer came, and it was no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// An answer came that is not the hub's, or not to what was asked.
    #[error("an answer was thrown away: {0}")]
    Unverified(String),
    /// The request could not even be made.
    #[error("{0}")]
    Local(String),
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Self {
        Self::Local(format!("a message cannot be signed: {error}"))
    }
}

impl Failure {
    /// How long the hub asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.refusal().and_then(|refusal| refusal.retry_after)
    }

    /// How long to wait before trying again, by the `backoff` of whoever was refused. Not at all where the hub is away:
    /// then the link has everyone wait.
    pub fn wait(&self, backoff: &mut Backoff) -> Duration {
        match self.is_absence() {
            true => Duration::ZERO,
            false => backoff.after_failure(self.retry_after(), random()),
        }
    }

    /// Whether the hub is not there: nobody answers, or somebody else does.
    pub const fn is_absence(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Untrusted { .. })
    }

    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The kind of refusal, if it is one that this version knows.
    pub fn kind(&self) -> Option<ProblemType> {
        self.refusal().and_then(|refusal| refusal.kind)
    }

    /// Says in the log what the session could not know: that an answer was no answer, or that a request could not
    /// be made. That the hub is away or refuses, it has said itself.
    pub fn log_unexpected(&self, purpose: &str) {
        if let Self::Unverified(_) | Self::Local(_) = self {
            tracing::warn!(purpose, "{self}");
        }
    }

    /// Whether the hub does not know the keys that it was asked with, and may know others.
    pub fn is_of_keys(&self) -> bool {
        matches!(self.kind(), Some(ProblemType::AgentRevoked | ProblemType::TokenInvalid))
    }

    /// Whether the hub revoked this agent: nothing that it says will be heard again.
    pub fn is_revoked(&self) -> bool {
        self.kind() == Some(ProblemType::AgentRevoked)
    }
}

/// The hub revoked this agent: everything ends.
#[derive(Debug, thiserror::Error)]
#[error("the hub revoked this agent: {0}")]
pub struct Revoked(String);

impl Revoked {
    /// By a refusal that says so.
    pub fn because(failure: &Failure) -> Self {
        Self::saying(failure.refusal().map(|refusal| refusal.detail.clone()).unwrap_or_default())
    }

    /// In these words.
    pub const fn saying(detail: String) -> Self {
        Self(detail)
    }
}

/// A refusal, with what of it has consequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The kind, where it is one that this version knows.
    pub kind: Option<ProblemType>,
    /// What the hub said, fit for a log.
    pub detail: String,
    /// The hub's clock.
    pub server_time: Option<Timestamp>,
    /// With `boot-retired`: the least boot that would be taken.
    pub min_boot: Option<u64>,
    /// How long the hub asked to wait.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads an answer that is no 2xx. One that is no problem document (a proxy's) has its status only.
    pub fn read(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let problem = serde_json::from_slice::<Problem>(body).ok();
        Self {
            status,
            kind: problem.as_ref().and_then(Problem::problem_type),
            detail: problem.as_ref().map(|problem| for_log(&problem.detail)).unwrap_or_default(),
            server_time: problem.as_ref().and_then(|problem| problem.server_time),
            min_boot: problem.as_ref().and_then(|problem| problem.min_boot),
            retry_after,
        }
    }

    /// Whether the same may be taken later, unchanged. Otherwise it never will be.
    pub const fn is_passing(&self) -> bool {
        match self.kind {
            Some(kind) => kind.retryable(),
            None => self.status >= 500 || matches!(self.status, 408 | 425 | 429),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "the hub refused: {} ({})", self.detail, kind.name()),
            None => write!(f, "the hub's address answered with status {}", self.status),
        }
    }
}

/// A text from outside, fit for one line of a log.
pub(crate) fn for_log(text: &str) -> String {
    text.chars().take(DETAIL_CHARS_MAX).map(|c| if plain::acts(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_follows_from_it() {
        let problem = Problem::new(ProblemType::Overloaded, "full\r\n\u{1b}[31mred\u{202e}");
        let body = serde_json::to_vec(&problem).unwrap();
        let refusal = Refusal::read(503, Some(Duration::from_secs(7)), &body);
        assert_eq!(refusal.kind, Some(ProblemType::Overloaded));
        assert!(refusal.is_passing() && !refusal.to_string().contains(plain::acts));
        assert_eq!(Failure::Refused(Box::new(refusal)).retry_after(), Some(Duration::from_secs(7)));
    }

    #[test]
    fn what_is_no_problem_document_goes_by_its_status() {
        assert!(Refusal::read(502, None, b"<html>").is_passing());
        assert!(Refusal::read(429, None, b"").is_passing());
        assert!(!Refusal::read(404, None, b"{}").is_passing());
        assert!(!Refusal::read(301, None, b"").is_passing());
    }
}
