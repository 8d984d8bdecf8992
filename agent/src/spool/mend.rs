//! Opening a segment that a crash or a bad disk may have left: what is whole stays, wherever it stands in it.
//!
//! A crash tears the last write, and that is cut off. Where something whole stands behind what is not, it is damage: the
//! segment is parted there, and only the records that are damaged are lost. Otherwise their numbers, and those of all
//! behind them, would be given out again, and the hub takes a number once.

use super::{
    SEGMENT_BYTES_MAX,
    record::{Found, RECORD_BYTES_MAX, read, starts},
    segment::Segment,
};
use crate::state::{StateError, write_durably};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};

/// Bytes of a segment that are looked through behind damage: as many as one can have.
const REST_BYTES_MAX: u64 = SEGMENT_BYTES_MAX + 2 * RECORD_BYTES_MAX as u64;

/// What became of one segment.
#[derive(Debug, Default)]
pub(super) struct Mended {
    /// What is left of it: itself, or its parts.
    pub(super) parts: Vec<Segment>,
    /// The numbers that are lost between them: those after the first, up to the second.
    pub(super) gaps: Vec<(u64, u64)>,
    /// Whether something was cut off its end.
    pub(super) is_cut: bool,
}

/// Reads a segment through; parts it where it is damaged, and cuts off what follows its last whole record.
pub(super) fn open(before: u64, path: PathBuf) -> Result<Mended, StateError> {
    let mut mended = Mended::default();
    let mut next = Some((before, path));
    while let Some((before, path)) = next.take() {
        let (segment, is_torn) = Segment::scan(before, path.clone()).map_err(StateError::io(&path))?;
        mended.is_cut = is_torn;
        if is_torn {
            next = part(&segment)?;
            if let Some((rest_before, rest)) = &next {
                mended.gaps.push((segment.last, *rest_before));
                if segment.bytes == 0 {
                    // Its rest took its name, or its place.
                    if *rest != path {
                        segment.remove().map_err(StateError::io(&path))?;
                    }
                    continue;
                }
            }
            segment.cut().map_err(StateError::io(&path))?;
        }
        mended.parts.push(segment);
    }
    Ok(mended)
}

/// Puts what is whole behind the damage of `segment` into a segment of its own, before the damage is cut off: a crash in
/// between leaves both, and the same is done again.
fn part(segment: &Segment) -> Result<Option<(u64, PathBuf)>, StateError> {
    let rest = rest(segment).map_err(StateError::io(segment.path()))?;
    // More than one record a few bytes of what is left there cannot be.
    let most = segment.last.saturating_add(rest.len() as u64);
    let whole = (0..rest.len()).find_map(|at| {
        let bytes = rest.get(at..)?;
        if !starts(bytes).is_some_and(|number| number > segment.last && number <= most) {
            return None;
        }
        match read(&mut { bytes }) {
            Ok(Found::Record(record)) => Some((record.number - 1, bytes)),
            _ => None,
        }
    });
    let Some((before, bytes)) = whole else { return Ok(None) };
    let path = segment.sibling(before);
    write_durably(&path, bytes)?;
    Ok(Some((before, path)))
}

/// What stands behind the last whole record of `segment`, but for the first byte of it: where that begins, nothing whole
/// does.
fn rest(segment: &Segment) -> io::Result<Vec<u8>> {
    let mut file = File::open(segment.path())?;
    file.seek(SeekFrom::Start(segment.bytes + 1))?;
    let mut rest = Vec::new();
    file.take(REST_BYTES_MAX).read_to_end(&mut rest)?;
    Ok(rest)
}
