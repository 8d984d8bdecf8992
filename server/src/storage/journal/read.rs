//! Reading a segment from its beginning to the last whole record; also beside a process that writes it.

use super::{
    damage,
    format::{self, FRAME_BYTES, Frame, HEADER_BYTES, Header},
    names::segment_path,
};
use crate::storage::StorageError;
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

/// Bytes read from the file at once.
const READ_BYTES: usize = 256 * 1024;

/// Where a segment's whole records end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadEnd {
    /// The offset behind the last whole record; 0 when not even the header is whole.
    pub end: u64,
    /// Bytes that follow and are no whole record: 0 unless the last write did not come to its end, or has not
    /// yet.
    pub torn_bytes: u64,
}

/// As [`super::Journal::read`].
pub(super) fn read(
    folder: &Path,
    segment: u64,
    mut on_record: impl FnMut(&[u8]) -> Result<(), StorageError>,
) -> Result<ReadEnd, StorageError> {
    let path = segment_path(folder, segment);
    let file = File::open(&path).map_err(StorageError::file("open", &path))?;
    // What is appended from here on is not looked at: the end stays where it was when reading began.
    let length = file.metadata().map_err(StorageError::file("look at", &path))?.len();
    let mut bytes = BufReader::with_capacity(READ_BYTES, (&file).take(length));
    let mut end = 0;
    if check_header(&mut bytes, &path, segment)? {
        end = HEADER_BYTES as u64;
        let mut payload = Vec::new();
        while next(&mut bytes, segment, end, length, &mut payload)
            .map_err(StorageError::file("read", &path))?
        {
            on_record(&payload)?;
            end += (FRAME_BYTES + payload.len()) as u64;
        }
    }
    let torn_bytes = length.saturating_sub(end);
    if torn_bytes > 0 || end == 0 {
        damage::refuse(folder, segment, &file, end, length)?;
    }
    Ok(ReadEnd { end, torn_bytes })
}

/// Whether the header is whole; refuses one that is, but not of this segment.
fn check_header(bytes: &mut impl Read, path: &Path, segment: u64) -> Result<bool, StorageError> {
    let mut header = [0; HEADER_BYTES];
    if !fill(bytes, &mut header).map_err(StorageError::file("read", path))? {
        return Ok(false);
    }
    match format::read_header(&header) {
        Header::Torn => Ok(false),
        Header::Segment(found) if found == segment => Ok(true),
        Header::Segment(found) => Err(StorageError::Folder(format!(
            "{} holds the journal's segment {found}; it was renamed, give it its own name back",
            path.display()
        ))),
        Header::Version(found) => Err(StorageError::Folder(format!(
            "{} was written in form {found} of the journal, this program knows form {}; run the program that wrote it",
            path.display(),
            format::VERSION
        ))),
    }
}

/// Reads the record at `offset` into `payload`; whether there is a whole one before `file_end`.
pub(super) fn next(
    bytes: &mut impl Read,
    segment: u64,
    offset: u64,
    file_end: u64,
    payload: &mut Vec<u8>,
) -> io::Result<bool> {
    let mut frame = [0; FRAME_BYTES];
    if !fill(bytes, &mut frame)? {
        return Ok(false);
    }
    let Some(frame) = Frame::read(&frame, segment, offset) else { return Ok(false) };
    // Before memory is taken for it.
    if frame.length as u64 > file_end.saturating_sub(offset + FRAME_BYTES as u64) {
        return Ok(false);
    }
    payload.resize(frame.length, 0);
    Ok(fill(bytes, payload)? && frame.holds(payload))
}

/// Fills `into`; false when the file ends before.
fn fill(bytes: &mut impl Read, into: &mut [u8]) -> io::Result<bool> {
    match bytes.read_exact(into) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
