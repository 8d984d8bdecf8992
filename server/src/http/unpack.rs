//! Bodies that come packed, and what is made of them: a small body can be the picture of a large one, so both have
//! bounds, and what they take is counted before there is room for it.

use super::body::{Budget, Share};
use flate2::read::MultiGzDecoder;
use std::{
    io::{self, Read},
    sync::{Arc, atomic::AtomicUsize},
};

/// The memory that all requests share is asked for in pieces of this size: asking is not free.
const PIECE_BYTES: usize = 64 * 1024;

/// Why a packed body is not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Not what it says it is.
    #[error("the body is no snappy block: {0}")]
    Snappy(#[from] snap::Error),
    /// Not what it says it is.
    #[error("the body is no gzip: {0}")]
    Gzip(io::Error),
    /// Larger than it may be.
    #[error("a request has at most {0} bytes, unpacked")]
    TooLong(usize),
    /// There is no room for it.
    #[error(transparent)]
    Room(#[from] RoomError),
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    /// Others have it: it may be there later.
    #[error("too many requests are being read at once; try again")]
    Taken,
    /// Other requests of the same sender have its share: it may be there later.
    #[error(
        "too many requests of this sender are being read at once; send them one after the other, and this again"
    )]
    TakenBySender,
    /// One request may not have so much.
    #[error("what the request holds takes more than {0} bytes of memory; send less at once")]
    TooMuch(usize),
}

/// What one request may take of the memory that all share: its unpacked body, and all that is made of it. Given back when
/// this is dropped.
#[derive(Debug)]
pub struct Allowance {
    share: Share<Arc<AtomicUsize>>,
    /// The same, of what its sender has.
    own: Option<Share<Arc<AtomicUsize>>>,
    bytes_max: usize,
    used: usize,
}

impl Allowance {
    /// Up to `bytes_max` of what the budget has left.
    pub fn of(budget: &Budget, bytes_max: usize) -> Self {
        Self { share: budget.open(), own: None, bytes_max, used: 0 }
    }

    /// And no more than this has left, too.
    #[must_use]
    pub fn within(self, own: &Budget) -> Self {
        Self { own: Some(own.open()), ..self }
    }

    /// Counts `bytes` that are about to be filled.
    ///
    /// # Errors
    /// There is no room for them.
    pub fn take(&mut self, bytes: usize) -> Result<(), RoomError> {
        self.used = self.used.saturating_add(bytes);
        if self.used > self.bytes_max {
            return Err(RoomError::TooMuch(self.bytes_max));
        }
        let wanted = self.used.saturating_sub(self.share.bytes());
        let pieces = wanted.div_ceil(PIECE_BYTES).saturating_mul(PIECE_BYTES);
        if pieces == 0 {
            return Ok(());
        }
        if self.own.as_mut().is_some_and(|own| !own.grow(pieces)) {
            return Err(RoomError::TakenBySender);
        }
        if self.share.grow(pieces) { Ok(()) } else { Err(RoomError::Taken) }
    }

    /// What was counted so far, bytes.
    pub const fn used(&self) -> usize {
        self.used
    }

    /// Has only so much been counted: the rest is gone. Of what all share it stays taken, for what comes next.
    pub fn go_back_to(&mut self, used: usize) {
        self.used = self.used.min(used);
    }
}

/// A block of snappy, unopened. It says how long it is.
#[derive(Debug)]
pub struct Snappy<'a> {
    packed: &'a [u8],
    length: usize,
}

impl<'a> Snappy<'a> {
    /// A block of at most `bytes_max`, unpacked.
    ///
    /// # Errors
    /// It is longer by its own account, or no block at all.
    pub fn new(packed: &'a [u8], bytes_max: usize) -> Result<Self, UnpackError> {
        let length = snap::raw::decompress_len(packed)?;
        if length > bytes_max { Err(UnpackError::TooLong(bytes_max)) } else { Ok(Self { packed, length }) }
    }

    /// How long it will be, bytes.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// What is in it.
    ///
    /// # Errors
    /// It is broken.
    pub fn unpack(self) -> Result<Vec<u8>, UnpackError> {
        Ok(snap::raw::Decoder::new().decompress_vec(self.packed)?)
    }
}

/// Unpacks gzip of at most `bytes_max`, unpacked. It does not say how long it is, so its room grows with it.
///
/// # Errors
/// It is longer, it is broken, or there is no room for it.
pub fn gunzip(packed: &[u8], bytes_max: usize, allowance: &mut Allowance) -> Result<Vec<u8>, UnpackError> {
    let mut from = MultiGzDecoder::new(packed);
    let mut out = Vec::new();
    loop {
        let more = out.capacity().max(PIECE_BYTES);
        allowance.take(more)?;
        out.reserve_exact(more);
        let before = out.len();
        let piece = (out.capacity() - before) as u64;
        let read = from.by_ref().take(piece).read_to_end(&mut out).map_err(UnpackError::Gzip)?;
        if out.len() > bytes_max {
            return Err(UnpackError::TooLong(bytes_max));
        }
        if (read as u64) < piece {
            return Ok(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_packed_is_unpacked_up_to_its_bound() {
        let budget = Budget::senders();
        let allowance = || Allowance::of(&budget, 1 << 24);
        for length in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES] {
            let bytes: Vec<_> = (0..length).map(|at| (at % 251) as u8).collect();
            let packed = snap::raw::Encoder::new().compress_vec(&bytes).unwrap();
            let block = Snappy::new(&packed, length).unwrap();
            assert_eq!(block.length(), length);
            assert_eq!(block.unpack().unwrap(), bytes);
            assert_eq!(gunzip(&gzip(&bytes), length, &mut allowance()).unwrap(), bytes);
            let Some(less) = length.checked_sub(1) else { continue };
            assert!(matches!(Snappy::new(&packed, less), Err(UnpackError::TooLong(_))));
            let read = gunzip(&gzip(&bytes), less, &mut allowance());
            assert!(matches!(read, Err(UnpackError::TooLong(_))));
        }
        let two = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(gunzip(&two, 100, &mut allowance()).unwrap(), b"one two");
        assert!(matches!(gunzip(&two[..20], 100, &mut allowance()), Err(UnpackError::Gzip(_))));
        for broken in [&b""[..], b"\xff", b"\x05no"] {
            let unpacked = Snappy::new(broken, 100).and_then(Snappy::unpack);
            assert!(matches!(unpacked, Err(UnpackError::Snappy(_))), "{unpacked:?}");
        }
    }

    #[test]
    fn a_request_has_its_allowance_and_all_share_the_memory() {
        let budget = Budget::of(3 * PIECE_BYTES);
        let mut first = Allowance::of(&budget, 2 * PIECE_BYTES);
        assert_eq!(first.take(PIECE_BYTES + 1), Ok(()));
        assert_eq!(first.take(PIECE_BYTES - 1), Ok(()), "of what it asked for before");
        assert_eq!(first.take(1), Err(RoomError::TooMuch(2 * PIECE_BYTES)));
        let mut second = Allowance::of(&budget, usize::MAX);
        assert_eq!(second.take(PIECE_BYTES), Ok(()));
        assert_eq!(second.take(1), Err(RoomError::Taken));
        first.go_back_to(PIECE_BYTES);
        assert_eq!((first.used(), first.take(PIECE_BYTES)), (PIECE_BYTES, Ok(())), "of what it has already");
        assert_eq!(first.take(1), Err(RoomError::TooMuch(2 * PIECE_BYTES)));
        drop(first);
        let mut third = Allowance::of(&budget, usize::MAX);
        assert_eq!(third.take(2 * PIECE_BYTES), Ok(()));
        drop((second, third));
        assert_eq!(Allowance::of(&budget, usize::MAX).take(3 * PIECE_BYTES), Ok(()), "all was given back");
        assert_eq!(Allowance::of(&budget, usize::MAX).take(usize::MAX), Err(RoomError::Taken));
    }

    #[test]
    fn a_bomb_stops_at_its_allowance() {
        let budget = Budget::senders();
        let bomb = gzip(&vec![0; 4 << 20]);
        assert!(bomb.len() < 64 * 1024);
        let mut allowance = Allowance::of(&budget, 1 << 20);
        let read = gunzip(&bomb, usize::MAX, &mut allowance);
        assert!(matches!(read, Err(UnpackError::Room(RoomError::TooMuch(_)))), "{read:?}");
    }
}
