//! disk: use of the fullest real file system. Beside it, bytes read and written a second.
//!
//! Real is what keeps data of the machine: not memory, not images that are always full, not a view of
//! something else. In a container there may be nothing but such a view; then that is what there is.

use super::{Source, add, percent, rate::Rate};
use pingup_protocol::metrics::Measurements;
use std::{collections::BTreeMap, time::Instant};
use sysinfo::{DiskRefreshKind, Disks};

/// File systems that hold nothing of the machine's own, or are full by nature.
const UNREAL: [&str; 17] = [
    "tmpfs",
    "devtmpfs",
    "ramfs",
    "squashfs",
    "erofs",
    "iso9660",
    "udf",
    "cramfs",
    "proc",
    "sysfs",
    "devfs",
    "efivarfs",
    "nsfs",
    "fuse.lxcfs",
    "fuse.gvfsd-fuse",
    "fuse.portal",
    "9p",
];
/// Views of other file systems.
const VIEWS: [&str; 4] = ["overlay", "overlayfs", "aufs", "fuse.overlayfs"];

pub(super) struct Disk {
    disks: Disks,
    read: Rate,
    written: Rate,
}

/// What a file system says of itself.
#[derive(Clone, Copy, Debug)]
struct FileSystem<'a> {
    kind: &'a str,
    total: u64,
    available: u64,
}

impl Disk {
    pub(super) fn new() -> Option<Self> {
        Some(Self { disks: Disks::new().ok()?, read: Rate::default(), written: Rate::default() })
    }
}

impl Source for Disk {
    fn measure(&mut self, sample: &mut Measurements) -> Result<(), String> {
        let now = Instant::now();
        self.disks.refresh_specifics(true, DiskRefreshKind::nothing().with_storage().with_io_usage());
        sample.disk = fullest(&file_systems(&self.disks));
        // A device that is mounted in two places counts once.
        let devices: BTreeMap<_, _> = self.disks.iter().map(|disk| (disk.name(), disk.usage())).collect();
        let sum = |bytes: fn(&sysinfo::DiskUsage) -> u64| devices.values().map(bytes).sum::<u64>();
        let (read, written) = (sum(|usage| usage.total_read_bytes), sum(|usage| usage.total_written_bytes));
        if !is_counted(read, written) {
            return Err("the system does not count what is read and written".to_owned());
        }
        let rates = [
            ("disk_read_bytes_per_second", self.read.read(now, read)),
            ("disk_write_bytes_per_second", self.written.read(now, written)),
        ];
        for (name, rate) in rates {
            if let Some(rate) = rate {
                add(sample, name, rate);
            }
        }
        Ok(())
    }
}

/// Whether these are counters: a device from which nothing was ever read is none that a file system could be mounted from.
const fn is_counted(read: u64, written: u64) -> bool {
    read > 0 || written > 0
}

/// Bytes of all real file systems together, each device once; `None` where there are none.
pub fn total_bytes() -> Option<u64> {
    let disks = Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing().with_storage()).ok()?;
    let sizes: BTreeMap<_, _> = disks
        .iter()
        .filter(|disk| disk.file_system().to_str().is_some_and(|kind| !UNREAL.contains(&kind)))
        .map(|disk| (disk.name(), disk.total_space()))
        .collect();
    Some(sizes.values().sum()).filter(|&bytes| bytes > 0)
}

fn file_systems(disks: &Disks) -> Vec<FileSystem<'_>> {
    disks
        .iter()
        .map(|disk| FileSystem {
            kind: disk.file_system().to_str().unwrap_or_default(),
            total: disk.total_space(),
            available: disk.available_space(),
        })
        .collect()
}

fn fullest(all: &[FileSystem<'_>]) -> Option<f64> {
    let fullest_of = |real: fn(&str) -> bool| {
        all.iter()
            .filter(|one| real(one.kind))
            .filter_map(|one| percent(one.total.saturating_sub(one.available), one.total))
            .max_by(f64::total_cmp)
    };
    fullest_of(|kind| !UNREAL.contains(&kind) && !VIEWS.contains(&kind))
        .or_else(|| fullest_of(|kind| VIEWS.contains(&kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn with_use(kind: &str, used: u64) -> FileSystem<'_> {
        FileSystem { kind, total: 100, available: 100 - used }
    }

    #[test]
    fn the_fullest_real_one_counts() {
        let all =
            [with_use("ext4", 40), with_use("xfs", 70), with_use("squashfs", 100), with_use("overlay", 90)];
        assert_eq!(fullest(&all), Some(70.0));
    }

    #[test]
    fn what_is_not_counted_is_no_nought() {
        assert!(!is_counted(0, 0) && is_counted(1, 0) && is_counted(0, 1));
    }

    #[test]
    fn a_container_tells_what_it_has() {
        assert_eq!(fullest(&[with_use("overlay", 90), with_use("tmpfs", 99)]), Some(90.0));
        assert_eq!(fullest(&[with_use("tmpfs", 99)]), None);
        assert_eq!(fullest(&[FileSystem { kind: "ext4", total: 0, available: 0 }]), None);
    }
}
