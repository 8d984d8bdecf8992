//! The checksum of a part: CRC-32 (IEEE 802.3) of its whole file, made while it is written and kept in the catalogue.
//! It tells a file that the disk, or anyone, changed; `check`, `backup` and `restore` look, and so does whoever makes new
//! parts of old ones: what was changed would be written anew there, under a checksum that holds.

use super::{Part, TsdbError};
use crate::storage::StorageError;
use crc32fast::Hasher;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

/// Read at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// What is said of a file whose checksum is another.
pub const CHANGED: &str = "it is not what was written there";
/// What is said of a file that is gone.
pub const MISSING: &str = "it is missing";
/// What is to be done about either.
pub const REMEDY: &str =
    "restore it from a backup, or go on without it by `pingup-server check --drop-damaged`";

/// The checksum of a file as it is now.
pub fn of_file(path: &Path) -> Result<u32, StorageError> {
    let mut file = File::open(path).map_err(StorageError::file("open", path))?;
    let (mut checksum, mut block) = (Hasher::new(), vec![0; BLOCK_BYTES]);
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(checksum.finalize()),
            Ok(read) => checksum.update(&block[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(StorageError::file("read", path)(error)),
        }
    }
}

/// Refuses parts that are not what was written; those without a checksum pass.
pub(super) fn look_at(parts: &[Arc<Part>]) -> Result<(), TsdbError> {
    for part in parts {
        let Some(expected) = part.row().crc32 else { continue };
        match of_file(part.path()) {
            Ok(found) if found == expected => {}
            Ok(_) => return Err(TsdbError::Changed(part.path().to_owned())),
            Err(error) if error.is_missing() => return Err(TsdbError::Missing(part.path().to_owned())),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
