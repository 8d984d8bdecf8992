//! One record of the spool on disk: how it is written, and how what a crash left of it is told apart.
//!
//! ```text
//! length u32 · crc32 u32 (of what follows) · number u64 · kind u8 · microseconds since 1970 i64 · JSON
//! ```
//! All little-endian; the length counts what follows the crc.

use pingup_protocol::{limits::BATCH_BODY_BYTES_MAX, time::Timestamp};
use std::io::{self, Read};

/// Bytes of one record at most: what the hub takes as one body.
pub const RECORD_BYTES_MAX: usize = BATCH_BODY_BYTES_MAX;
/// Bytes before what the checksum covers.
const HEADER_BYTES: usize = 8;
/// Bytes of a record beside its JSON.
const FIXED_BYTES: usize = 17;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A sample.
    Sample,
    /// A scan.
    Scan,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the order of everything this spool ever held.
    pub number: u64,
    /// What it holds.
    pub kind: Kind,
    /// When it was measured.
    pub timestamp: Timestamp,
    /// The body's part that is its own.
    pub json: Vec<u8>,
}

impl Record {
    /// Bytes that it takes on disk.
    pub fn disk_bytes(&self) -> u64 {
        (HEADER_BYTES + FIXED_BYTES + self.json.len()) as u64
    }

    /// The bytes for the disk; `None` when it is larger than a record may be.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let length = FIXED_BYTES + self.json.len();
        if length > RECORD_BYTES_MAX {
            return None;
        }
        let mut bytes = Vec::with_capacity(HEADER_BYTES + length);
        bytes.extend_from_slice(&u32::try_from(length).ok()?.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.push(match self.kind {
            Kind::Sample => 1,
            Kind::Scan => 2,
        });
        bytes.extend_from_slice(&self.timestamp.as_micros().to_le_bytes());
        bytes.extend_from_slice(&self.json);
        let checksum = crc32fast::hash(&bytes[HEADER_BYTES..]);
        bytes[4..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
        Some(bytes)
    }
}

/// What stands at a place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A whole record.
    Record(Record),
    /// The end.
    End,
    /// Something that is no whole record: a crash in the middle of writing, or a bad disk.
    Torn,
}

/// The number of the record that `bytes` begin with, if they may begin with one: told without its checksum, so that a
/// record can be looked for at every byte.
pub(super) fn starts(bytes: &[u8]) -> Option<u64> {
    let length = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let number = u64::from_le_bytes(bytes.get(HEADER_BYTES..HEADER_BYTES + 8)?.try_into().ok()?);
    let is_kind = matches!(bytes.get(HEADER_BYTES + 8)?, 1 | 2);
    (is_kind && (FIXED_BYTES..=RECORD_BYTES_MAX).contains(&length)).then_some(number)
}

/// Reads what stands next.
pub(super) fn read(reader: &mut impl Read) -> io::Result<Found> {
    let mut header = [0; HEADER_BYTES];
    match read_up_to(reader, &mut header)? {
        0 => return Ok(Found::End),
        HEADER_BYTES => {}
        _ => return Ok(Found::Torn),
    }
    let [l0, l1, l2, l3, c0, c1, c2, c3] = header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if !(FIXED_BYTES..=RECORD_BYTES_MAX).contains(&length) {
        return Ok(Found::Torn);
    }
    let mut payload = vec![0; length];
    if read_up_to(reader, &mut payload)? < length
        || crc32fast::hash(&payload) != u32::from_le_bytes([c0, c1, c2, c3])
    {
        return Ok(Found::Torn);
    }
    Ok(decode(payload).map_or(Found::Torn, Found::Record))
}

fn decode(mut payload: Vec<u8>) -> Option<Record> {
    let number = u64::from_le_bytes(payload.get(..8)?.try_into().ok()?);
    let kind = match payload.get(8)? {
        1 => Kind::Sample,
        2 => Kind::Scan,
        _ => return None,
    };
    let timestamp = i64::from_le_bytes(payload.get(9..FIXED_BYTES)?.try_into().ok()?);
    payload.drain(..FIXED_BYTES);
    Some(Record { number, kind, timestamp: Timestamp::from_micros(timestamp), json: payload })
}

/// Fills `buffer` as far as there is something to read.
fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let timestamp = Timestamp::from_micros(-1);
        Record { number: 7, kind: Kind::Scan, timestamp, json: b"{\"hosts\":[]}".to_vec() }
    }

    #[test]
    fn a_record_survives_the_disk() {
        let bytes = record().encode().unwrap();
        assert_eq!(bytes.len() as u64, record().disk_bytes());
        let mut reader = bytes.as_slice();
        assert_eq!(read(&mut reader).unwrap(), Found::Record(record()));
        assert_eq!(read(&mut reader).unwrap(), Found::End);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_seen() {
        let bytes = record().encode().unwrap();
        for cut in 1..bytes.len() {
            assert_eq!(read(&mut &bytes[..cut]).unwrap(), Found::Torn, "cut at {cut}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&mut flipped.as_slice()).unwrap(), Found::Torn, "bit {bit}");
        }
        assert_eq!(read(&mut [0; 64].as_slice()).unwrap(), Found::Torn, "zeros that a crash left");
    }

    #[test]
    fn what_is_too_large_is_not_written() {
        let mut large = record();
        large.json = vec![b'x'; RECORD_BYTES_MAX];
        assert_eq!(large.encode(), None);
    }
}
