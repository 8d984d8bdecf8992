//! Writing: each file whole or not at all, and none that somebody changed.
//!
//! Beside the files lies [`SUMS`]: the checksum of each as it was written, in the form that `sha256sum -c` reads. A file
//! that has another checksum was changed by somebody, and is theirs; one that has this one was written here, and may be
//! written anew. So a later version brings its own, and takes nobody's work away.

use super::files::Outgoing;
use crate::cli::CliError;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

/// The file of checksums.
pub(super) const SUMS: &str = "pingup.sha256";
/// What a file's name ends with until it is whole.
const PARTIAL: &str = ".partial";
/// Bytes that are read of a file that is there; what is longer was not written here.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// The mode of folders and files that Grafana has to read.
const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
/// And of a file with a secret.
const SECRET_MODE: u32 = 0o600;
/// What everyone may do, which with a secret they may not, whatever its file's mode was before.
const EVERYONE: u32 = 0o007;

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Put {
    /// Files that were written.
    pub(super) written: usize,
    /// Files that said already what they should.
    pub(super) unchanged: usize,
    /// Files that somebody changed: left alone.
    pub(super) left: Vec<&'static str>,
}

/// Writes `files` below `folder`, but for those that were changed, unless by `force`.
pub(super) fn put(folder: &Path, files: &[Outgoing], force: bool) -> Result<Put, CliError> {
    let sums = read_sums(&folder.join(SUMS))?;
    let (mut differing, mut left) = (Vec::new(), Vec::new());
    for file in files {
        match found(&folder.join(file.path))? {
            Some(sum) if sum == sum_of(file.text.as_bytes()) => continue,
            Some(sum) if sums.get(file.path) != Some(&sum) && !force => {
                left.push(file.path);
                continue;
            }
            _ => differing.push(file),
        }
    }
    for file in &differing {
        let mode = if file.is_secret { SECRET_MODE } else { FILE_MODE };
        write(&folder.join(file.path), file.text.as_bytes(), mode)?;
    }
    let mut now = String::new();
    for file in files {
        let sum = match left.contains(&file.path) {
            false => sum_of(file.text.as_bytes()),
            // What was written last, or nothing: so it stays somebody's.
            true => sums.get(file.path).cloned().unwrap_or_default(),
        };
        if !sum.is_empty() {
            // Writing to a String cannot fail.
            let _infallible = writeln!(now, "{sum}  {}", file.path);
        }
    }
    write(&folder.join(SUMS), now.as_bytes(), FILE_MODE)?;
    Ok(Put { written: differing.len(), unchanged: files.len() - differing.len() - left.len(), left })
}

/// The checksum of what is at `path`; `None` where nothing is, empty where it is too long to be one of ours.
fn found(path: &Path) -> Result<Option<String>, CliError> {
    Ok(read(path)?.map(|bytes| if over_long(&bytes) { String::new() } else { sum_of(&bytes) }))
}

/// The checksums as they were written; none where there is no such file.
fn read_sums(path: &Path) -> Result<BTreeMap<String, String>, CliError> {
    let bytes = read(path)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let sums = text.lines().filter_map(|line| line.split_once("  "));
    Ok(sums.map(|(sum, path)| (path.to_owned(), sum.to_owned())).collect())
}

/// What is at `path`, at most a byte more than [`FILE_BYTES_MAX`] of it; `None` where nothing is.
fn read(path: &Path) -> Result<Option<Vec<u8>>, CliError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("read", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot("read", path))?;
    Ok(Some(bytes))
}

const fn over_long(bytes: &[u8]) -> bool {
    bytes.len() as u64 > FILE_BYTES_MAX
}

fn sum_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

/// Writes a file, and the folders above it. One that is replaced hands on its mode and, where that may be done, its
/// owner: somebody saw to it that Grafana can read it.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CliError> {
    if let Some(folder) = path.parent() {
        make_folders(folder)?;
    }
    let before = fs::metadata(path).ok();
    let mut name = path.as_os_str().to_owned();
    name.push(PARTIAL);
    let partial = Path::new(&name);
    let written = (|| {
        let mut file = File::create(partial)?;
        // Before there is anything in it to be read.
        file.set_permissions(Permissions::from_mode(SECRET_MODE))?;
        file.write_all(bytes)?;
        if let Some(before) = &before {
            // Who may not give files away becomes their owner.
            let _kept = chown(partial, Some(before.uid()), Some(before.gid()));
        }
        let kept = before.as_ref().map_or(mode, |before| before.mode() & 0o777);
        let mode = if mode == SECRET_MODE { kept & !EVERYONE } else { kept };
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(partial, path)
    })();
    written.map_err(|error| {
        // The first error is the one to tell.
        let _ = fs::remove_file(partial);
        cannot("write", path)(error)
    })
}

/// Makes the folders that are missing, for everyone to read; those that are there stay as they are.
fn make_folders(folder: &Path) -> Result<(), CliError> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    folder.parent().map_or(Ok(()), make_folders)?;
    let made = fs::create_dir(folder)
        .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE)));
    made.map_err(cannot("make", folder))
}

fn cannot(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CliError {
    move |error| CliError::Failed(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
