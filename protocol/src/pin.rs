//! Pins: by which an agent knows its hub again over TLS, with no authority between them.
//!
//! A pin is the SHA-256 of the public key in the hub's certificate (its SubjectPublicKeyInfo, RFC 5280 §4.1), written as
//! curl and RFC 7469 have it: `sha256//` and base64. It stays the same when the certificate is renewed for the same key.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

const PREFIX: &str = "sha256//";
/// Bytes of a SHA-256.
const DIGEST_BYTES: usize = 32;

/// The fingerprint of a public key. No secret: it says who may answer, and opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pin([u8; DIGEST_BYTES]);

/// Why a text is no pin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pin is sha256// and the base64 of 32 bytes, as the hub prints it when it starts")]
pub struct PinError;

impl Pin {
    /// The pin of a public key, given as DER of its SubjectPublicKeyInfo.
    pub fn of(public_key_info: &[u8]) -> Self {
        Self(Sha256::digest(public_key_info).into())
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(PinError)?;
        let digest = STANDARD.decode(encoded).map_err(|_| PinError)?;
        digest.try_into().map(Self).map_err(|_| PinError)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_written() {
        let pin = Pin::of(b"");
        assert_eq!(pin.to_string(), "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(pin.to_string().parse(), Ok(pin));
        assert_ne!(Pin::of(b"a key"), pin);
    }

    #[test]
    fn what_is_no_pin_is_refused() {
        for text in [
            "",
            "sha256//",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
            "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuA==",
            "sha1//2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
        ] {
            assert_eq!(text.parse::<Pin>(), Err(PinError), "{text:?}");
        }
    }
}
