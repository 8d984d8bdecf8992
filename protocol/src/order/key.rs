//! Operators' keys: Ed25519 (RFC 8032). A public key is one line of text and its own name; the private one stays with
//! its operator.

use crate::keys::{KEY_BYTES, Secret};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt, str::FromStr};

/// What a public key begins with.
const PREFIX: &str = "pok_";
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;
/// Characters of a key's name.
const NAME_CHARS_MAX: usize = 64;

/// A public key, which is what its owner is known by: it is as short as a hash of it would be.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct KeyId([u8; KEY_BYTES]);

/// Why a text is no public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an operator's key is {PREFIX} and 43 characters, as `pingup-server operator-key show` prints it")]
pub struct KeyIdError;

impl KeyId {
    /// The key itself.
    pub const fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Whether this key signed `message`. Strict: one message has one signature of a key, and keys for which others could
    /// be made up are not taken.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(KeyIdError)?;
        let bytes: [u8; KEY_BYTES] =
            URL_SAFE_NO_PAD.decode(encoded).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(KeyIdError)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyIdError)?;
        // Of a few bytes every signature is one.
        if key.is_weak() { Err(KeyIdError) } else { Ok(Self(bytes)) }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.as_bytes()))
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// What people call a key: 1 to 64 characters of `A–Z a–z 0–9 . _ @ -`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName(Box<str>);

impl KeyName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = OperatorKeyError;

    fn from_str(text: &str) -> Result<Self, OperatorKeyError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'@' | b'-');
        match (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed) {
            true => Ok(Self(text.into())),
            false => Err(OperatorKeyError::Name),
        }
    }
}

/// A public key and what people call it: the line that goes into an agent's file, `pok_…` and perhaps a name behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorKey {
    /// The key.
    pub id: KeyId,
    /// For people; decides nothing.
    pub name: Option<KeyName>,
}

/// Why a line is no operator's key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorKeyError {
    /// It does not begin with a key.
    #[error(transparent)]
    Key(#[from] KeyIdError),
    /// What follows is no name.
    #[error("a key's name is 1 to {NAME_CHARS_MAX} characters of A–Z a–z 0–9 . _ @ -")]
    Name,
}

impl FromStr for OperatorKey {
    type Err = OperatorKeyError;

    fn from_str(line: &str) -> Result<Self, OperatorKeyError> {
        let line = line.trim();
        let (key, name) = match line.split_once(' ') {
            Some((key, name)) => (key, Some(name.trim_start().parse()?)),
            None => (line, None),
        };
        Ok(Self { id: key.parse()?, name })
    }
}

impl fmt::Display for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " {}", name.as_str()))
    }
}

/// A signature of an order; in text, 88 characters of base64.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct Signature([u8; SIGNATURE_BYTES]);

impl Signature {
    /// The signature of these bytes.
    pub const fn new(bytes: [u8; SIGNATURE_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", STANDARD.encode(self.0))
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| de::Error::custom("88 characters of base64 (64 bytes, with padding) expected"))
    }
}

/// The private half. It is wiped when it goes, and cannot be printed.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// The key of this seed (RFC 8032): any 32 bytes that nobody can guess.
    pub fn new(seed: &Secret) -> Self {
        Self(SigningKey::from_bytes(seed.expose()))
    }

    /// The public half.
    pub fn id(&self) -> KeyId {
        KeyId(self.0.verifying_key().to_bytes())
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }

    /// The seed, to be put away.
    pub fn seed(&self) -> Secret {
        Secret::new(self.0.to_bytes())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(of {})", self.id())
    }
}
