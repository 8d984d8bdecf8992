//! The keys of the hub's own certificate in their files: plain, or sealed with the passphrase of the master key.
//!
//! They go where it goes: sealed and unsealed with it by the same commands, and at a start whatever of them still lies
//! there in the clear. So whoever is killed on the way leaves files that the next start, or the same command, puts right.

use super::{CA_KEY, DataFolder, FolderLock, HUB_KEY};
use crate::storage::{StorageError, passphrase, seal::Passphrase, sealed, secret};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use zeroize::Zeroizing;

/// Bytes of a key's file: far more than a key in PEM has, sealed or not.
const FILE_BYTES_MAX: usize = 16 * 1024;

/// How the files of the keys are read and written.
#[derive(Clone, Default)]
pub struct TlsKeys {
    /// What they are sealed with; none where they lie in the clear.
    passphrase: Option<Arc<Passphrase>>,
}

impl fmt::Debug for TlsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsKeys(…)")
    }
}

impl TlsKeys {
    /// The key in the file at `path`, whichever form it is in; a refusal where it is sealed, and no passphrase was named.
    pub fn read(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        let content = read(path)?;
        if !sealed::is_sealed(&content) {
            return Ok(content);
        }
        let place = path.display();
        let Some(passphrase) = &self.passphrase else {
            return Err(passphrase::missing(&format!("the key {place} is sealed")));
        };
        sealed::open(&content, &purpose(path), passphrase).map_err(|error| match error {
            StorageError::Folder(why) => StorageError::Folder(format!("the sealed key {place}: {why}")),
            error => error,
        })
    }

    /// Whether it can be read without knowing anything, or with what is known.
    pub fn can_read(&self, path: &Path) -> Result<bool, StorageError> {
        Ok(self.passphrase.is_some() || !sealed::is_sealed(&read(path)?))
    }

    /// Makes the file of a key.
    pub fn create(&self, path: &Path, key: &[u8]) -> Result<(), StorageError> {
        secret::create("create the key", path, &self.content_of(path, key)?)
    }

    /// Seals the key in the file at `path`, if it lies in the clear and a passphrase was named.
    fn seal(&self, path: &Path) -> Result<(), StorageError> {
        let content = read(path)?;
        match self.passphrase.is_some() && !sealed::is_sealed(&content) {
            true => secret::replace(path, &self.content_of(path, &content)?),
            false => Ok(()),
        }
    }

    /// Takes the seal of the file at `path` away, if there is one.
    fn unseal(&self, path: &Path) -> Result<(), StorageError> {
        match sealed::is_sealed(&read(path)?) {
            true => secret::replace(path, &self.read(path)?),
            false => Ok(()),
        }
    }

    fn content_of(&self, path: &Path, key: &[u8]) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        match &self.passphrase {
            Some(passphrase) => sealed::seal(key, &purpose(path), passphrase).map(Zeroizing::new),
            None => Ok(Zeroizing::new(key.to_vec())),
        }
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    let content = secret::read("the key", path, FILE_BYTES_MAX)?;
    match content.len() {
        ..=FILE_BYTES_MAX => Ok(content),
        _ => Err(StorageError::Folder(format!("{}: longer than {FILE_BYTES_MAX} bytes", path.display()))),
    }
}

/// One key's file cannot stand in for the other's.
fn purpose(path: &Path) -> String {
    format!("tls/{}", path.file_name().unwrap_or_default().to_string_lossy())
}

impl DataFolder {
    /// How the keys of the hub's own certificate are read, by what was named for the master key.
    pub fn tls_keys(&self) -> Result<TlsKeys, StorageError> {
        let passphrase = self.master.passphrase_file.as_deref().map(passphrase::read).transpose()?;
        Ok(TlsKeys { passphrase: passphrase.map(Arc::new) })
    }

    /// Brings the keys into the form that the master key is in, where they are not: sealed with it before there was a seal
    /// for them, or by whoever was killed. For whoever has the folder alone, and has read the master key: its passphrase
    /// is right.
    pub fn follow_master(&self, keys: &TlsKeys, _alone: &FolderLock) -> Result<(), StorageError> {
        self.each_tls_key(|path| keys.seal(path))
    }

    /// The same, for whoever seals the master key.
    pub(super) fn seal_tls_keys(&self) -> Result<(), StorageError> {
        let keys = self.tls_keys()?;
        self.each_tls_key(|path| keys.seal(path))
    }

    /// Takes their seals away.
    pub(super) fn unseal_tls_keys(&self) -> Result<(), StorageError> {
        let keys = self.tls_keys()?;
        self.each_tls_key(|path| keys.unseal(path))
    }

    /// Those that are there, once what a killed process left of them is gone.
    fn each_tls_key(&self, work: impl Fn(&Path) -> Result<(), StorageError>) -> Result<(), StorageError> {
        for path in [HUB_KEY, CA_KEY].map(|name| self.tls_path().join(name)) {
            if !path.try_exists().map_err(StorageError::file("look for", &path))? {
                continue;
            }
            secret::remove_drafts(&[&path])?;
            secret::destroy(&former_draft(&path))?;
            work(&path)?;
        }
        Ok(())
    }
}

/// As a version before called what it was about to write.
fn former_draft(path: &Path) -> PathBuf {
    path.with_extension("new")
}

#[cfg(test)]
mod tests;
