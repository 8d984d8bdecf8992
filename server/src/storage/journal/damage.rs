//! Tells a write that did not come to its end from damage.
//!
//! A crash leaves a torn end only where the last write was. The one writer begins nothing before what stands
//! there is synced or cut off, cut and sync included:
//!
//! - a record, before the record before it is whole on disk;
//! - the first record, before the header is;
//! - the next segment, before the last record of this one is. One that could not be begun is taken away again
//!   before anything more is appended here.
//!
//! So where something stands behind what is not whole, that was whole once, and answered: it was damaged since.
//! Taken for torn, it would be cut off with all answered records behind it. Damage in the very last record looks
//! like a torn write and cannot be told from one.

use super::{
    format::{self, FRAME_BYTES, Frame, HEADER_BYTES, Header},
    names::{segment_path, segments},
    read,
};
use crate::storage::StorageError;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    path::Path,
};

/// Bytes looked through at once for a record.
const SEARCH_BYTES: usize = 64 * 1024;
const _: () = assert!(SEARCH_BYTES > FRAME_BYTES);

/// Refuses a segment whose records are whole up to `end` only, if something was written behind what follows.
/// `length` is what the file had when reading began; a hub may go on writing it.
pub(super) fn refuse(
    folder: &Path,
    segment: u64,
    file: &File,
    end: u64,
    length: u64,
) -> Result<(), StorageError> {
    let path = segment_path(folder, segment);
    let has_next = segments(folder)?.last().is_some_and(|newest| *newest > segment);
    // In this order: beside a hub, what was found behind may have come after what stands at the end was read.
    let damaged =
        has_next || is_followed(file, segment, end, length).map_err(StorageError::file("read", &path))?;
    if !damaged || is_whole_by_now(file, segment, end).map_err(StorageError::file("read", &path))? {
        return Ok(());
    }
    Err(StorageError::Folder(format!(
        "{} is damaged from byte {end} on: what stands there is not whole, and more was written behind it; nothing \
         was changed. Restore a backup, or see \"When the journal is damaged\" in docs/operations.md",
        path.display()
    )))
}

/// Whether something was written behind what begins at `end`.
fn is_followed(file: &File, segment: u64, end: u64, length: u64) -> io::Result<bool> {
    if end < HEADER_BYTES as u64 {
        return Ok(length > HEADER_BYTES as u64);
    }
    Ok(match find_frame(file, segment, end, length)? {
        None => false,
        Some((at, frame)) => at > end || length - at > (FRAME_BYTES + frame.length) as u64,
    })
}

/// The first frame from `from` on, and where it stands.
fn find_frame(file: &File, segment: u64, from: u64, length: u64) -> io::Result<Option<(u64, Frame)>> {
    let mut block = vec![0; SEARCH_BYTES];
    let mut at = from;
    loop {
        let filled = fill_at(file, &mut block, at, length)?;
        let mut frames = block[..filled].windows(FRAME_BYTES).zip(at..);
        if let Some(found) = frames.find_map(|(bytes, at)| Some((at, Frame::read(bytes, segment, at)?))) {
            return Ok(Some(found));
        }
        if filled < block.len() {
            return Ok(None);
        }
        // The last bytes may be the beginning of one.
        at += (filled - FRAME_BYTES + 1) as u64;
    }
}

/// Reads from `at` until `block` is full or the file, or what of it counts, ends; how many bytes.
fn fill_at(file: &File, block: &mut [u8], at: u64, length: u64) -> io::Result<usize> {
    let rest = usize::try_from(length.saturating_sub(at)).unwrap_or(usize::MAX);
    let wanted = rest.min(block.len());
    let mut filled = 0;
    while filled < wanted {
        match file.read_at(&mut block[filled..wanted], at + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether what begins at `end` was being written as it was read: it is whole by now, or cut off.
fn is_whole_by_now(mut file: &File, segment: u64, end: u64) -> io::Result<bool> {
    let length = file.metadata()?.len();
    if end < HEADER_BYTES as u64 {
        let mut header = [0; HEADER_BYTES];
        let filled = fill_at(file, &mut header, 0, length)?;
        return Ok(filled == HEADER_BYTES && format::read_header(&header) != Header::Torn);
    }
    file.seek(SeekFrom::Start(end))?;
    Ok(length <= end || read::next(&mut file.take(length - end), segment, end, length, &mut Vec::new())?)
}
