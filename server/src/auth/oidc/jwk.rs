//! The keys that a provider publishes (RFC 7517), and what each verifies.
//!
//! A key has one algorithm, by its type. A key that cannot be used here (another type or curve, another algorithm, made for
//! encryption, or published with its secret half) is left out; the others count. Two keys of one name are none.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Keys that a provider may publish.
pub(super) const KEYS_MAX: usize = 64;
/// Bytes of an RSA modulus: 8192 bits.
const MODULUS_BYTES_MAX: usize = 1_024;
/// Bytes of an RSA exponent: larger ones only make verifying slow.
const EXPONENT_BYTES_MAX: usize = 8;
/// Bytes of a coordinate on P-256, and of an Ed25519 key.
const COORDINATE_BYTES: usize = 32;
/// What a point that is written with both its coordinates begins with (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm of that name (RFC 7518, RFC 8037).
    pub(super) fn from_word(word: &str) -> Option<Self> {
        match word {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A key that verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Modulus and exponent.
    Rs256 {
        /// The modulus, big-endian.
        n: Vec<u8>,
        /// The exponent, big-endian.
        e: Vec<u8>,
    },
    /// The point, uncompressed.
    Es256(Vec<u8>),
    /// The point.
    EdDsa(Vec<u8>),
}

impl Key {
    pub(super) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rs256 { .. } => Algorithm::Rs256,
            Self::Es256(_) => Algorithm::Es256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// Whether `signature` over `message` is this key's.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Self::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Self::EdDsa(point) => UnparsedPublicKey::new(&ED25519, point).verify(message, signature),
        }
        .is_ok()
    }
}

/// Keys by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeySet(HashMap<String, Option<Key>>);

/// What was published is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeySetError {
    #[error("the keys are not a JSON Web Key Set")]
    Malformed,
    #[error("more than {KEYS_MAX} keys are published")]
    TooMany,
}

#[derive(Deserialize)]
struct Published<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<IgnoredAny>,
}

impl KeySet {
    /// Reads what a provider publishes.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, KeySetError> {
        let Published { keys } = serde_json::from_slice(bytes).map_err(|_| KeySetError::Malformed)?;
        if keys.len() > KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let mut named = HashMap::new();
        for key in keys {
            // One that is of no use, or cannot be read, takes none of the others with it.
            let Ok(jwk) = serde_json::from_str::<Jwk>(key.get()) else { continue };
            if let (Some(key), Some(kid)) = (jwk.key(), jwk.kid) {
                named.entry(kid).and_modify(|twice| *twice = None).or_insert(Some(key));
            }
        }
        Ok(Self(named))
    }

    /// The key of that name, if there is one and no other.
    pub(super) fn get(&self, kid: &str) -> Option<&Key> {
        self.0.get(kid)?.as_ref()
    }

    /// Whether any key goes by that name.
    pub(super) fn names(&self, kid: &str) -> bool {
        self.0.contains_key(kid)
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Jwk {
    /// The key that verifies, if it is one for that.
    fn key(&self) -> Option<Key> {
        let signs = self.r#use.as_deref().is_none_or(|r#use| r#use == "sig");
        let verifies = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        // Who publishes a secret has none any more.
        if !signs || !verifies || self.d.is_some() {
            return None;
        }
        let key = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => {
                Key::Rs256 { n: number(&self.n, MODULUS_BYTES_MAX)?, e: number(&self.e, EXPONENT_BYTES_MAX)? }
            }
            ("EC", Some("P-256")) => {
                Key::Es256([vec![UNCOMPRESSED], coordinate(&self.x)?, coordinate(&self.y)?].concat())
            }
            ("OKP", Some("Ed25519")) => Key::EdDsa(coordinate(&self.x)?),
            _ => return None,
        };
        let fits = self.alg.as_deref().is_none_or(|alg| Algorithm::from_word(alg) == Some(key.algorithm()));
        fits.then_some(key)
    }
}

fn number(member: &Option<String>, bytes_max: usize) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(member.as_deref()?).ok()?;
    (!bytes.is_empty() && bytes.len() <= bytes_max).then_some(bytes)
}

fn coordinate(member: &Option<String>) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(member.as_deref()?).ok()?;
    (bytes.len() == COORDINATE_BYTES).then_some(bytes)
}
