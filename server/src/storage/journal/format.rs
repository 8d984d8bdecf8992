//! How a segment looks on disk: a header, then records: a frame and a payload, each with its checksum.
//!
//! ```text
//! header  8 magic · 4 version · 8 segment number · 4 CRC-32 of the 20 bytes before
//! record  4 length · 4 CRC-32 of the place · 4 CRC-32 of place and payload · payload
//! ```
//!
//! Numbers are little-endian. A record's place is its length, the segment's number and the record's offset: a
//! whole old record that turns up elsewhere never counts. The frame can be told by itself, so that records
//! behind a damaged one are found by one cheap look at each byte, and a damaged payload does not hide where its
//! record ends. A record has at least one byte: a stretch of zeros, as a crash may leave it, is none.

/// Bytes of one record's payload: what a group commit may hold, and more than two of them in memory.
pub const RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What stands before the first record.
pub(super) const HEADER_BYTES: usize = 24;
/// What stands before a payload.
pub(super) const FRAME_BYTES: usize = 12;

const MAGIC: [u8; 8] = *b"journal\n";
/// 1 had no checksum of the place.
pub(super) const VERSION: u32 = 2;
/// The header without its checksum.
const HEADER_CHECKED_BYTES: usize = HEADER_BYTES - 4;

const _: () = assert!(RECORD_BYTES_MAX < u32::MAX as usize);

/// What the first bytes of a segment say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A segment of this number, in the form written here.
    Segment(u64),
    /// A whole header of another form: another program's.
    Version(u32),
    /// Not whole.
    Torn,
}

pub(super) fn header(segment: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..20].copy_from_slice(&segment.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..HEADER_CHECKED_BYTES]);
    bytes[HEADER_CHECKED_BYTES..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

pub(super) fn read_header(bytes: &[u8; HEADER_BYTES]) -> Header {
    let checksum = crc32fast::hash(&bytes[..HEADER_CHECKED_BYTES]);
    if bytes[..8] != MAGIC || bytes[HEADER_CHECKED_BYTES..] != checksum.to_le_bytes() {
        return Header::Torn;
    }
    match u32_at(bytes, 8) {
        VERSION => Header::Segment(u64::from(u32_at(bytes, 12)) | u64::from(u32_at(bytes, 16)) << 32),
        version => Header::Version(version),
    }
}

/// Puts a record's bytes, frame and all, into `into`; `payload` holds at most [`RECORD_BYTES_MAX`].
pub(super) fn frame(into: &mut Vec<u8>, segment: u64, offset: u64, payload: &[u8]) {
    let length = payload.len() as u32;
    let mut checksum = place(length, segment, offset);
    into.clear();
    into.extend_from_slice(&length.to_le_bytes());
    into.extend_from_slice(&checksum.clone().finalize().to_le_bytes());
    checksum.update(payload);
    into.extend_from_slice(&checksum.finalize().to_le_bytes());
    into.extend_from_slice(payload);
}

/// What stands before a payload, once its checksum said that it does.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Bytes of the payload, 1 to [`RECORD_BYTES_MAX`].
    pub(super) length: usize,
    place: crc32fast::Hasher,
    checksum: u32,
}

impl Frame {
    /// Reads the first [`FRAME_BYTES`] of `bytes`, which stand at `offset`; `None` if they are no frame of this
    /// place.
    pub(super) fn read(bytes: &[u8], segment: u64, offset: u64) -> Option<Self> {
        let length = u32_at(bytes, 0);
        if length == 0 || length as usize > RECORD_BYTES_MAX {
            return None;
        }
        let place = place(length, segment, offset);
        let is_whole = place.clone().finalize() == u32_at(bytes, 4);
        is_whole.then(|| Self { length: length as usize, place, checksum: u32_at(bytes, 8) })
    }

    /// Whether `payload` is what was written behind this frame.
    pub(super) fn holds(&self, payload: &[u8]) -> bool {
        let mut checksum = self.place.clone();
        checksum.update(payload);
        payload.len() == self.length && checksum.finalize() == self.checksum
    }
}

fn place(length: u32, segment: u64, offset: u64) -> crc32fast::Hasher {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(&segment.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
