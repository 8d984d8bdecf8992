//! A signed JWT in its compact form (RFC 7515, RFC 7519), taken apart. Nothing of it is believed before [`Letter::verify`].

use super::{
    OidcError,
    jwk::{Algorithm, KeySet},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use pingup_protocol::limits::HEADER_BYTES_MAX;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

/// Bytes of a token that is looked at: tokens that list many groups are some thousand bytes long.
const TOKEN_BYTES_MAX: usize = 12 * 1024;
const _: () = assert!(TOKEN_BYTES_MAX < HEADER_BYTES_MAX, "it comes in a header");
/// Bytes of a key's name.
const KID_BYTES_MAX: usize = 256;
/// What a token may say that it is: an ID token, or an access token (RFC 9068). Others are for other doors.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// The header's members that count. Any other, such as a key that came along, is not looked at.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Issuer {
    iss: String,
}

/// A token taken apart.
pub(super) struct Letter<'a> {
    algorithm: Algorithm,
    /// Which key it says that it is signed with.
    pub(super) kid: String,
    signed: &'a str,
    signature: Vec<u8>,
    /// What it says.
    pub(super) claims: Map<String, Value>,
}

/// Who a token says it comes from, if it is one.
pub(super) fn claimed_issuer(token: &str) -> Option<String> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok().map(|Issuer { iss }| iss)
}

impl<'a> Letter<'a> {
    /// Takes a token apart.
    pub(super) fn read(token: &'a str) -> Result<Self, OidcError> {
        let malformed = OidcError::Invalid("it is not a signed JWT");
        if token.len() > TOKEN_BYTES_MAX {
            return Err(OidcError::Invalid("it is too long"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed);
        };
        let signed = token.get(..header.len() + 1 + claims.len()).ok_or(malformed.clone())?;
        let bytes = |part| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed.clone());
        let header: Header = serde_json::from_slice(&bytes(header)?).map_err(|_| malformed.clone())?;
        let claims = serde_json::from_slice(&bytes(claims)?).map_err(|_| malformed.clone())?;
        let signature = bytes(signature)?;
        let (algorithm, kid) = header.check()?;
        Ok(Self { algorithm, kid, signed, signature, claims })
    }

    /// Checks that the key which it names signed it.
    pub(super) fn verify(&self, keys: &KeySet) -> Result<(), OidcError> {
        let key = keys.get(&self.kid).ok_or(OidcError::Invalid("no key of the provider signed it"))?;
        if key.algorithm() != self.algorithm {
            return Err(OidcError::Invalid("its algorithm is not that of its key"));
        }
        if !key.verifies(self.signed.as_bytes(), &self.signature) {
            return Err(OidcError::Invalid("its signature does not verify"));
        }
        Ok(())
    }
}

impl Header {
    fn check(self) -> Result<(Algorithm, String), OidcError> {
        let algorithm = Algorithm::from_word(&self.alg)
            .ok_or(OidcError::Invalid("its algorithm is not RS256, ES256 or EdDSA"))?;
        // What a token calls critical must be understood (RFC 7515, section 4.1.11), and nothing of the kind is.
        if self.crit.is_some() || self.b64.is_some() {
            return Err(OidcError::Invalid("it asks for an extension"));
        }
        if self.typ.is_some_and(|typ| !TYPES.contains(&typ.to_ascii_lowercase().as_str())) {
            return Err(OidcError::Invalid("its type is neither that of an access token nor of an ID token"));
        }
        let kid = self.kid.filter(|kid| !kid.is_empty() && kid.len() <= KID_BYTES_MAX);
        Ok((algorithm, kid.ok_or(OidcError::Invalid("it does not name its key"))?))
    }
}
