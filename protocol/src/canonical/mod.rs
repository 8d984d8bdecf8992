//! Strict I-JSON in, RFC 8785 (JCS) out: the bytes that a signature covers.
//!
//! Two ways lead to them, and they accept exactly the same set:
//! - [`recognise`] finds a body that is canonical already and says where its signature stands, without
//!   allocating; it refuses nothing, it only does not recognise;
//! - [`rewrite`] accepts any JSON form, says precisely what is wrong with a bad one, and writes the
//!   canonical bytes.
//!
//! Refused: duplicate names at any depth, lone surrogates, invalid UTF-8, a byte-order mark, integers
//! (no fraction, no exponent) beyond ±(2^53−1), numbers that overflow a double, trailing bytes, and
//! whatever passes a limit of [`crate::limits`].

mod decimal;
mod number;
mod recognise;
mod rewrite;
mod scanner;

pub(crate) use decimal::Decimal;
pub use recognise::{Recognised, recognise};
pub use rewrite::{Canonical, SignatureMember, rewrite};
pub(crate) use scanner::ordinary_end;

use crate::problem::ProblemType;

/// Why bytes are not JSON that may be signed. `at` is a byte offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or more than one value.
    #[error("not JSON at byte {at}: {expected} expected")]
    Malformed {
        /// Where.
        at: usize,
        /// What would have been right.
        expected: &'static str,
    },
    /// Invalid UTF-8, a byte-order mark, or half a surrogate pair.
    #[error("not Unicode text at byte {at}")]
    InvalidUnicode {
        /// Where.
        at: usize,
    },
    /// A name twice in one object.
    #[error("the member {name:?} stands twice in one object, which ends at byte {at}")]
    DuplicateMember {
        /// Which, cut to 64 characters.
        name: String,
        /// Where the object ends.
        at: usize,
    },
    /// Deeper than [`crate::limits::DEPTH_MAX`].
    #[error("nested deeper than {} at byte {at}", crate::limits::DEPTH_MAX)]
    TooDeep {
        /// Where.
        at: usize,
    },
    /// An integer beyond ±(2^53−1), or a number that overflows a double.
    #[error("the number at byte {at} is out of range")]
    NumberOutOfRange {
        /// Where.
        at: usize,
    },
    /// More members than [`crate::limits::MEMBERS_MAX`].
    #[error("an object has more than {} members at byte {at}", crate::limits::MEMBERS_MAX)]
    TooManyMembers {
        /// Where.
        at: usize,
    },
    /// A string longer than [`crate::limits::STRING_BYTES_MAX`].
    #[error("a string is longer than {} bytes at byte {at}", crate::limits::STRING_BYTES_MAX)]
    StringTooLong {
        /// Where.
        at: usize,
    },
}

impl JsonError {
    /// The name under which this travels.
    pub const fn problem(&self) -> ProblemType {
        match self {
            Self::Malformed { .. } => ProblemType::MalformedJson,
            Self::InvalidUnicode { .. } => ProblemType::InvalidUnicode,
            Self::DuplicateMember { .. } => ProblemType::DuplicateMember,
            Self::TooDeep { .. } => ProblemType::NestingTooDeep,
            Self::NumberOutOfRange { .. } => ProblemType::NumberOutOfRange,
            Self::TooManyMembers { .. } | Self::StringTooLong { .. } => ProblemType::SchemaInvalid,
        }
    }
}

/// The name of the member that a signature leaves out.
pub const SIGNATURE_MEMBER: &str = "signature";
