//! Which program the service starts: this one, where it lies or as a copy.

use super::{
    InstallError,
    layout::{PROGRAM, Root},
};
use std::path::{Path, PathBuf};

/// Folders that programs stay in: one that lies there is used where it is.
const PROGRAM_FOLDERS: [&str; 2] = ["/usr", "/opt"];

/// The path that the service starts, and what to copy there, unless this program lies where programs stay. Into
/// another folder it is always copied.
pub(super) fn program(root: &Root) -> Result<(String, Option<PathBuf>), InstallError> {
    let this = std::env::current_exe().map_err(InstallError::io(Path::new("this program")))?;
    let stays = root.is_machine() && PROGRAM_FOLDERS.iter().any(|folder| this.starts_with(folder));
    // Service files have quoting rules of their own; a plain path needs none of them.
    let is_plain = |path: &&str| path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._+-".contains(&b));
    match this.to_str().filter(is_plain) {
        Some(path) if stays => Ok((path.to_owned(), None)),
        _ => Ok((PROGRAM.to_owned(), Some(this))),
    }
}
