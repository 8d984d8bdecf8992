//! What a passphrase seals: argon2id makes a key of it, AES-256-GCM seals with that. The one place for both, whatever the
//! file looks like that the seal lies in.
//!
//! Refuses, before anything is allocated, to open what asks for more memory or time than is given for it: the numbers come
//! from a file.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use pingup_protocol::keys::KEY_BYTES;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};
use zeroize::Zeroizing;

/// Bytes of a salt, by which one passphrase makes many keys.
pub const SALT_BYTES: usize = 16;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = NONCE_LEN;
/// Bytes that a sealed secret is longer than it was.
pub const TAG_BYTES: usize = 16;

/// A passphrase: wiped when dropped.
pub type Passphrase = Zeroizing<Vec<u8>>;

/// What argon2id takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// How often over all of it.
    pub passes: u32,
    /// How many at once.
    pub lanes: u32,
}

impl Cost {
    const fn is_within(self, most: Self) -> bool {
        self.memory_kib <= most.memory_kib && self.passes <= most.passes && self.lanes <= most.lanes
    }
}

/// Why something cannot be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It asks for more than is given.
    #[error("opening it would take more memory or time than is given for it")]
    TooDear,
    /// The key is another, or a byte of what was sealed.
    #[error("the passphrase is wrong, or the file is damaged")]
    Wrong,
    /// Parameters that nothing can be made of, or no random bytes.
    #[error("it can be neither sealed nor opened here: {0}")]
    Broken(String),
}

fn broken(error: &dyn Display) -> SealError {
    SealError::Broken(error.to_string())
}

/// A key that seals and opens.
pub struct Seal(LessSafeKey);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    /// The key that `passphrase` makes with `salt` at this cost, if that is not above `most`.
    pub fn of(passphrase: &[u8], salt: &[u8], cost: Cost, most: Cost) -> Result<Self, SealError> {
        if !cost.is_within(most) {
            return Err(SealError::TooDear);
        }
        let Cost { memory_kib, passes, lanes } = cost;
        let params =
            Params::new(memory_kib, passes, lanes, Some(KEY_BYTES)).map_err(|error| broken(&error))?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase, salt, key.as_mut_slice())
            .map_err(|error| broken(&error))?;
        Self::with(&key)
    }

    /// The key of these bytes.
    pub fn with(key: &[u8; KEY_BYTES]) -> Result<Self, SealError> {
        UnboundKey::new(&AES_256_GCM, key)
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| broken(&"AES-GCM"))
    }

    /// `secret`, sealed, of no use without `bound_to`. No two are sealed with one key and one nonce.
    pub fn close(
        &self,
        nonce: [u8; NONCE_BYTES],
        bound_to: &[u8],
        secret: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        // Room for the tag, or the secret would be left behind where the bytes were before.
        let mut sealed = Zeroizing::new(Vec::with_capacity(secret.len() + TAG_BYTES));
        sealed.extend_from_slice(secret);
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_append_tag(nonce, Aad::from(bound_to), &mut *sealed)
            .map_err(|_| broken(&"AES-GCM"))?;
        Ok(std::mem::take(&mut *sealed))
    }

    /// What was sealed, if it was with this key, this nonce and this `bound_to`, and no byte is another.
    pub fn open(
        &self,
        nonce: [u8; NONCE_BYTES],
        bound_to: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(bound_to), &mut bytes);
        let length = opened.map_err(|_| SealError::Wrong)?.len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// Random bytes, for a salt and a nonce.
pub fn random<const BYTES: usize>() -> Result<[u8; BYTES], SealError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| broken(&error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    #[test]
    fn what_was_sealed_opens_with_all_that_it_was_sealed_with() {
        let seal = |passphrase: &[u8], salt| Seal::of(passphrase, &[salt; SALT_BYTES], CHEAP, CHEAP).unwrap();
        let sealed = seal(b"open", 1).close([2; NONCE_BYTES], b"here", b"secret").unwrap();
        assert_eq!(sealed.len(), 6 + TAG_BYTES);
        let open = |seal: &Seal, nonce, bound_to: &[u8]| seal.open([nonce; NONCE_BYTES], bound_to, &sealed);
        assert_eq!(*open(&seal(b"open", 1), 2, b"here").unwrap(), b"secret");
        for wrong in [
            open(&seal(b"opem", 1), 2, b"here"),
            open(&seal(b"open", 9), 2, b"here"),
            open(&seal(b"open", 1), 9, b"here"),
            open(&seal(b"open", 1), 2, b"there"),
        ] {
            assert_eq!(wrong.unwrap_err(), SealError::Wrong);
        }
    }

    #[test]
    fn what_asks_for_too_much_or_for_nothing_is_refused_before_anything_is_done() {
        let most = Cost { memory_kib: 64, passes: 2, lanes: 2 };
        let refusal = |cost| Seal::of(b"x", &[0; SALT_BYTES], cost, most).unwrap_err();
        for cost in [
            Cost { memory_kib: 65, ..CHEAP },
            Cost { memory_kib: u32::MAX, ..CHEAP },
            Cost { passes: 3, ..CHEAP },
            Cost { lanes: 3, ..CHEAP },
        ] {
            assert_eq!(refusal(cost), SealError::TooDear);
        }
        for cost in [Cost { memory_kib: 0, ..CHEAP }, Cost { passes: 0, ..CHEAP }, Cost { lanes: 0, ..CHEAP }]
        {
            assert!(matches!(refusal(cost), SealError::Broken(_)));
        }
    }
}
