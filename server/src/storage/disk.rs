//! Whether there is room on the disk: one shared flag, measured by a sweep, asked before every write.
//!
//! The reserve is kept free so that what is already queued, checkpoints and a clean stop still find room.

use super::StorageError;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The free space under the data folder, as last measured, and how much of it must stay free.
#[derive(Clone, Debug)]
pub struct DiskSpace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    reserve_bytes: u64,
    free_bytes: AtomicU64,
}

impl DiskSpace {
    /// Watches the file system of `folder`, of which `reserve_bytes` must stay free, and measures it once.
    pub fn watch(folder: &Path, reserve_bytes: u64) -> Result<Self, StorageError> {
        let space =
            Self(Arc::new(Inner { folder: folder.to_owned(), reserve_bytes, free_bytes: AtomicU64::new(0) }));
        space.measure()?;
        Ok(space)
    }

    /// Asks the file system again. Blocks for one system call.
    pub fn measure(&self) -> Result<(), StorageError> {
        let found = rustix::fs::statvfs(&self.0.folder)
            .map_err(|errno| StorageError::file("measure the free space of", &self.0.folder)(errno.into()))?;
        self.0.free_bytes.store(found.f_bavail.saturating_mul(found.f_frsize), Ordering::Relaxed);
        Ok(())
    }

    /// Whether more than the reserve was free when last measured.
    pub fn has_room(&self) -> bool {
        self.free_bytes() > self.0.reserve_bytes
    }

    /// Whether more than the reserve would be free with so much more written, when last measured.
    pub fn has_room_for(&self, bytes: u64) -> bool {
        self.free_bytes().saturating_sub(bytes) > self.0.reserve_bytes
    }

    /// What was free when last measured.
    pub fn free_bytes(&self) -> u64 {
        self.0.free_bytes.load(Ordering::Relaxed)
    }

    /// What must stay free.
    pub fn reserve_bytes(&self) -> u64 {
        self.0.reserve_bytes
    }

    pub(super) fn check(&self) -> Result<(), StorageError> {
        if self.has_room() { Ok(()) } else { Err(StorageError::Full) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_decides_whether_there_is_room() -> Result<(), StorageError> {
        let folder = std::env::temp_dir();
        let plenty = DiskSpace::watch(&folder, 0)?;
        assert!(plenty.has_room() && plenty.free_bytes() > 0);
        assert!(plenty.has_room_for(plenty.free_bytes() / 2) && !plenty.has_room_for(plenty.free_bytes()));
        let none = DiskSpace::watch(&folder, u64::MAX)?;
        assert!(!none.has_room());
        assert!(matches!(none.check(), Err(StorageError::Full)));
        Ok(())
    }

    #[test]
    fn a_folder_that_is_not_there_is_said() {
        let missing = DiskSpace::watch(Path::new("/nowhere/at/all"), 0);
        let text = missing.map(|_| ()).unwrap_err().to_string();
        assert!(text.starts_with("cannot measure the free space of /nowhere/at/all"), "{text}");
    }
}
