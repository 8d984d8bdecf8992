//! A key sealed with a passphrase: argon2id makes a key of the passphrase, AES-256-GCM seals with that.
//!
//! ```text
//! "PGUPSEAL" version u8 · memory KiB u32be · passes u32be · lanes u32be · salt 16 · nonce 12 · the key, sealed 32 + 16
//! ```
//!
//! Everything before the sealed key is authenticated with it. The parameters are in the file, so that others can be taken
//! later; a file that asks for more than this hub would give is refused before anything is allocated.

use super::super::StorageError;
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use pingup_protocol::keys::{KEY_BYTES, Secret};
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"PGUPSEAL";
const VERSION: u8 = 1;
/// What opening takes: 19 MiB once, which are given back, and some tens of milliseconds.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// The most that a file may ask for: the hub's promise about its memory holds for it too.
const MEMORY_KIB_MAX: u32 = 64 * 1024;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 4;
const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
const SALT_AT: usize = MAGIC.len() + 1 + 3 * 4;
const NONCE_AT: usize = SALT_AT + SALT_BYTES;
const SEALED_AT: usize = NONCE_AT + NONCE_LEN;
/// Bytes of a sealed key's file.
pub(super) const FILE_BYTES: usize = SEALED_AT + KEY_BYTES + TAG_BYTES;

/// A passphrase: wiped when dropped.
pub(super) type Passphrase = Zeroizing<Vec<u8>>;

/// Whether a file with this content holds a sealed key, whole or not.
pub(super) fn is_sealed(content: &[u8]) -> bool {
    content.starts_with(MAGIC)
}

/// `secret`, sealed: the content of its file.
pub(super) fn seal(secret: &Secret, passphrase: &Passphrase) -> Result<Vec<u8>, StorageError> {
    let mut random = [0; SALT_BYTES + NONCE_LEN];
    getrandom::fill(&mut random).map_err(|error| broken(&error))?;
    let mut content = Vec::with_capacity(FILE_BYTES);
    content.extend_from_slice(MAGIC);
    content.push(VERSION);
    [MEMORY_KIB, PASSES, LANES].iter().for_each(|number| content.extend_from_slice(&number.to_be_bytes()));
    content.extend_from_slice(&random);
    let (key, nonce) = opener(&content, passphrase)?;
    let mut sealed = Zeroizing::new(secret.expose().to_vec());
    // Room for the tag, or the key would be left behind where the bytes were before.
    sealed.reserve_exact(TAG_BYTES);
    key.seal_in_place_append_tag(nonce, Aad::from(&content[..SEALED_AT]), &mut *sealed)
        .map_err(|_| broken(&"AES-GCM"))?;
    content.extend_from_slice(&sealed);
    Ok(content)
}

/// The key in a file of this content; a refusal in plain words where the passphrase is another, or a byte of it is.
pub(super) fn open(content: &[u8], passphrase: &Passphrase) -> Result<Secret, StorageError> {
    if content.len() != FILE_BYTES || content[MAGIC.len()] != VERSION {
        return Err(StorageError::Folder(
            "it is sealed in a form that this version does not know".to_owned(),
        ));
    }
    let (key, nonce) = opener(content, passphrase)?;
    let mut sealed = Zeroizing::new(content[SEALED_AT..].to_vec());
    let opened = key.open_in_place(nonce, Aad::from(&content[..SEALED_AT]), &mut sealed);
    let opened = opened.ok().and_then(|bytes| Secret::from_slice(bytes));
    opened.ok_or_else(|| StorageError::Folder("the passphrase is wrong, or the file is damaged".to_owned()))
}

/// What seals and opens by the parameters that `content` begins with.
fn opener(content: &[u8], passphrase: &Passphrase) -> Result<(LessSafeKey, Nonce), StorageError> {
    let number = |place: usize| {
        let at = MAGIC.len() + 1 + 4 * place;
        content[at..at + 4].iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
    };
    let (memory, passes, lanes) = (number(0), number(1), number(2));
    if memory > MEMORY_KIB_MAX || passes > PASSES_MAX || lanes > LANES_MAX {
        return Err(StorageError::Folder(
            "opening it would take more memory or time than a hub has".to_owned(),
        ));
    }
    let params = Params::new(memory, passes, lanes, Some(KEY_BYTES)).map_err(|error| broken(&error))?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, &content[SALT_AT..NONCE_AT], key.as_mut_slice())
        .map_err(|error| broken(&error))?;
    let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| broken(&"AES-GCM"))?;
    let nonce =
        Nonce::try_assume_unique_for_key(&content[NONCE_AT..SEALED_AT]).map_err(|_| broken(&"AES-GCM"))?;
    Ok((LessSafeKey::new(key), nonce))
}

fn broken(error: &dyn std::fmt::Display) -> StorageError {
    StorageError::Folder(format!("it can be neither sealed nor opened here: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Zeroizing::new(text.as_bytes().to_vec())
    }

    fn secret() -> Secret {
        Secret::new([7; KEY_BYTES])
    }

    #[test]
    fn what_was_sealed_is_opened_by_the_same_passphrase_and_no_other() {
        let content = seal(&secret(), &passphrase("correct horse")).unwrap();
        assert!(is_sealed(&content) && content.len() == FILE_BYTES);
        assert!(!content.windows(KEY_BYTES).any(|bytes| bytes == secret().expose()));
        assert_eq!(open(&content, &passphrase("correct horse")).unwrap(), secret());
        let wrong = open(&content, &passphrase("battery staple")).unwrap_err().to_string();
        assert!(wrong.contains("the passphrase is wrong"), "{wrong}");
        assert_ne!(
            content,
            seal(&secret(), &passphrase("correct horse")).unwrap(),
            "salt and nonce are fresh"
        );
    }

    #[test]
    fn no_byte_of_it_can_be_another() {
        let content = seal(&secret(), &passphrase("x")).unwrap();
        // One of each field; those of the parameters are tried below.
        for at in [0, 8, SALT_AT, NONCE_AT, SEALED_AT, FILE_BYTES - 1] {
            let mut changed = content.clone();
            changed[at] ^= 1;
            assert!(!is_sealed(&changed) || open(&changed, &passphrase("x")).is_err(), "byte {at}");
        }
        assert!(open(&content[..FILE_BYTES - 1], &passphrase("x")).is_err());
    }

    #[test]
    fn a_file_that_asks_for_too_much_is_refused_before_anything_is_done() {
        let content = seal(&secret(), &passphrase("x")).unwrap();
        for (place, most) in [(0, MEMORY_KIB_MAX), (1, PASSES_MAX), (2, LANES_MAX)] {
            let mut changed = content.clone();
            let at = MAGIC.len() + 1 + 4 * place;
            changed[at..at + 4].copy_from_slice(&(most + 1).to_be_bytes());
            let refused = open(&changed, &passphrase("x")).unwrap_err().to_string();
            assert!(refused.contains("more memory or time"), "{refused}");
            changed[at..at + 4].copy_from_slice(&0_u32.to_be_bytes());
            assert!(open(&changed, &passphrase("x")).is_err(), "nor for nothing");
        }
    }
}
