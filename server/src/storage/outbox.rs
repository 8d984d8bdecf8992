//! Long answers on their way out: what they may take together until their readers have taken them.
//!
//! Promises: short answers pass at once. A long one takes its room before its question ends, so that those who ask
//! much at once wait for one another, not the memory for them; one is let out whatever its size, and counts as half of
//! the room at most. Each leaves half as much as it counts free for those after it: the longer an answer, the earlier
//! it waits, and a slow reader of a long one does not keep short ones from theirs. Room is given back when the last
//! byte is with the system, or the connection is gone.
//!
//! Refuses: with [`StorageError::Unread`] who finds no room within a short wait ([`OUTBOX_WAIT`]): it holds its turn
//! meanwhile, and readers that take their answers slowly must not keep those who ask for little from theirs.

use super::{StorageError, Wanted};
use bytes::Bytes;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What long answers may count together. The longest, of which one at a time is out, may take more than the half that
/// it counts as.
pub const OUTBOX_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long an answer waits for room, while whoever asks next waits for its turn.
pub const OUTBOX_WAIT: Duration = Duration::from_millis(250);
/// Answers up to this size are not counted: the connections bound them.
const SHORT_BYTES_MAX: usize = 64 * 1024;
/// How often one that waits looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// The room for long answers; clones share it.
#[derive(Clone, Debug)]
pub struct Outbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes_max: usize,
    wait: Duration,
    held: Mutex<usize>,
    freed: Condvar,
}

/// An answer, and its room until it is dropped.
struct Held {
    bytes: Vec<u8>,
    counts: usize,
    inner: Arc<Inner>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.inner.held() -= self.counts;
        self.inner.freed.notify_all();
    }
}

impl Inner {
    /// A count is valid after every step.
    fn held(&self) -> MutexGuard<'_, usize> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    /// Room for `bytes_max`; who finds none waits for `wait`.
    pub fn new(bytes_max: usize, wait: Duration) -> Self {
        Self(Arc::new(Inner { bytes_max, wait, held: Mutex::default(), freed: Condvar::new() }))
    }

    /// Takes room for an answer, waiting (blocking) for others to be gone.
    pub fn hold(&self, mut bytes: Vec<u8>, wanted: &Wanted) -> Result<Bytes, StorageError> {
        if bytes.len() <= SHORT_BYTES_MAX {
            return Ok(bytes.into());
        }
        // It was grown by doubling.
        bytes.shrink_to_fit();
        let inner = &self.0;
        let counts = bytes.len().min(inner.bytes_max / 2);
        let until = Instant::now() + inner.wait;
        let mut held = inner.held();
        while *held > 0 && *held + counts + counts / 2 > inner.bytes_max {
            wanted.check()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StorageError::Unread);
            }
            held = match inner.freed.wait_timeout(held, left.min(LOOK)) {
                Ok((held, _)) => held,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        *held += counts;
        drop(held);
        Ok(Bytes::from_owner(Held { bytes, counts, inner: Arc::clone(inner) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const LONG: usize = SHORT_BYTES_MAX + 1;

    fn held(outbox: &Outbox) -> usize {
        *outbox.0.held()
    }

    fn long(outbox: &Outbox, bytes: usize) -> Result<Bytes, StorageError> {
        outbox.hold(vec![0; bytes], &Wanted::default())
    }

    #[test]
    fn what_is_out_is_counted_until_its_last_part_is_gone() {
        let outbox = Outbox::new(3 * LONG, Duration::ZERO);
        assert_eq!((long(&outbox, SHORT_BYTES_MAX).unwrap().len(), held(&outbox)), (SHORT_BYTES_MAX, 0));
        let mut first = outbox.hold(vec![2; LONG], &Wanted::default()).unwrap();
        let second = long(&outbox, LONG).unwrap();
        assert!(matches!(long(&outbox, LONG), Err(StorageError::Unread)));
        let part = first.split_to(10);
        drop(first);
        assert_eq!((held(&outbox), &part[..]), (2 * LONG, &[2; 10][..]));
        drop((part, second));
        assert_eq!(held(&outbox), 0);
    }

    #[test]
    fn one_is_let_out_whatever_its_size() {
        let outbox = Outbox::new(LONG, Duration::ZERO);
        let whole = long(&outbox, 2 * LONG).unwrap();
        assert!(long(&outbox, LONG).is_err());
        drop(whole);
        assert!(long(&outbox, LONG).is_ok());
    }

    /// One that is larger than all the room is out, and nobody takes it.
    #[test]
    fn beside_the_longest_the_shorter_find_room_and_the_shortest_longest() {
        const MIB: usize = 1024 * 1024;
        let outbox = Outbox::new(8 * MIB, Duration::ZERO);
        let longest = long(&outbox, 12 * MIB).unwrap();
        assert_eq!(held(&outbox), 4 * MIB);
        // Half as much as it counts would have to stay free.
        assert!(long(&outbox, 3 * MIB).is_err());
        let page = long(&outbox, 2 * MIB).unwrap();
        assert!(long(&outbox, 2 * MIB).is_err());
        let pages = [long(&outbox, MIB).unwrap(), long(&outbox, MIB / 2).unwrap()];
        assert!(long(&outbox, MIB / 2).is_err());
        let short = long(&outbox, MIB / 4).unwrap();
        assert!(held(&outbox) <= 8 * MIB);
        drop((longest, page, pages, short));
        assert_eq!(held(&outbox), 0);
    }

    #[test]
    fn who_waits_goes_on_when_there_is_room_and_ends_when_nobody_wants_it() {
        let outbox = Outbox::new(LONG, Duration::from_secs(600));
        let first = long(&outbox, LONG).unwrap();
        let waiting = {
            let outbox = outbox.clone();
            thread::spawn(move || long(&outbox, LONG).map(|bytes| bytes.len()))
        };
        drop(first);
        assert_eq!(waiting.join().unwrap().unwrap(), LONG);
        let _again = long(&outbox, LONG).unwrap();
        let gone = outbox.hold(vec![0; LONG], &Wanted::nobody());
        assert!(matches!(gone, Err(StorageError::Timeout)), "{gone:?}");
    }
}
