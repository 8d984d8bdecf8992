//! A segment: a file of records, appended to until it is full, read from the front, removed as a whole.

use super::record::{Found, Record, read};
use crate::state::open_for_append;
use pingup_protocol::time::Timestamp;
use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

const EXTENSION: &str = "records";

/// What is known of a segment without reading it.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    /// The number of its last record; the one before its first while it is empty.
    pub(super) last: u64,
    /// The number of the record before its first.
    pub(super) before: u64,
    /// Bytes of whole records.
    pub(super) bytes: u64,
    /// The timestamp of its first record.
    pub(super) first: Option<Timestamp>,
    /// The newest timestamp in it.
    pub(super) newest: Timestamp,
}

impl Segment {
    /// A new segment for the records after number `before`.
    pub(super) fn create(directory: &Path, before: u64) -> io::Result<(Self, File)> {
        let path = directory.join(format!("{before:020}.{EXTENSION}"));
        let file = open_for_append(&path)?;
        crate::state::sync_directory(directory)?;
        Ok((Self::empty(before, path), file))
    }

    const fn empty(before: u64, path: PathBuf) -> Self {
        let newest = Timestamp::from_micros(i64::MIN);
        Self { path, last: before, before, bytes: 0, first: None, newest }
    }

    /// The segments of `directory`, by their names, in order.
    pub(super) fn list(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            let is_segment = path.extension().is_some_and(|extension| extension == EXTENSION);
            let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            if let (true, Some(number)) = (is_segment, number) {
                found.push((number, path));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Reads a segment through. Whatever follows its last whole record is cut off; says whether there was
    /// anything.
    pub(super) fn open(before: u64, path: PathBuf) -> io::Result<(Self, bool)> {
        let mut segment = Self::empty(before, path);
        let mut reader = BufReader::new(File::open(&segment.path)?);
        let torn = loop {
            match read(&mut reader)? {
                Found::Record(record) if record.number > segment.last => segment.note(&record),
                Found::End => break false,
                Found::Record(_) | Found::Torn => break true,
            }
        };
        if torn {
            let file = OpenOptions::new().write(true).open(&segment.path)?;
            file.set_len(segment.bytes)?;
            file.sync_all()?;
        }
        Ok((segment, torn))
    }

    /// Opens it for appending.
    pub(super) fn file(&self) -> io::Result<File> {
        open_for_append(&self.path)
    }

    /// Appends `record` to `file`, which is this segment's; it is on disk when this returns. When it cannot be
    /// written, nothing of it stays.
    pub(super) fn append(&mut self, file: &mut File, record: &Record, bytes: &[u8]) -> io::Result<()> {
        match file.write_all(bytes).and_then(|()| file.sync_data()) {
            Ok(()) => {
                self.note(record);
                Ok(())
            }
            Err(error) => {
                file.set_len(self.bytes)?;
                Err(error)
            }
        }
    }

    fn note(&mut self, record: &Record) {
        self.last = record.number;
        self.bytes += record.disk_bytes();
        self.first.get_or_insert(record.timestamp);
        self.newest = self.newest.max(record.timestamp);
    }

    /// Shows `visit` the records after number `floor`, in order, until it has enough.
    pub(super) fn read(
        &self,
        floor: u64,
        visit: &mut impl FnMut(Record) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let mut reader = BufReader::new(File::open(&self.path)?);
        while let Found::Record(record) = read(&mut reader)? {
            if record.number > floor && visit(record).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Removes the file.
    pub(super) fn remove(self) -> io::Result<()> {
        std::fs::remove_file(self.path)
    }
}
