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
    /// Whether what a failed write left could not be cut off: nothing can follow it.
    pub(super) is_broken: bool,
}

fn file_name(before: u64) -> String {
    format!("{before:020}.{EXTENSION}")
}

impl Segment {
    /// A new segment for the records after number `before`.
    pub(super) fn create(directory: &Path, before: u64) -> io::Result<(Self, File)> {
        let path = directory.join(file_name(before));
        let file = open_for_append(&path)?;
        // Whatever was left there by a write that failed.
        file.set_len(0)?;
        crate::state::sync_directory(directory)?;
        Ok((Self::empty(before, path), file))
    }

    const fn empty(before: u64, path: PathBuf) -> Self {
        let newest = Timestamp::from_micros(i64::MIN);
        Self { path, last: before, before, bytes: 0, first: None, newest, is_broken: false }
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

    /// Reads a segment through, up to what is no whole record that follows the ones before; says whether there was such.
    pub(super) fn scan(before: u64, path: PathBuf) -> io::Result<(Self, bool)> {
        let mut segment = Self::empty(before, path);
        let mut reader = BufReader::new(File::open(&segment.path)?);
        let is_torn = loop {
            match read(&mut reader)? {
                Found::Record(record) if record.number > segment.last => segment.note(&record),
                Found::End => break false,
                Found::Record(_) | Found::Torn => break true,
            }
        };
        Ok((segment, is_torn))
    }

    /// Cuts off whatever follows its last whole record.
    pub(super) fn cut(&self) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(&self.path)?;
        file.set_len(self.bytes)?;
        file.sync_all()
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a segment beside it is that holds the records after number `before`.
    pub(super) fn sibling(&self, before: u64) -> PathBuf {
        self.path.with_file_name(file_name(before))
    }

    /// Opens it for appending.
    pub(super) fn file(&self) -> io::Result<File> {
        open_for_append(&self.path)
    }

    /// Appends `record` to `file`, which is this segment's; it is on disk when this returns. When it cannot be
    /// written, nothing of it stays; when that cannot be had either, nothing is appended here any more.
    pub(super) fn append(&mut self, file: &mut File, record: &Record, bytes: &[u8]) -> io::Result<()> {
        match file.write_all(bytes).and_then(|()| file.sync_data()) {
            Ok(()) => {
                self.note(record);
                Ok(())
            }
            Err(error) => {
                self.is_broken = file.set_len(self.bytes).is_err();
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
