//! What a folder takes on disk, and waiting until that has settled.

use crate::{error::LoadError, progress};
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// A folder that has not changed for so long is settled.
const QUIET: Duration = Duration::from_secs(10);
/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A folder that still changes after so long is taken as it is.
const SETTLE_MAX: Duration = Duration::from_secs(20 * 60);
/// Bytes of the blocks that file systems count in.
const BLOCK_BYTES: u64 = 512;
/// Folders within folders that are looked into.
const DEPTH_MAX: usize = 8;

/// A folder that has settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    /// What it takes, bytes.
    pub(crate) bytes: u64,
    /// Until it last changed.
    pub(crate) took: Duration,
}

/// Waits until `folder` has not changed for a while.
pub(crate) async fn settled(folder: &Path) -> Result<Settled, LoadError> {
    let spinner = progress::spinner("waiting until the store has settled");
    let failed = |source| LoadError::File { path: folder.display().to_string(), source };
    let started = Instant::now();
    let (mut bytes, mut changed_at) = (used(folder, DEPTH_MAX).map_err(failed)?, started);
    while changed_at.elapsed() < QUIET && started.elapsed() < SETTLE_MAX {
        sleep(LOOK_EVERY).await;
        let now = used(folder, DEPTH_MAX).map_err(failed)?;
        if now != bytes {
            (bytes, changed_at) = (now, Instant::now());
        }
    }
    spinner.finish_and_clear();
    Ok(Settled { bytes, took: changed_at - started })
}

/// Bytes that `folder` takes: blocks, as `du` counts them, not lengths.
fn used(folder: &Path, depth_left: usize) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // What is removed while we look takes nothing.
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += metadata.blocks() * BLOCK_BYTES;
        if metadata.is_dir() && depth_left > 0 {
            bytes += used(&entry.path(), depth_left - 1)?;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_deeper_counts_too() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        let before = used(folder.path(), DEPTH_MAX).unwrap();
        fs::write(inner.join("file"), vec![7; 100_000]).unwrap();
        assert!(used(folder.path(), DEPTH_MAX).unwrap() >= before + 100_000);
    }
}
