//! The journal's folder: what segments are called, which there are, and names that last.

use crate::storage::{Faults, StorageError, lasting};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Digits of a segment's number in its file's name: all a `u64` needs, so names sort as numbers do.
const NAME_DIGITS: usize = 20;

/// Numbers of the segments in `folder`, rising; other files are none of the journal's.
pub(super) fn segments(folder: &Path) -> Result<Vec<u64>, StorageError> {
    let entries = fs::read_dir(folder).map_err(StorageError::file("list", folder))?;
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(StorageError::file("list", folder))?.file_name();
        numbers.extend(name.to_str().and_then(segment_number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) fn segment_path(folder: &Path, segment: u64) -> PathBuf {
    folder.join(format!("{segment:0NAME_DIGITS$}.log"))
}

fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let plain = digits.len() == NAME_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// Makes names that came or went last.
pub(super) fn sync_folder(folder: &Path, faults: &Faults) -> Result<(), StorageError> {
    lasting::sync_folder(folder, faults, "journal folder sync")
}
