//! The file that an operator's private key lies in: JSON, its owner's alone, sealed with a passphrase unless that was not
//! wanted.
//!
//! How it is sealed is said in [`crate::storage::seal`]; the seal over the private key is bound to the public one.

use crate::{
    cli::CliError,
    storage::seal::{Cost, NONCE_BYTES, SALT_BYTES, Seal, SealError, random},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use pingup_protocol::{
    keys::Secret,
    order::{OperatorKey, PrivateKey},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const ABOUT: &str =
    "the private key of a pingup operator: with it, and its passphrase, orders are signed that agents obey";
const DOMAIN: &str = "pingup-operator-key/1\0";
/// What Argon2id takes for a new seal: 64 MiB, three times over, as RFC 9106 recommends where memory is scarce.
const COST: Cost = Cost { memory_kib: 64 * 1_024, passes: 3, lanes: 4 };
/// And at most, whatever a file says.
const COST_MAX: Cost = Cost { memory_kib: 1_024 * 1_024, passes: 16, lanes: 16 };
const FILE_MODE: u32 = 0o600;
/// Bits of a mode by which others than the owner may do anything.
const OTHERS: u32 = 0o077;
const FILE_BYTES_MAX: u64 = 16 * 1_024;

/// A key as it is put away.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    about: String,
    public_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    private_key: Option<Plain>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<Sealed>,
}

/// A private key that nothing seals.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
struct Plain(String);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sealed {
    argon2id: Cost,
    salt: String,
    nonce: String,
    private_key: String,
}

/// A key's file, read or to be written: the public half is for everyone.
pub(super) struct Kept {
    pub(super) public: OperatorKey,
    stored: Stored,
}

impl Kept {
    /// The file for `key`, sealed with `passphrase` if there is one.
    pub(super) fn new(
        key: &PrivateKey,
        public: OperatorKey,
        passphrase: Option<&str>,
    ) -> Result<Self, CliError> {
        let (private_key, sealed) = match passphrase {
            None => (Some(Plain(key.seed().to_base64())), None),
            Some(passphrase) => (None, Some(seal(key, &public, passphrase, COST)?)),
        };
        let (about, public_key) = (ABOUT.to_owned(), public.to_string());
        Ok(Self { public, stored: Stored { about, public_key, private_key, sealed } })
    }

    /// Reads the file; refuses one that others can read.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let shown = path.display();
        let failed = |error: io::Error| CliError::Failed(format!("{shown}: {error}"));
        let metadata = fs::metadata(path).map_err(failed)?;
        let mode = metadata.mode() & 0o7777;
        if mode & OTHERS != 0 {
            let what = format!("{shown} has mode {mode:04o}, so others can get at it; `chmod 600 {shown}`");
            return Err(CliError::Failed(what));
        }
        let damaged = |what: &str| CliError::Failed(format!("{shown} is no operator's key: {what}"));
        if metadata.len() > FILE_BYTES_MAX {
            return Err(damaged("it is too long"));
        }
        let text = Zeroizing::new(fs::read(path).map_err(failed)?);
        // What the parser says may repeat what it read.
        let stored: Stored = serde_json::from_slice(&text).map_err(|_| damaged("it has another form"))?;
        let public = stored.public_key.parse().map_err(|_| damaged("it has no public key"))?;
        Ok(Self { public, stored })
    }

    /// The private key; `passphrase` is asked for only where it is sealed.
    fn open(
        &self,
        passphrase: impl FnOnce() -> Result<Zeroizing<String>, CliError>,
    ) -> Result<PrivateKey, CliError> {
        let damaged = || CliError::Failed("the key's file is damaged".to_owned());
        let seed = match (&self.stored.sealed, &self.stored.private_key) {
            (Some(sealed), None) => unseal(sealed, &self.public, &passphrase()?)?,
            (None, Some(Plain(text))) => Secret::from_base64(text).ok_or_else(damaged)?,
            _ => return Err(damaged()),
        };
        let key = PrivateKey::new(&seed);
        if key.id() == self.public.id { Ok(key) } else { Err(damaged()) }
    }
}

/// The private key in `path`, and its public half.
pub(in crate::cli) fn open(
    path: &Path,
    passphrase: impl FnOnce() -> Result<Zeroizing<String>, CliError>,
) -> Result<(PrivateKey, OperatorKey), CliError> {
    let kept = Kept::read(path)?;
    Ok((kept.open(passphrase)?, kept.public))
}

/// Writes a file that was not there, for its owner alone.
pub(super) fn create_new(path: &Path, kept: &Kept) -> Result<(), CliError> {
    let failed = |error: io::Error| CliError::Failed(format!("{}: {error}", path.display()));
    let mut text = Zeroizing::new(serde_json::to_vec_pretty(&kept.stored).map_err(io::Error::from)?);
    text.push(b'\n');
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path).map_err(failed)?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)
}

fn seal(key: &PrivateKey, public: &OperatorKey, passphrase: &str, cost: Cost) -> Result<Sealed, CliError> {
    let failed = |error: SealError| CliError::Failed(format!("the key cannot be sealed: {error}"));
    let salt = random::<SALT_BYTES>().map_err(failed)?;
    let nonce = random::<NONCE_BYTES>().map_err(failed)?;
    let sealed = Seal::of(passphrase.as_bytes(), &salt, cost, COST_MAX)
        .and_then(|seal| seal.close(nonce, bound_to(public).as_bytes(), key.seed().expose()))
        .map_err(failed)?;
    Ok(Sealed {
        argon2id: cost,
        salt: STANDARD.encode(salt),
        nonce: STANDARD.encode(nonce),
        private_key: STANDARD.encode(sealed),
    })
}

fn unseal(sealed: &Sealed, public: &OperatorKey, passphrase: &str) -> Result<Secret, CliError> {
    let damaged = || CliError::Failed("the key's file is damaged".to_owned());
    let bytes = |text: &str| STANDARD.decode(text).map_err(|_| damaged());
    let nonce: [u8; NONCE_BYTES] = bytes(&sealed.nonce)?.try_into().map_err(|_| damaged())?;
    let (salt, private_key) = (bytes(&sealed.salt)?, bytes(&sealed.private_key)?);
    let opened = Seal::of(passphrase.as_bytes(), &salt, sealed.argon2id, COST_MAX)
        .and_then(|seal| seal.open(nonce, bound_to(public).as_bytes(), &private_key))
        .map_err(|error| CliError::Failed(format!("the key cannot be opened: {error}")))?;
    Secret::from_slice(&opened).ok_or_else(damaged)
}

/// The name is no part of it: people may change that.
fn bound_to(public: &OperatorKey) -> String {
    format!("{DOMAIN}{}", public.id)
}

#[cfg(test)]
mod tests;
