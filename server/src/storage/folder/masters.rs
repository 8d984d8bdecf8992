//! The data folder's master keys: where they lie, made, read, and changed by whoever has the folder alone.

use super::{DataFolder, FolderLock};
use crate::storage::{
    MasterForm, Masters, StorageError,
    master::{self, MasterFile},
};
use pingup_protocol::keys::Secret;
use std::path::PathBuf;

impl DataFolder {
    /// The file that holds the master key.
    pub fn master_path(&self) -> PathBuf {
        self.master.file.clone().unwrap_or_else(|| self.path.join("master.key"))
    }

    /// The files of master keys that lie in the folder itself: the one in force, and the former one if there is one.
    pub fn masters_inside(&self) -> Vec<PathBuf> {
        match self.master.file {
            Some(_) => Vec::new(),
            None => {
                let key = self.master_path();
                [Some(key.clone()), master::former(&key)].into_iter().flatten().collect()
            }
        }
    }

    /// Reads the master key, making it first where it is missing; whoever calls at the same time gets the
    /// same.
    pub fn master_or_create(&self) -> Result<Secret, StorageError> {
        let path = self.master_path();
        let missing = !path.try_exists().map_err(StorageError::file("look for", &path))?;
        if missing && self.sqlite_path().exists() {
            return Err(StorageError::Folder(format!(
                "there are records in {} but no master key {}; put it back from a backup: every agent's key and every \
                 token comes from it, and with a new one none would be known any more",
                self.path().display(),
                path.display()
            )));
        }
        let file = self.master_file()?;
        file.create_if_missing()?;
        file.read()
    }

    /// The same, with the former master key if there is one. For whoever has the folder alone: what a rotation left that
    /// was cut short is tidied away.
    pub fn masters_or_create(&self, alone: &FolderLock) -> Result<Masters, StorageError> {
        self.master_or_create()?;
        self.masters(alone)
    }

    /// Reads the master key, which must be there.
    pub fn master(&self) -> Result<Secret, StorageError> {
        self.master_file()?.read()
    }

    /// In which form the master key's file is; nothing is opened, and no passphrase is needed.
    pub fn master_form(&self) -> Result<MasterForm, StorageError> {
        master::form(&self.master_path())
    }

    /// Reads the master key, which must be there, and the former one if there is one.
    pub fn masters(&self, _alone: &FolderLock) -> Result<Masters, StorageError> {
        master::tidy(&self.master_path())?;
        self.master_file()?.read_all()
    }

    /// Puts a new master key in the place of the one in force, which becomes the former one; there must be none.
    pub fn rotate_master(&self, _alone: &FolderLock) -> Result<Masters, StorageError> {
        master::tidy(&self.master_path())?;
        self.master_file()?.rotate()
    }

    /// Seals the master key with the passphrase that was named, and then the keys of the hub's own certificate: a start
    /// with the passphrase does the rest, if this is cut short.
    pub fn seal_master(&self, _alone: &FolderLock) -> Result<(), StorageError> {
        master::tidy(&self.master_path())?;
        self.master_file()?.seal()?;
        self.seal_tls_keys()
    }

    /// Takes the seals away again, the master key's last: while it has one, so do the others after a start.
    pub fn unseal_master(&self, _alone: &FolderLock) -> Result<(), StorageError> {
        master::tidy(&self.master_path())?;
        let file = self.master_file()?;
        // With a passphrase that is wrong, nothing is changed.
        file.read_any_form()?;
        self.unseal_tls_keys()?;
        file.unseal()
    }

    /// Overwrites the former master key's file, and takes it away. For whoever has the folder alone, once nothing comes
    /// from it.
    pub fn destroy_former_master(&self) -> Result<(), StorageError> {
        master::destroy_former(&self.master_path())
    }

    fn master_file(&self) -> Result<MasterFile, StorageError> {
        MasterFile::new(self.master_path(), self.master.passphrase_file.as_deref())
    }
}
