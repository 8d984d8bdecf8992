//! Writing what an installation consists of: whole or not at all, and only where it differs.

use super::{InstallError, layout::Root};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Mode of folders that are no secret.
const FOLDER_MODE: u32 = 0o755;
/// Bytes compared at a time.
const COMPARED_BYTES: usize = 64 * 1024;

/// Something that is to be there.
pub(super) struct Item {
    /// Where, as an absolute path of the machine.
    pub(super) path: String,
    /// Its mode.
    pub(super) mode: u32,
    /// What.
    pub(super) content: Content,
}

/// What is to be there.
pub(super) enum Content {
    /// A text.
    Text(String),
    /// A text that is not shown.
    Secret(String),
    /// The program that this is.
    Program(std::path::PathBuf),
    /// A folder.
    Folder,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It was not there.
    Made,
    /// It was another.
    Updated,
    /// It was there.
    Unchanged,
}

impl Item {
    /// What [`Item::put`] would do.
    pub(super) fn change(&self, root: &Root) -> Result<Change, InstallError> {
        let path = root.path(&self.path);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Change::Made),
            Err(error) => return Err(InstallError::io(&path)(error)),
        };
        if matches!(self.content, Content::Folder) {
            // One that is there keeps its mode and owner: the service manager has seen to them.
            let is_folder = metadata.is_dir();
            let other = || InstallError::io(&path)(io::ErrorKind::NotADirectory.into());
            return is_folder.then_some(Change::Unchanged).ok_or_else(other);
        }
        let same_mode = metadata.mode() & 0o7777 == self.mode;
        let same = same_mode && self.is_same(&path).map_err(InstallError::io(&path))?;
        Ok(if same { Change::Unchanged } else { Change::Updated })
    }

    /// Sees that it is there.
    pub(super) fn put(&self, root: &Root) -> Result<Change, InstallError> {
        let change = self.change(root)?;
        if change != Change::Unchanged {
            let path = root.path(&self.path);
            self.write(&path).map_err(InstallError::io(&path))?;
        }
        Ok(change)
    }

    fn is_same(&self, path: &Path) -> io::Result<bool> {
        match &self.content {
            Content::Text(text) | Content::Secret(text) => same(&mut text.as_bytes(), &mut File::open(path)?),
            Content::Program(program) => same(&mut File::open(program)?, &mut File::open(path)?),
            Content::Folder => Ok(true),
        }
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(parent)?;
        }
        match &self.content {
            Content::Folder => DirBuilder::new().mode(self.mode).create(path),
            Content::Text(text) | Content::Secret(text) => replace(path, self.mode, &mut text.as_bytes()),
            Content::Program(program) => replace(path, self.mode, &mut File::open(program)?),
        }
    }
}

/// Puts a new file in the place of an old one. A program that runs goes on with the old one.
fn replace(path: &Path, mode: u32, content: &mut impl Read) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Closed to others until it is whole; then what is in the state folder gets that folder's owner.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    io::copy(content, &mut file)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    if let Some(parent) = path.parent() {
        let (folder, own) = (fs::metadata(parent)?, file.metadata()?);
        if folder.uid() != own.uid() && rustix::process::geteuid().is_root() {
            std::os::unix::fs::fchown(&file, Some(folder.uid()), Some(folder.gid()))?;
        }
    }
    file.flush()?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), crate::state::sync_directory)
}

fn same(one: &mut impl Read, other: &mut impl Read) -> io::Result<bool> {
    let mut one = BufReader::with_capacity(COMPARED_BYTES, one);
    let mut other = BufReader::with_capacity(COMPARED_BYTES, other);
    loop {
        let (here, there) = (one.fill_buf()?, other.fill_buf()?);
        let count = here.len().min(there.len());
        if count == 0 {
            return Ok(here.is_empty() && there.is_empty());
        }
        if here[..count] != there[..count] {
            return Ok(false);
        }
        one.consume(count);
        other.consume(count);
    }
}
