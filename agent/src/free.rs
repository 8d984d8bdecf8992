//! Room on the disk: whether the next record has any. What `status` and `doctor` say of a disk that is full.

use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};
use std::{io, os::unix::fs::MetadataExt, path::Path};

/// With fewer free bytes than this the next record is not sure to fit: a sample, in a file of its own, and what is
/// written down beside it.
const RECORD_ROOM: u64 = 16 << 10;
const ROOT: u32 = 0;

/// A disk, as it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that whoever owns the folder may write.
    pub free: u64,
    /// Why nothing can be written, if so.
    pub fault: Option<&'static str>,
}

impl Room {
    /// Of the disk that `folder` lies on.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let owner = std::fs::metadata(folder)?.uid();
        Ok(Self::told(&statvfs(folder)?, owner))
    }

    fn told(disk: &StatVfs, owner: u32) -> Self {
        // Some is kept back for root.
        let blocks = if owner == ROOT { disk.f_bfree } else { disk.f_bavail };
        let free = blocks.saturating_mul(disk.f_frsize);
        let fault = if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
            Some("the disk is read-only")
        } else {
            // One that does not say how large it is does not say either that it is full.
            (disk.f_blocks > 0 && free < RECORD_ROOM).then_some("the disk is full")
        };
        Self { free, fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_full_when_the_next_record_has_no_room() {
        let mut disk = statvfs(".").unwrap();
        disk.f_flag = StatVfsMountFlags::empty();
        (disk.f_blocks, disk.f_frsize) = (1_000, 4_096);
        for (free, kept_back, owner, is_full) in [
            (0, 0, 1, true),
            (3, 0, 1, true),
            (4, 0, 1, false),
            (4, 4, 1, true),
            (4, 4, ROOT, false),
            (3, 3, ROOT, true),
        ] {
            (disk.f_bfree, disk.f_bavail) = (free, free - kept_back);
            let fault = is_full.then_some("the disk is full");
            assert_eq!(Room::told(&disk, owner).fault, fault, "{free}, {kept_back}, {owner}");
        }
        disk.f_blocks = 0;
        assert_eq!(Room::told(&disk, 1).fault, None);
        disk.f_flag = StatVfsMountFlags::RDONLY;
        assert_eq!(Room::told(&disk, 1).fault, Some("the disk is read-only"));
    }
}
