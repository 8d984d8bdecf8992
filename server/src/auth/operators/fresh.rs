//! Tokens as they are written: random, signed by this hub, and shown once.

use crate::auth::{
    digest::TokenDigest,
    role::{Operator, Role},
    token::{IssueError, OperatorToken, Tokens},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use pingup_protocol::time::Timestamp;
use std::fmt;

/// Random bytes of each token.
const KEY_BYTES: usize = 32;
/// Characters of a made identifier: 95 bits' worth.
pub(super) const ID_CHARS: usize = 16;
const ID_ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random letters and digits, each as likely as the other.
pub fn random_id() -> Result<String, getrandom::Error> {
    let mut id = String::with_capacity(ID_CHARS);
    while id.len() < ID_CHARS {
        let mut bytes = [0; 2 * ID_CHARS];
        getrandom::fill(&mut bytes)?;
        // Six bits make 64 values; the two beyond the alphabet are thrown away rather than folded in.
        let letters =
            bytes.iter().filter_map(|byte| ID_ALPHABET.get(usize::from(byte & 63))).map(|&b| char::from(b));
        id.extend(letters.take(ID_CHARS - id.len()));
    }
    Ok(id)
}

/// Why a token could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FreshError {
    /// Its signature.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// Its random bits.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// A token that was just written: it is good once its row is kept.
pub struct Fresh {
    /// For whoever asked, once. Secret.
    pub text: String,
    /// What it says.
    pub token: OperatorToken,
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fresh({})", self.token.id)
    }
}

impl Fresh {
    /// A token for an operator, good for at least so many seconds from `now`: it begins and ends with a whole second.
    pub fn write(
        tokens: &Tokens,
        operator: Operator,
        seconds: i64,
        now: Timestamp,
    ) -> Result<Self, FreshError> {
        let whole = |micros: i64| Timestamp::from_micros(micros.div_euclid(1_000_000) * 1_000_000);
        let (made_at, next) = (whole(now.as_micros()), whole(now.as_micros().saturating_add(999_999)));
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key)?;
        let token =
            OperatorToken { id: random_id()?, operator, made_at, expires_at: next.plus_seconds(seconds) };
        Ok(Self { text: tokens.issue_operator(&token, Some(&URL_SAFE_NO_PAD.encode(key)))?, token })
    }

    /// By which it will be known.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(&self.text)
    }
}

impl Role {
    /// How long a token lives unless said otherwise, in seconds: half a day for those that change something, a month
    /// for those that programs look and write with.
    pub const fn ttl_seconds(self) -> i64 {
        match self {
            Self::Operator | Self::Admin => 12 * 3_600,
            Self::Scrape | Self::Writer | Self::Viewer => 30 * 24 * 3_600,
        }
    }
}
