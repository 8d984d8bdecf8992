//! By what tokens are found again: the SHA-256 of their whole text.

use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
};

/// Something for each of some tokens.
pub(super) type ByDigest<T> = HashMap<TokenDigest, T, BuildHasherDefault<FirstBytes>>;

/// The digest of a token's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// That of this text.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// One that was kept.
    pub const fn kept(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// To be kept.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Hash for TokenDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// A digest is a hash already. Strangers can look for collisions, but only digests of tokens that verified are
/// kept, and nobody but the hub makes those.
#[derive(Default)]
pub(super) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u64(&mut self, first: u64) {
        self.0 = first;
    }
}
