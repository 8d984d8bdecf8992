//! A look into a spool from outside: what `doctor` tells.

use super::{SpoolError, segment::Segment, stream::Stream};
use std::path::Path;

/// What is in a spool, seen without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of its segments.
    pub bytes: u64,
    /// Records that went without the hub having had them, ever.
    pub dropped: u64,
}

/// Looks into the spool in `directory`, beside an agent that works with it or without one; changes nothing.
pub fn examine(directory: &Path) -> Result<Summary, SpoolError> {
    let stream = Stream::load(&directory.join("stream.json"))?;
    let io = |error| SpoolError::Io { directory: directory.to_owned(), error };
    let listed = Segment::list(directory).map_err(io)?;
    // One that is gone by now was sent.
    let bytes =
        listed.iter().filter_map(|(_, path)| std::fs::metadata(path).ok()).map(|file| file.len()).sum();
    Ok(Summary { bytes, dropped: stream.map_or(0, |stream| stream.dropped) })
}
