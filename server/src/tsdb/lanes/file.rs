//! A column's bytes of one row group: read at once where they are few, page by page where they are many.

use bytes::{Buf, Bytes};
use parquet::{
    errors::{ParquetError, Result},
    file::reader::{ChunkReader, Length},
};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

/// What is read at once. A question holds one of these for each column of each file that it reads side by side.
pub const CHUNK_BYTES_MAX: u64 = 512 * 1024;

/// Where a column's bytes are read from; places are those of the file.
pub(super) enum Chunk {
    /// All of them, from this place on.
    Read(u64, Bytes),
    /// The file, of which pages are read as they are needed.
    File(File),
}

impl Chunk {
    /// The `length` bytes from `start` on, read at once if they are no more than `most`.
    pub(super) fn open(file: &File, start: u64, length: u64, most: u64) -> io::Result<Self> {
        if length > most.min(CHUNK_BYTES_MAX) {
            return Ok(Self::File(file.try_clone()?));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        let mut file = file;
        file.seek(SeekFrom::Start(start))?;
        file.take(length).read_to_end(&mut bytes)?;
        Ok(Self::Read(start, bytes.into()))
    }
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        match self {
            Self::Read(start, bytes) => start + bytes.len() as u64,
            Self::File(file) => Length::len(file),
        }
    }
}

impl ChunkReader for Chunk {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        match self {
            Self::Read(first, bytes) => {
                let from = place(*first, start, bytes.len())?;
                Ok(Box::new(bytes.slice(from..).reader()))
            }
            Self::File(file) => Ok(Box::new(file.get_read(start)?)),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        match self {
            Self::Read(first, bytes) => {
                let from = place(*first, start, bytes.len())?;
                let to = from.checked_add(length).filter(|to| *to <= bytes.len()).ok_or_else(cut)?;
                Ok(bytes.slice(from..to))
            }
            Self::File(file) => file.get_bytes(start, length),
        }
    }
}

fn place(first: u64, at: u64, length: usize) -> Result<usize> {
    let from = at.checked_sub(first).and_then(|from| usize::try_from(from).ok());
    from.filter(|from| *from <= length).ok_or_else(cut)
}

fn cut() -> ParquetError {
    ParquetError::EOF("a column ends before its last page".to_owned())
}
