//! For tests: a data folder of its own that goes away afterwards, with real engines in it.

use super::{DataFolder, DiskSpace, Duck, DuckSettings, Sqlite};
use pingup_protocol::time::Timestamp;
use tempfile::TempDir;

/// A scratch data folder.
pub(crate) struct Scratch {
    _place: TempDir,
    pub(crate) folder: DataFolder,
    pub(crate) disk: DiskSpace,
}

impl Scratch {
    /// A folder on a disk with room.
    pub(crate) fn new() -> Self {
        Self::with_reserve(0)
    }

    /// A folder on a disk of which `reserve_bytes` must stay free.
    pub(crate) fn with_reserve(reserve_bytes: u64) -> Self {
        let place = tempfile::tempdir().expect("a folder for scratch data");
        let folder = DataFolder::open_or_create(&place.path().join("data")).expect("a data folder in it");
        folder.master_or_create().expect("its master key");
        let disk = DiskSpace::watch(folder.path(), reserve_bytes).expect("the folder's free space");
        Self { _place: place, folder, disk }
    }

    /// The records, migrated; called again, the same file.
    pub(crate) fn sqlite(&self) -> Sqlite {
        Sqlite::open(&self.folder.sqlite_path(), self.disk.clone(), Timestamp::default())
            .expect("SQLite opens")
    }

    /// The query engine, which may read and write in the folder.
    pub(crate) fn duck(&self) -> Duck {
        let spill = self.folder.path().join("tmp");
        Duck::open(DuckSettings::default(), &spill, &[self.folder.path().to_owned()]).expect("DuckDB opens")
    }
}
