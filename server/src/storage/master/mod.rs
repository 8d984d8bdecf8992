//! The master key's file: 32 random bytes that every other key comes from, plain or sealed with a passphrase.
//!
//! Promises: it appears whole or not at all, synced to disk before anyone is given a key made from it, and
//! two processes that make it at once end up with the same. Refuses to read one that anybody but its owner
//! could have read, that is no key, or that is not in the form that was asked for.
//!
//! How it is sealed is [`sealed`]'s, how another takes its place [`rotate`]'s.

mod rotate;

use super::{
    StorageError, passphrase,
    seal::Passphrase,
    sealed::{self, MASTER},
    secret,
};
use pingup_protocol::keys::{KEY_BYTES, Secret};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of a sealed key's file.
const SEALED_BYTES: usize = sealed::file_bytes(KEY_BYTES);

/// Where the master key lies, and what opens it, as far as that was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MasterPlace {
    /// Its file; in the data folder where nothing is said.
    pub file: Option<PathBuf>,
    /// The file with the passphrase that it is sealed with; none where it is not sealed.
    pub passphrase_file: Option<PathBuf>,
}

/// The master key in force, and the one before it while keys come from that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masters {
    /// What new keys come from.
    pub current: Secret,
    /// What some that are there come from.
    pub former: Option<Secret>,
}

impl From<Secret> for Masters {
    fn from(current: Secret) -> Self {
        Self { current, former: None }
    }
}

/// In which form a master key's file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MasterForm {
    /// Whoever reads the file has the key.
    Plain,
    /// Whoever reads it needs the passphrase too.
    Sealed,
}

/// A master key's file, with the passphrase if one was named.
pub(super) struct MasterFile {
    path: PathBuf,
    passphrase: Option<Passphrase>,
}

impl MasterFile {
    /// The file at `path`; `passphrase_file` is read now.
    pub(super) fn new(path: PathBuf, passphrase_file: Option<&Path>) -> Result<Self, StorageError> {
        Ok(Self { path, passphrase: passphrase_file.map(passphrase::read).transpose()? })
    }

    /// Makes the key unless there is one.
    pub(super) fn create_if_missing(&self) -> Result<(), StorageError> {
        if self.path.try_exists().map_err(StorageError::file("look for", &self.path))? {
            return Ok(());
        }
        secret::create("create the master key", &self.path, &self.content_of(&random()?)?)
    }

    /// Reads the key.
    pub(super) fn read(&self) -> Result<Secret, StorageError> {
        match (form(&self.path)?, &self.passphrase) {
            (MasterForm::Plain, Some(_)) => Err(StorageError::Folder(format!(
                "a passphrase was named, and the master key {} is not sealed; seal it with `pingup-server master-key \
                 seal`, or name none",
                self.path.display()
            ))),
            _ => self.read_any(&self.path),
        }
    }

    /// Reads the key, sealed or not, whatever was named.
    pub(super) fn read_any_form(&self) -> Result<Secret, StorageError> {
        self.read_any(&self.path)
    }

    /// Reads the key, and the former one if there is one.
    pub(super) fn read_all(&self) -> Result<Masters, StorageError> {
        let former = rotate::former_path(&self.path);
        let former = if former.exists() { Some(self.read_any(&former)?) } else { None };
        Ok(Masters { current: self.read()?, former })
    }

    /// Puts a new key in its place; the old one stays as the former one.
    pub(super) fn rotate(&self) -> Result<Masters, StorageError> {
        let (former, current) = (self.read()?, random()?);
        rotate::rotate(&self.path, &self.content_of(&current)?)?;
        Ok(Masters { current, former: Some(former) })
    }

    /// Seals it, and the former one, with the passphrase that was named; again it changes nothing.
    pub(super) fn seal(&self) -> Result<(), StorageError> {
        if self.passphrase.is_none() {
            return Err(passphrase::missing("nothing to seal the master key with"));
        }
        self.rewrite_all(|secret| self.content_of(secret))
    }

    /// Takes the seal away, of the former one too; again it changes nothing.
    pub(super) fn unseal(&self) -> Result<(), StorageError> {
        self.rewrite_all(|secret| Ok(Zeroizing::new(secret.expose().to_vec())))
    }

    /// The one in force last: until it has its new form, it is asked for in the old one.
    fn rewrite_all(
        &self,
        content: impl Fn(&Secret) -> Result<Zeroizing<Vec<u8>>, StorageError>,
    ) -> Result<(), StorageError> {
        for path in [rotate::former_path(&self.path), self.path.clone()] {
            if path.try_exists().map_err(StorageError::file("look for", &path))? {
                secret::replace(&path, &content(&self.read_any(&path)?)?)?;
            }
        }
        Ok(())
    }

    fn content_of(&self, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        match &self.passphrase {
            Some(passphrase) => sealed::seal(secret.expose(), MASTER, passphrase).map(Zeroizing::new),
            None => Ok(Zeroizing::new(secret.expose().to_vec())),
        }
    }

    /// The key in the file at `path`, whichever form it is in.
    fn read_any(&self, path: &Path) -> Result<Secret, StorageError> {
        let content = read_content(path)?;
        if !sealed::is_sealed(&content) {
            return Secret::from_slice(&content).ok_or_else(|| no_key(path));
        }
        let named = |error| match error {
            StorageError::Folder(why) => {
                StorageError::Folder(format!("the sealed master key {}: {why}", path.display()))
            }
            error => error,
        };
        match &self.passphrase {
            Some(passphrase) => {
                let opened = sealed::open(&content, MASTER, passphrase).map_err(named)?;
                Secret::from_slice(&opened).ok_or_else(|| no_key(path))
            }
            None => Err(passphrase::missing(&format!("the master key {} is sealed", path.display()))),
        }
    }
}

/// In which form the file at `path` is; nothing is opened.
pub(super) fn form(path: &Path) -> Result<MasterForm, StorageError> {
    let content = read_content(path)?;
    match (sealed::is_sealed(&content), content.len()) {
        (true, SEALED_BYTES) => Ok(MasterForm::Sealed),
        (false, KEY_BYTES) => Ok(MasterForm::Plain),
        _ => Err(no_key(path)),
    }
}

/// Where the former master key lies, if there is one.
pub(super) fn former(path: &Path) -> Option<PathBuf> {
    Some(rotate::former_path(path)).filter(|former| former.exists())
}

/// Takes away what a rotation left that was cut short. For whoever has the folder alone.
pub(super) fn tidy(path: &Path) -> Result<(), StorageError> {
    rotate::tidy(path)?;
    secret::remove_drafts(&[path, &rotate::former_path(path)])
}

/// Overwrites the former master key's file, and takes it away.
pub(super) fn destroy_former(path: &Path) -> Result<(), StorageError> {
    secret::destroy(&rotate::former_path(path))
}

fn random() -> Result<Secret, StorageError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(key.as_mut_slice())
        .map_err(|error| StorageError::Folder(format!("no random bytes to be had: {error}")))?;
    Ok(Secret::new(*key))
}

/// What is in a key's file, as far as a key may go.
fn read_content(path: &Path) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    secret::read("the master key", path, SEALED_BYTES)
}

fn no_key(path: &Path) -> StorageError {
    StorageError::Folder(format!(
        "the master key {} is not {KEY_BYTES} bytes long, and is not sealed; put the right file back from a backup: \
         every agent's key comes from it",
        path.display()
    ))
}

#[cfg(test)]
mod tests;
