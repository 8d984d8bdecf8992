//! The journal: append-only files (segments) of checksummed records, each synced before it is confirmed.
//!
//! Promises: a record answered `Ok` is on disk, whole, and read back after any crash. One answered `Err` is
//! not there: what was written of it is cut off before anything else is appended, and as long as that cannot
//! be done every append fails (a failed sync leaves open what the page cache still claims). Only a crash
//! right after such a failure, before the cut, can leave the refused record; whoever appends it again must
//! know it by its content. Only the newest segment can have a torn end.
//!
//! Refuses: records that are empty or beyond [`RECORD_BYTES_MAX`], appends below the disk's reserve, a
//! segment number that does not rise, a file that another form of this program wrote, one that is damaged
//! before its last record (`damage`). A reader needs no `Journal`: it may be another process
//! ([`Journal::read`]).

mod damage;
mod format;
mod names;
mod read;

use self::{
    format::HEADER_BYTES,
    names::{segment_path, segments, sync_folder},
};
pub use self::{format::RECORD_BYTES_MAX, read::ReadEnd};
use super::{DiskSpace, Faults, StorageError};
use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Searchable by the owner, by nobody else; and its files.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// What the buffer for one record keeps of its memory between appends, in bytes.
const FRAME_KEPT_BYTES_MAX: usize = 1024 * 1024;

/// The one writer of a journal's folder.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    disk: DiskSpace,
    faults: Faults,
    current: Option<Segment>,
    /// One that could not be begun. Its file goes before anything more is appended to the current one: only
    /// the newest on disk may be torn.
    unbegun: Option<u64>,
    frame: Vec<u8>,
}

/// The segment that is written.
#[derive(Debug)]
struct Segment {
    number: u64,
    path: PathBuf,
    file: File,
    /// Behind the last record that was confirmed.
    end: u64,
    /// Something may stand behind `end`, or may not be what the page cache says.
    torn: bool,
}

impl Journal {
    /// Opens the folder, making it if it is missing; its parent must be there. Nothing can be appended before
    /// [`Journal::resume`] or [`Journal::begin`].
    pub fn open(folder: &Path, disk: DiskSpace, faults: Faults) -> Result<Self, StorageError> {
        if !folder.is_dir() {
            faults.at_path("journal folder", folder)?;
            DirBuilder::new()
                .mode(FOLDER_MODE)
                .create(folder)
                .map_err(StorageError::file("create the journal's folder", folder))?;
        }
        // Also when it was there: the hub that made it may have ended before this.
        if let Some(parent) = folder.parent() {
            sync_folder(parent, &faults)?;
        }
        Ok(Self { folder: folder.to_owned(), disk, faults, current: None, unbegun: None, frame: Vec::new() })
    }

    /// Where a segment of the journal in `folder` lies.
    pub fn path(folder: &Path, segment: u64) -> PathBuf {
        segment_path(folder, segment)
    }

    /// Numbers of the segments on disk, rising.
    pub fn segments(folder: &Path) -> Result<Vec<u64>, StorageError> {
        segments(folder)
    }

    /// Hands over every whole record of a segment in order; says where they end and how many torn bytes
    /// follow. Works beside a hub that writes; stops at the first error of `on_record`.
    ///
    /// Refuses, once the whole records were handed over, a segment in which more was written behind what is
    /// not whole: that is no torn end, and cutting it off would lose what was confirmed.
    pub fn read(
        folder: &Path,
        segment: u64,
        on_record: impl FnMut(&[u8]) -> Result<(), StorageError>,
    ) -> Result<ReadEnd, StorageError> {
        read::read(folder, segment, on_record)
    }

    /// Goes on writing the newest segment at `end`, where [`Journal::read`] found its whole records end: cuts
    /// off what is torn, gives it a header if even that is not whole, syncs.
    pub fn resume(&mut self, segment: u64, end: u64) -> Result<(), StorageError> {
        let path = segment_path(&self.folder, segment);
        let file = File::options().write(true).open(&path).map_err(StorageError::file("open", &path))?;
        let found = file.metadata().map_err(StorageError::file("look at", &path))?.len();
        if found < end {
            let source =
                io::Error::new(io::ErrorKind::InvalidInput, format!("it ends at {found}, not {end}"));
            return Err(StorageError::File { doing: "go on writing", path, source });
        }
        let mut resumed = Segment { number: segment, path, file, end, torn: true };
        if end < HEADER_BYTES as u64 {
            resumed.end = 0;
            resumed.mend(&self.faults)?;
            resumed.write_header(&self.faults)?;
        } else {
            resumed.mend(&self.faults)?;
        }
        sync_folder(&self.folder, &self.faults)?;
        self.current = Some(resumed);
        Ok(())
    }

    /// Makes a new segment and writes there from now on; on failure the old one stays current.
    ///
    /// Refused while the old one cannot be mended. A file of that number without records, left by a failure
    /// of this, is replaced.
    pub fn begin(&mut self, segment: u64) -> Result<(), StorageError> {
        self.remove_unbegun()?;
        let path = segment_path(&self.folder, segment);
        if let Some(current) = &mut self.current {
            current.mend(&self.faults)?;
            if segment <= current.number {
                return Err(taken(path));
            }
        }
        if path.metadata().is_ok_and(|found| found.len() > HEADER_BYTES as u64) {
            return Err(taken(path));
        }
        self.faults.at_path("journal create", &path)?;
        self.unbegun = Some(segment);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(StorageError::file("create", &path))?;
        let mut begun = Segment { number: segment, path, file, end: 0, torn: false };
        begun.write_header(&self.faults)?;
        sync_folder(&self.folder, &self.faults)?;
        self.current = Some(begun);
        self.unbegun = None;
        Ok(())
    }

    /// Appends a record and syncs it to disk. `Ok`: on disk, whole. `Err`: not there.
    pub fn append(&mut self, record: &[u8]) -> Result<(), StorageError> {
        self.faults.stand_still();
        self.disk.check()?;
        self.remove_unbegun()?;
        let Some(current) = &mut self.current else { return Err(StorageError::Closed) };
        if record.is_empty() || record.len() > RECORD_BYTES_MAX {
            let said = format!("a record has 1 to {RECORD_BYTES_MAX} bytes, this one {}", record.len());
            let source = io::Error::new(io::ErrorKind::InvalidInput, said);
            return Err(StorageError::File { doing: "append to", path: current.path.clone(), source });
        }
        current.mend(&self.faults)?;
        format::frame(&mut self.frame, current.number, current.end, record);
        let written = current.write(&self.frame, &self.faults);
        self.frame.clear();
        self.frame.shrink_to(FRAME_KEPT_BYTES_MAX);
        written.inspect_err(|_| {
            // At once, so that a crash does not leave what was refused; else before the next append.
            if let Err(error) = current.mend(&self.faults) {
                tracing::warn!(%error, "the journal cannot be mended yet; the next append tries again");
            }
        })
    }

    /// Takes away, durably, what is left of a segment that could not be begun.
    fn remove_unbegun(&mut self) -> Result<(), StorageError> {
        let Some(segment) = self.unbegun else { return Ok(()) };
        let path = segment_path(&self.folder, segment);
        self.faults.at_path("journal remove", &path)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StorageError::file("remove", path)(error));
            }
            _ => {}
        }
        sync_folder(&self.folder, &self.faults)?;
        self.unbegun = None;
        Ok(())
    }

    /// The segment that is written, if any.
    pub fn current(&self) -> Option<u64> {
        self.current.as_ref().map(|current| current.number)
    }

    /// How long it is, its header included; 0 where there is none.
    pub fn current_bytes(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.end)
    }
}

impl Segment {
    /// Writes at the end and syncs; on failure the segment is torn.
    fn write(&mut self, bytes: &[u8], faults: &Faults) -> Result<(), StorageError> {
        self.torn = true;
        faults.at_path("journal write", &self.path)?;
        self.file.write_all_at(bytes, self.end).map_err(StorageError::file("write", &self.path))?;
        faults.at_path("journal sync", &self.path)?;
        self.file.sync_data().map_err(StorageError::file("sync", &self.path))?;
        self.end += bytes.len() as u64;
        self.torn = false;
        Ok(())
    }

    fn write_header(&mut self, faults: &Faults) -> Result<(), StorageError> {
        self.write(&format::header(self.number), faults)
    }

    /// Cuts off whatever stands behind the last confirmed record, on disk as in the page cache.
    fn mend(&mut self, faults: &Faults) -> Result<(), StorageError> {
        if !self.torn {
            return Ok(());
        }
        faults.at_path("journal cut", &self.path)?;
        self.file.set_len(self.end).map_err(StorageError::file("cut", &self.path))?;
        faults.at_path("journal sync", &self.path)?;
        // Not the data alone: that the file is shorter must be on disk before anything is begun behind it.
        self.file.sync_all().map_err(StorageError::file("sync", &self.path))?;
        self.torn = false;
        Ok(())
    }
}

fn taken(path: PathBuf) -> StorageError {
    StorageError::File { doing: "begin", path, source: io::ErrorKind::AlreadyExists.into() }
}

#[cfg(test)]
mod tests;
