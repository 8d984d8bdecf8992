//! The master key's file: 32 random bytes that every other key comes from, plain or sealed with a passphrase.
//!
//! Promises: it appears whole or not at all, synced to disk before anyone is given a key made from it, and
//! two processes that make it at once end up with the same. Refuses to read one that anybody but its owner
//! could have read, that is no key, or that is not in the form that was asked for.
//!
//! How it is sealed is [`seal`]'s, how another takes its place [`rotate`]'s.

mod rotate;
mod seal;

use super::StorageError;
use pingup_protocol::keys::{KEY_BYTES, Secret};
use seal::Passphrase;
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Readable and writable by the owner, by nobody else.
const KEY_MODE: u32 = 0o600;
/// Bytes of a passphrase.
const PASSPHRASE_BYTES_MAX: usize = 1_024;

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
        Ok(Self { path, passphrase: passphrase_file.map(read_passphrase).transpose()? })
    }

    /// Makes the key unless there is one.
    pub(super) fn create_if_missing(&self) -> Result<(), StorageError> {
        if self.path.try_exists().map_err(StorageError::file("look for", &self.path))? {
            return Ok(());
        }
        let content = self.content_of(&random()?)?;
        let draft = with_suffix(&self.path, &format!(".new.{}", std::process::id()));
        let placed = write_synced(&draft, &content).and_then(|()| place(&draft, &self.path));
        // The draft is a second name of the key, or the rest of a failure; either way it goes.
        let removed = fs::remove_file(&draft);
        placed.map_err(StorageError::file("create the master key", &self.path))?;
        removed.map_err(StorageError::file("remove", draft))
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
            return Err(no_passphrase("nothing to seal the master key with"));
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
                replace(&path, &content(&self.read_any(&path)?)?)?;
            }
        }
        Ok(())
    }

    fn content_of(&self, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        match &self.passphrase {
            Some(passphrase) => seal::seal(secret, passphrase).map(Zeroizing::new),
            None => Ok(Zeroizing::new(secret.expose().to_vec())),
        }
    }

    /// The key in the file at `path`, whichever form it is in.
    fn read_any(&self, path: &Path) -> Result<Secret, StorageError> {
        let content = read_content(path)?;
        if !seal::is_sealed(&content) {
            return Secret::from_slice(&content).ok_or_else(|| no_key(path));
        }
        let named = |error| match error {
            StorageError::Folder(why) => {
                StorageError::Folder(format!("the sealed master key {}: {why}", path.display()))
            }
            error => error,
        };
        match &self.passphrase {
            Some(passphrase) => seal::open(&content, passphrase).map_err(named),
            None => Err(no_passphrase(&format!("the master key {} is sealed", path.display()))),
        }
    }
}

/// In which form the file at `path` is; nothing is opened.
pub(super) fn form(path: &Path) -> Result<MasterForm, StorageError> {
    let content = read_content(path)?;
    match (seal::is_sealed(&content), content.len()) {
        (true, seal::FILE_BYTES) => Ok(MasterForm::Sealed),
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
    remove_drafts(path)
}

/// Takes away drafts of the key and of the former one, which whoever was killed while it wrote them left: one of `unseal`
/// is the key itself, in the clear. Not while there is no key: then one may just be about to be made of its draft.
fn remove_drafts(path: &Path) -> Result<(), StorageError> {
    let inode = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    let Some(in_force) = inode(path) else { return Ok(()) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = [path, &rotate::former_path(path)].map(|path| with_suffix(path, ".new."));
    // A key outside the data folder may lie where nothing is listed; the key itself opens all the same.
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let draft = entry.map_err(StorageError::file("look into", folder))?.path();
        if !names.iter().any(|name| is_draft(&draft, name)) {
            continue;
        }
        match inode(&draft) == Some(in_force) {
            // A second name of the key: its bytes must stay.
            true => fs::remove_file(&draft).map_err(StorageError::file("remove", &draft))?,
            false => rotate::destroy(&draft)?,
        }
    }
    Ok(())
}

/// Whether this is `name` with the number of a process behind it.
fn is_draft(path: &Path, name: &Path) -> bool {
    let (Some(found), Some(name)) = (path.file_name(), name.file_name()) else { return false };
    let number = found.as_bytes().strip_prefix(name.as_bytes());
    number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// Overwrites the former master key's file, and takes it away.
pub(super) fn destroy_former(path: &Path) -> Result<(), StorageError> {
    rotate::destroy(&rotate::former_path(path))
}

fn random() -> Result<Secret, StorageError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(key.as_mut_slice())
        .map_err(|error| StorageError::Folder(format!("no random bytes to be had: {error}")))?;
    Ok(Secret::new(*key))
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).mode(KEY_MODE).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Gives the draft its name, unless somebody was faster: a link, unlike a rename, never replaces.
fn place(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Puts other content in the place of a file, whole or not at all, and overwrites what was there.
fn replace(path: &Path, content: &[u8]) -> Result<(), StorageError> {
    let mut before = File::options().write(true).open(path).map_err(StorageError::file("open", path))?;
    let draft = with_suffix(path, &format!(".new.{}", std::process::id()));
    let written = write_synced(&draft, content).and_then(|()| fs::rename(&draft, path));
    written.map_err(StorageError::file("replace", path))?;
    sync_parent(path)?;
    rotate::wipe(&mut before).map_err(StorageError::file("overwrite what was", path))
}

fn sync_parent(path: &Path) -> Result<(), StorageError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StorageError::file("sync", folder))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What is in a key's file, as far as a key may go.
fn read_content(path: &Path) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    read_secret("the master key", path, seal::FILE_BYTES)
}

fn read_passphrase(path: &Path) -> Result<Passphrase, StorageError> {
    let mut passphrase = read_secret("the file with the passphrase", path, PASSPHRASE_BYTES_MAX + 1)?;
    // Editors end a file with a line's end.
    let kept = passphrase.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    passphrase.truncate(kept);
    match passphrase.len() {
        1..=PASSPHRASE_BYTES_MAX => Ok(passphrase),
        _ => Err(StorageError::Folder(format!(
            "{} must hold a passphrase of 1 to {PASSPHRASE_BYTES_MAX} bytes",
            path.display()
        ))),
    }
}

/// Reads `what`, which nobody but its owner may be able to read. One byte more than `bytes_max` tells a longer file.
fn read_secret(what: &str, path: &Path, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    let file = File::open(path).map_err(|error| StorageError::file("open", path)(error))?;
    let mode = file.metadata().map_err(StorageError::file("look at", path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StorageError::Folder(format!(
            "{what} {0} can be used by others (mode {mode:04o}); run `chmod 600 {0}`, and think about who may have read \
             it",
            path.display()
        )));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(StorageError::file("read", path))?;
    Ok(bytes)
}

fn no_key(path: &Path) -> StorageError {
    StorageError::Folder(format!(
        "the master key {} is not {KEY_BYTES} bytes long, and is not sealed; put the right file back from a backup: \
         every agent's key comes from it",
        path.display()
    ))
}

fn no_passphrase(what: &str) -> StorageError {
    StorageError::Folder(format!(
        "{what}; name the file with the passphrase by --master-passphrase-file or PINGUP_MASTER_PASSPHRASE_FILE"
    ))
}

#[cfg(test)]
mod tests;
