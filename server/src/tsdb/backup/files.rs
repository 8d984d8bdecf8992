//! Files of a backup: copied, synced and summed in one pass.

use super::{BackupError, Entry, parent, unreadable, with_suffix};
use crate::{storage::StorageError, tsdb::checksum::CHANGED};
use crc32fast::Hasher;
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

/// For the owner alone: the master key is among the files.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Read and written at once.
const BLOCK_BYTES: usize = 256 * 1024;
/// What the name of a copy ends with until it is whole.
const COPYING: &str = ".copying";

/// What is in a file.
pub(in crate::tsdb) struct Content {
    /// As the manifest tells it.
    pub(in crate::tsdb) entry: Entry,
    /// As the catalogue does ([`crate::tsdb::checksum`]).
    pub(in crate::tsdb) crc32: u32,
}

/// What a pass over a file finds: its bytes, SHA-256 and CRC-32.
type Found = (u64, String, u32);

/// Copies the first `bytes` bytes of `source` to `path` below `folder` and syncs them. What has that name is
/// whole.
pub(in crate::tsdb) fn copy(
    source: &Path,
    folder: &Path,
    path: &Path,
    bytes: u64,
) -> Result<Content, StorageError> {
    let target = folder.join(path);
    let unfinished = with_suffix(&target, COPYING);
    let from = File::open(source).map_err(StorageError::file("open", source))?;
    let mut to = create(&unfinished).map_err(StorageError::file("create", &unfinished))?;
    let failed = StorageError::file("copy", source);
    let (copied, sha256, crc32) = pass(from.take(bytes), |block| to.write_all(block)).map_err(failed)?;
    if copied != bytes {
        let short =
            io::Error::new(io::ErrorKind::UnexpectedEof, format!("it ends at {copied} of {bytes} bytes"));
        return Err(StorageError::file("copy", source)(short));
    }
    to.sync_all().map_err(StorageError::file("sync", &unfinished))?;
    fs::rename(&unfinished, &target).map_err(StorageError::file("rename", &unfinished))?;
    Ok(Content { entry: Entry { path: text(path), bytes: copied, sha256 }, crc32 })
}

/// Sums the file `path` below `folder`.
pub(super) fn content(folder: &Path, path: &Path) -> Result<Content, StorageError> {
    let (bytes, sha256, crc32) = sum(&folder.join(path))?;
    Ok(Content { entry: Entry { path: text(path), bytes, sha256 }, crc32 })
}

/// Refuses a file that is not as `entry` says; its checksum.
pub(in crate::tsdb) fn check(folder: &Path, entry: &Entry) -> Result<u32, BackupError> {
    let file = folder.join(&entry.path);
    let (bytes, sha256, crc32) = sum(&file)?;
    let what = match () {
        () if bytes != entry.bytes => format!("it has {bytes} bytes, {} are expected", entry.bytes),
        () if sha256 != entry.sha256 => CHANGED.to_owned(),
        () => return Ok(crc32),
    };
    Err(BackupError::Damaged { file, what })
}

pub(super) fn sum(path: &Path) -> Result<Found, StorageError> {
    let file = File::open(path).map_err(StorageError::file("open", path))?;
    pass(file, |_| Ok(())).map_err(unreadable(path))
}

/// Hands all there is to `take`, block by block; how many bytes, and their sums.
fn pass(mut from: impl Read, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Found> {
    let (mut hasher, mut checksum, mut bytes) = (Sha256::new(), Hasher::new(), 0);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match from.read(&mut block) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&block[..read]);
                checksum.update(&block[..read]);
                take(&block[..read])?;
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let hex = hasher.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    });
    Ok((bytes, hex, checksum.finalize()))
}

/// Makes a file, over one that is there, for its owner alone.
pub(super) fn create(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)
}

/// Makes a folder that is missing, and those above it, for their owner alone.
pub(in crate::tsdb) fn create_folder(path: &Path) -> Result<(), StorageError> {
    let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
    made.map_err(StorageError::file("create", path))
}

/// Whether two names are of one file.
pub(super) fn is_same(a: &Path, b: &Path) -> Result<bool, StorageError> {
    let id = |path: &Path| {
        let found = path.metadata().map_err(StorageError::file("look at", path))?;
        Ok::<_, StorageError>((found.dev(), found.ino()))
    };
    Ok(id(a)? == id(b)?)
}

/// Makes the names in a folder last.
pub(in crate::tsdb) fn sync_folder(path: &Path) -> Result<(), StorageError> {
    let folder = if path.as_os_str().is_empty() { parent(path) } else { path };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StorageError::file("sync", folder))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
