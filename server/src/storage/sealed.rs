//! A secret in a file of its own, sealed with a passphrase.
//!
//! ```text
//! "PGUPSEAL" version u8 · memory KiB u32be · passes u32be · lanes u32be · salt 16 · nonce 12 · the secret, sealed n + 16
//! ```
//!
//! Everything before the sealed secret is authenticated with it, and behind that what it is for: one file cannot stand in
//! for another. The parameters are in the file, so that others can be taken later; a file that asks for more than this hub
//! would give is refused before anything is allocated.

use super::{
    StorageError,
    seal::{Cost, NONCE_BYTES, Passphrase, SALT_BYTES, Seal, SealError, TAG_BYTES, random},
};
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"PGUPSEAL";
const VERSION: u8 = 1;
/// What opening takes: 19 MiB once, which are given back, and some tens of milliseconds.
const COST: Cost = Cost { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
/// The most that a file may ask for: the hub's promise about its memory holds for it too.
const COST_MAX: Cost = Cost { memory_kib: 64 * 1024, passes: 16, lanes: 4 };
const SALT_AT: usize = MAGIC.len() + 1 + 3 * 4;
const NONCE_AT: usize = SALT_AT + SALT_BYTES;
const SEALED_AT: usize = NONCE_AT + NONCE_BYTES;

/// What the master key's seal is for: it has no name, as it was the first.
pub(super) const MASTER: &str = "";

/// Bytes of the file of a secret that has so many.
pub(super) const fn file_bytes(secret_bytes: usize) -> usize {
    SEALED_AT + secret_bytes + TAG_BYTES
}

/// Whether a file with this content holds a sealed secret, whole or not.
pub(super) fn is_sealed(content: &[u8]) -> bool {
    content.starts_with(MAGIC)
}

/// `secret`, sealed for `purpose`: the content of its file.
pub(super) fn seal(secret: &[u8], purpose: &str, passphrase: &Passphrase) -> Result<Vec<u8>, StorageError> {
    let (salt, nonce) = (random::<SALT_BYTES>().map_err(told)?, random::<NONCE_BYTES>().map_err(told)?);
    let mut content = Vec::with_capacity(file_bytes(secret.len()));
    content.extend_from_slice(MAGIC);
    content.push(VERSION);
    let Cost { memory_kib, passes, lanes } = COST;
    [memory_kib, passes, lanes].iter().for_each(|number| content.extend_from_slice(&number.to_be_bytes()));
    content.extend_from_slice(&salt);
    content.extend_from_slice(&nonce);
    let seal = Seal::of(passphrase, &salt, COST, COST_MAX).map_err(told)?;
    let sealed = seal.close(nonce, &bound_to(&content, purpose), secret).map_err(told)?;
    content.extend_from_slice(&sealed);
    Ok(content)
}

/// The secret in a file of this content, if it was sealed for `purpose`; a refusal in plain words where the passphrase is
/// another, or a byte of it is.
pub(super) fn open(
    content: &[u8],
    purpose: &str,
    passphrase: &Passphrase,
) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    let unknown =
        || StorageError::Folder("it is sealed in a form that this version does not know".to_owned());
    let (head, sealed) = content.split_at_checked(SEALED_AT).ok_or_else(unknown)?;
    if head[MAGIC.len()] != VERSION {
        return Err(unknown());
    }
    let number = |place: usize| {
        let at = MAGIC.len() + 1 + 4 * place;
        head[at..at + 4].iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
    };
    let cost = Cost { memory_kib: number(0), passes: number(1), lanes: number(2) };
    let nonce = head[NONCE_AT..].try_into().map_err(|_| unknown())?;
    let seal = Seal::of(passphrase, &head[SALT_AT..NONCE_AT], cost, COST_MAX).map_err(told)?;
    seal.open(nonce, &bound_to(head, purpose), sealed).map_err(told)
}

fn bound_to(head: &[u8], purpose: &str) -> Vec<u8> {
    [head, purpose.as_bytes()].concat()
}

fn told(error: SealError) -> StorageError {
    StorageError::Folder(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    fn passphrase(text: &str) -> Passphrase {
        Zeroizing::new(text.as_bytes().to_vec())
    }

    fn sealed(purpose: &str) -> Vec<u8> {
        seal(&SECRET, purpose, &passphrase("correct horse")).unwrap()
    }

    #[test]
    fn what_was_sealed_is_opened_by_the_same_passphrase_for_the_same_purpose_and_no_other() {
        let content = sealed("a");
        assert!(is_sealed(&content) && content.len() == file_bytes(SECRET.len()));
        assert!(!content.windows(SECRET.len()).any(|bytes| bytes == SECRET));
        assert_eq!(*open(&content, "a", &passphrase("correct horse")).unwrap(), SECRET);
        for (purpose, text) in [("a", "battery staple"), ("b", "correct horse"), ("", "correct horse")] {
            let wrong = open(&content, purpose, &passphrase(text)).unwrap_err().to_string();
            assert!(wrong.contains("the passphrase is wrong"), "{wrong}");
        }
        assert_ne!(content, sealed("a"), "salt and nonce are fresh");
    }

    /// A hub's key must open for as long as there are hubs.
    #[test]
    fn a_master_key_that_an_earlier_version_sealed_is_opened() {
        let hex = include_str!("sealed/of_version_1.hex").trim();
        let content: Vec<_> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        assert_eq!(*open(&content, MASTER, &passphrase("correct horse")).unwrap(), SECRET);
    }

    #[test]
    fn no_byte_of_it_can_be_another() {
        let content = sealed(MASTER);
        // One of each field; those of the parameters are tried below.
        for at in [0, 8, SALT_AT, NONCE_AT, SEALED_AT, content.len() - 1] {
            let mut changed = content.clone();
            changed[at] ^= 1;
            let opened = open(&changed, MASTER, &passphrase("correct horse"));
            assert!(!is_sealed(&changed) || opened.is_err(), "byte {at}");
        }
        for bytes in [MAGIC.len(), SEALED_AT, SEALED_AT + 1, content.len() - 1] {
            assert!(open(&content[..bytes], MASTER, &passphrase("correct horse")).is_err(), "{bytes} bytes");
        }
    }

    #[test]
    fn a_file_that_asks_for_too_much_is_refused_before_anything_is_done() {
        let content = sealed(MASTER);
        let most = [COST_MAX.memory_kib, COST_MAX.passes, COST_MAX.lanes];
        for (place, most) in most.into_iter().enumerate() {
            let mut changed = content.clone();
            let at = MAGIC.len() + 1 + 4 * place;
            changed[at..at + 4].copy_from_slice(&(most + 1).to_be_bytes());
            let refused = open(&changed, MASTER, &passphrase("x")).unwrap_err().to_string();
            assert!(refused.contains("more memory or time"), "{refused}");
            changed[at..at + 4].copy_from_slice(&0_u32.to_be_bytes());
            assert!(open(&changed, MASTER, &passphrase("x")).is_err(), "nor for nothing");
        }
    }
}
