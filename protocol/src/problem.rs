//! Refusals: `application/problem+json` (RFC 9457), each with a name that programs can rely on.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What every problem type starts with.
pub const TYPE_PREFIX: &str = "urn:pingup:problem:";
/// The media type of a refusal.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// Characters of a refusal's detail that agents repeat in their logs. Within them it says what to do.
pub const DETAIL_CHARS_MAX: usize = 300;

macro_rules! problem_types {
    ($($(#[$doc:meta])* $variant:ident $name:literal $status:literal $title:literal $retryable:literal;)*) => {
        /// The kinds of refusal. The order is that of the checks: cheapest first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ProblemType { $($(#[$doc])* $variant,)* }

        impl ProblemType {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name, the last part of the type URN.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The HTTP status it comes with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// What it is, the same words every time.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// Whether the same request may succeed later, unchanged.
            pub const fn retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)* }
            }
        }
    };
}

problem_types! {
    /// The path exists, the method does not.
    MethodNotAllowed "method-not-allowed" 405 "The path knows no such method" false;
    /// Nothing the route can answer with is accepted.
    NotAcceptable "not-acceptable" 406 "No representation that is accepted can be made" false;
    /// The body is not JSON by its Content-Type.
    UnsupportedMediaType "unsupported-media-type" 415 "The body is of a type that is not read here" false;
    /// The body passes its limit.
    PayloadTooLarge "payload-too-large" 413 "The body is larger than this route takes" false;
    /// The header block passes its limit.
    HeadersTooLarge "headers-too-large" 431 "The header block is larger than the hub takes" false;
    /// Too many of a kind in a time.
    RateLimited "rate-limited" 429 "Too many requests" true;
    /// The hub cannot take more now.
    Overloaded "overloaded" 503 "The hub cannot take this now" true;
    /// No bearer token.
    TokenMissing "token-missing" 401 "A bearer token is needed" false;
    /// Not a token of this hub, or not one for this door.
    TokenInvalid "token-invalid" 401 "The bearer token is not valid here" false;
    /// Its time is over.
    TokenExpired "token-expired" 401 "The bearer token has expired" false;
    /// Not JSON.
    MalformedJson "malformed-json" 400 "The body is not JSON" false;
    /// Not UTF-8, or half a surrogate pair.
    InvalidUnicode "invalid-unicode" 400 "The body is not Unicode text" false;
    /// A name twice in one object.
    DuplicateMember "duplicate-member" 400 "A member stands twice in one object" false;
    /// Deeper than the limit.
    NestingTooDeep "nesting-too-deep" 400 "The body is nested too deep" false;
    /// No signature.
    SignatureMissing "signature-missing" 400 "The body carries no signature" false;
    /// A signature that cannot be one.
    SignatureMalformed "signature-malformed" 400 "The signature is not base64 of 32 bytes" false;
    /// A number that JSON implementations disagree on.
    NumberOutOfRange "number-out-of-range" 422 "A number is out of range" false;
    /// Verified by nobody.
    SignatureInvalid "signature-invalid" 401 "The signature does not verify" false;
    /// The agent was removed or its key revoked.
    AgentRevoked "agent-revoked" 403 "The agent or its key is revoked" false;
    /// Path, bearer and body name different agents, or the thing is another agent's.
    AgentMismatch "agent-mismatch" 403 "This belongs to another agent" false;
    /// The token's role does not reach here.
    ScopeDenied "scope-denied" 403 "The token's role does not allow this" false;
    /// The join token was not made here, or the enrolment was not signed with it.
    JoinTokenInvalid "join-token-invalid" 401 "The join token is not valid" false;
    /// Every use of the join token is used.
    JoinTokenExhausted "join-token-exhausted" 403 "The join token is used up" false;
    /// The join token's time is over.
    JoinTokenExpired "join-token-expired" 403 "The join token has expired" false;
    /// JSON, but not what the route takes.
    SchemaInvalid "schema-invalid" 422 "The body is not what this route takes" false;
    /// Too far ahead of the hub's clock.
    TimestampInFuture "timestamp-in-future" 422 "A timestamp lies in the future" false;
    /// No such thing.
    NotFound "not-found" 404 "There is no such thing" false;
    /// It was, and is no more.
    Gone "gone" 410 "It is gone" false;
    /// Two machines share one identity.
    SequenceConflict "sequence-conflict" 409 "This sequence number was committed with another timestamp" false;
    /// An older stream than the hub knows.
    BootRetired "boot-retired" 409 "A newer boot of this agent is known" false;
    /// The machine is enrolled already.
    MachineAlreadyEnrolled "machine-already-enrolled" 409 "This machine is enrolled already" false;
    /// The id was used before.
    AgentIdRetired "agent-id-retired" 409 "This agent id was used before" false;
    /// Another result was reported before, or the command can have none.
    ResultConflict "result-conflict" 409 "The command's state does not allow this" false;
    /// Somebody else was faster.
    VersionConflict "version-conflict" 409 "The configuration has moved on" false;
    /// The hub failed; the log says why.
    InternalError "internal-error" 500 "The hub failed" true;
}

impl ProblemType {
    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// One place in a body that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PointedError {
    /// Where, as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What would be right.
    pub detail: String,
}

/// A refusal as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:pingup:problem:<name>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is, the same words every time.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong this time, and what to do.
    pub detail: String,
    /// Whether the same request may succeed later, unchanged.
    pub retryable: bool,
    /// The hub's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_time: Option<Timestamp>,
    /// Where the body is not as it should be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<PointedError>,
    /// With `boot-retired`: the least boot that would be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_boot: Option<u64>,
    /// With `version-conflict`: the version in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_version: Option<u64>,
}

impl Problem {
    /// A refusal of `kind`, saying `detail`.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{TYPE_PREFIX}{}", kind.name()),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            retryable: kind.retryable(),
            server_time: None,
            errors: Vec::new(),
            min_boot: None,
            current_version: None,
        }
    }

    /// Which kind it is, if this version knows it.
    pub fn problem_type(&self) -> Option<ProblemType> {
        ProblemType::from_name(self.kind.strip_prefix(TYPE_PREFIX)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for &kind in ProblemType::ALL {
            assert_eq!(ProblemType::from_name(kind.name()), Some(kind));
            assert_eq!(Problem::new(kind, "x").problem_type(), Some(kind));
            assert!((400..=599).contains(&kind.status()));
        }
    }
}
