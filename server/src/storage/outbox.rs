//! Long answers on their way out: what they may take together until their readers have taken them.
//!
//! Promises: short answers pass at once. A long one takes its room before its question ends, so that those who ask
//! much at once wait for one another, not the memory for them; one is let out whatever its size. Room is given back
//! when the last byte is with the system, or the connection is gone.
//!
//! Refuses: with [`StorageError::Busy`] who finds no room within a short wait ([`OUTBOX_WAIT`]): it holds its turn
//! meanwhile, and readers that take their answers slowly must not keep those who ask for little from theirs.

use super::{StorageError, Wanted};
use bytes::Bytes;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What long answers may take together: a page or two of the longest.
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
    inner: Arc<Inner>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.inner.held() -= self.bytes.len();
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
        let until = Instant::now() + inner.wait;
        let mut held = inner.held();
        while *held > 0 && *held + bytes.len() > inner.bytes_max {
            wanted.check()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StorageError::Busy);
            }
            held = match inner.freed.wait_timeout(held, left.min(LOOK)) {
                Ok((held, _)) => held,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        *held += bytes.len();
        drop(held);
        Ok(Bytes::from_owner(Held { bytes, inner: Arc::clone(inner) }))
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

    #[test]
    fn what_is_out_is_counted_until_its_last_part_is_gone() {
        let outbox = Outbox::new(2 * LONG, Duration::ZERO);
        let short = outbox.hold(vec![1; SHORT_BYTES_MAX], &Wanted::default()).unwrap();
        assert_eq!((short.len(), held(&outbox)), (SHORT_BYTES_MAX, 0));
        let mut first = outbox.hold(vec![2; LONG], &Wanted::default()).unwrap();
        let second = outbox.hold(vec![3; LONG], &Wanted::default()).unwrap();
        let refused = outbox.hold(vec![4; LONG], &Wanted::default());
        assert!(matches!(refused, Err(StorageError::Busy)));
        let part = first.split_to(10);
        drop(first);
        assert_eq!((held(&outbox), &part[..]), (2 * LONG, &[2; 10][..]));
        drop((part, second));
        assert_eq!(held(&outbox), 0);
    }

    #[test]
    fn one_is_let_out_whatever_its_size() {
        let outbox = Outbox::new(1, Duration::ZERO);
        let whole = outbox.hold(vec![0; LONG], &Wanted::default()).unwrap();
        assert!(outbox.hold(vec![0; LONG], &Wanted::default()).is_err());
        drop(whole);
        assert!(outbox.hold(vec![0; LONG], &Wanted::default()).is_ok());
    }

    #[test]
    fn who_waits_goes_on_when_there_is_room_and_ends_when_nobody_wants_it() {
        let outbox = Outbox::new(LONG, Duration::from_secs(600));
        let first = outbox.hold(vec![0; LONG], &Wanted::default()).unwrap();
        let waiting = {
            let outbox = outbox.clone();
            thread::spawn(move || outbox.hold(vec![0; LONG], &Wanted::default()).map(|bytes| bytes.len()))
        };
        drop(first);
        assert_eq!(waiting.join().unwrap().unwrap(), LONG);
        let _again = outbox.hold(vec![0; LONG], &Wanted::default()).unwrap();
        let gone = outbox.hold(vec![0; LONG], &Wanted::nobody());
        assert!(matches!(gone, Err(StorageError::Timeout)), "{gone:?}");
    }
}
