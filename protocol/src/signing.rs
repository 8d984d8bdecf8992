//! Signatures: HMAC-SHA256 over the canonical bytes of a body without its `signature` member.
//!
//! A receiver first [`scan`]s (strict JSON, no key needed), then [`Scanned::verify`]s; nothing typed may
//! be made of a body before both succeeded. A sender calls [`sign`], which writes canonical bytes.

use crate::{
    canonical::{self, JsonError, SIGNATURE_MEMBER},
    keys::Secret,
    problem::ProblemType,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use canonical::SignatureMember;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use std::fmt;

/// Characters of a signature's base64.
pub const SIGNATURE_CHARS: usize = 44;

/// A key ready to sign with: its keyed state is made once and cloned for every message.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// Keys the MAC with `secret`.
    pub fn new(secret: &Secret) -> Self {
        match Hmac::new_from_slice(secret.expose()) {
            Ok(keyed) => Self(keyed),
            Err(_) => unreachable!("HMAC takes keys of any length"),
        }
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Why a body was not even looked at with a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Not strict JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// No top-level `signature`.
    #[error("the body has no top-level member \"signature\"")]
    SignatureMissing,
    /// A `signature` that cannot be one.
    #[error("a signature is {SIGNATURE_CHARS} characters of base64 (32 bytes, with padding)")]
    SignatureMalformed,
}

impl ScanError {
    /// The name under which this travels.
    pub const fn problem(&self) -> ProblemType {
        match self {
            Self::Json(error) => error.problem(),
            Self::SignatureMissing => ProblemType::SignatureMissing,
            Self::SignatureMalformed => ProblemType::SignatureMalformed,
        }
    }
}

/// A body that is strict JSON and carries a signature, not verified yet.
#[derive(Debug)]
pub struct Scanned<'a> {
    signature: [u8; 32],
    signed: Signed<'a>,
}

#[derive(Debug)]
enum Signed<'a> {
    Cut([&'a [u8]; 2]),
    Rewritten(Vec<u8>),
}

impl Scanned<'_> {
    /// Whether the signature was made with `key`; takes the same time for every signature.
    pub fn verify(&self, key: &Key) -> bool {
        let mac = match &self.signed {
            Signed::Cut(parts) => key.mac(parts),
            Signed::Rewritten(bytes) => key.mac(&[bytes]),
        };
        mac.verify_slice(&self.signature).is_ok()
    }

    /// The canonical body without its signature, if it was sent in another form. To be read in place of what
    /// was sent, so that every form of a body means the same: `7.0` is `7` to a signature, and to no parser.
    pub fn into_rewritten(self) -> Option<Vec<u8>> {
        match self.signed {
            Signed::Cut(_) => None,
            Signed::Rewritten(bytes) => Some(bytes),
        }
    }
}

/// Looks through `body` without a key: strict JSON, a signature of the right form.
pub fn scan(body: &[u8]) -> Result<Scanned<'_>, ScanError> {
    match canonical::recognise(body) {
        Some(found) => {
            Ok(Scanned { signature: read_signature(found.signature)?, signed: Signed::Cut(found.signed) })
        }
        None => scan_rewriting(body),
    }
}

/// What [`scan`] does with a body that is not canonical: the slow way, open for comparing the two.
pub fn scan_rewriting(body: &[u8]) -> Result<Scanned<'_>, ScanError> {
    let canonical = canonical::rewrite(body)?;
    let signature = match &canonical.signature {
        SignatureMember::Absent => return Err(ScanError::SignatureMissing),
        SignatureMember::NotText => return Err(ScanError::SignatureMalformed),
        SignatureMember::Text(text) => read_signature(text)?,
    };
    Ok(Scanned { signature, signed: Signed::Rewritten(canonical.bytes) })
}

fn read_signature(text: &str) -> Result<[u8; 32], ScanError> {
    let mut bytes = [0; 33];
    match STANDARD.decode_slice(text, &mut bytes) {
        Ok(32) if text.len() == SIGNATURE_CHARS => {
            bytes[..32].try_into().map_err(|_| ScanError::SignatureMalformed)
        }
        _ => Err(ScanError::SignatureMalformed),
    }
}

/// Why a message could not be signed: it is not an object of strict JSON.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// It cannot be written as JSON.
    #[error("cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is JSON that the other side would refuse.
    #[error(transparent)]
    Strict(#[from] JsonError),
    /// It is no object.
    #[error("only an object can be signed")]
    NotAnObject,
    /// It holds a whole number beyond 2^53−1 (such as 1e20). Its canonical form would be refused.
    #[error("a whole number beyond 2^53-1 cannot be written canonically so that it is accepted")]
    Unacceptable,
}

/// Writes `message` as canonical JSON with its signature under `key` in place.
pub fn sign(key: &Key, message: &impl Serialize) -> Result<Vec<u8>, SignError> {
    sign_json(key, &serde_json::to_vec(message)?)
}

/// Writes the JSON object `message` canonically with its signature under `key` in place of any it had.
pub fn sign_json(key: &Key, message: &[u8]) -> Result<Vec<u8>, SignError> {
    let canonical = canonical::rewrite(message)?;
    if canonical.bytes.first() != Some(&b'{') {
        return Err(SignError::NotAnObject);
    }
    let (head, tail) = canonical.bytes.split_at(canonical.slot);
    let mut out = Vec::with_capacity(canonical.bytes.len() + SIGNATURE_CHARS + SIGNATURE_MEMBER.len() + 6);
    out.extend_from_slice(head);
    if head.len() > 1 {
        out.push(b',');
    }
    out.extend_from_slice(b"\"signature\":\"");
    out.extend_from_slice(signature_of(key, &[&canonical.bytes]).as_bytes());
    out.push(b'"');
    if head.len() == 1 && tail.len() > 1 {
        out.push(b',');
    }
    out.extend_from_slice(tail);
    match canonical::recognise(&out) {
        Some(_) => Ok(out),
        None => Err(SignError::Unacceptable),
    }
}

/// base64 of the MAC over `parts`, one after the other.
pub fn signature_of(key: &Key, parts: &[&[u8]]) -> String {
    STANDARD.encode(key.mac(parts).finalize().into_bytes())
}
