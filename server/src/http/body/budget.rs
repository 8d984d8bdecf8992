//! The memory that bodies may take: by kind of caller, so that none of them silences another.

use pingup_protocol::limits::BATCH_BODY_BYTES_MAX;
use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// What all bodies of agents, being read or answered, may take together.
pub const BODIES_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The same for operators: a full order, and what small bodies are left. A pool of their own, so that a token that got into wrong hands
/// silences no agent.
pub const OPERATORS_BODIES_BYTES_MAX: usize = BATCH_BODY_BYTES_MAX + RESERVED_BYTES;
/// What a large body leaves of either, so that a few large ones on a slow line keep no small one out.
const RESERVED_BYTES: usize = 2 * 1024 * 1024;
/// A body beyond this is large: most batches are below.
const SMALL_BYTES_MAX: usize = 128 * 1024;
/// The same for strangers, who may only enrol: a pool of their own, so that filling it silences nobody else.
pub const STRANGERS_BODIES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The same for senders of series: their bodies, those unpacked, and what is made of them until it is committed. A pool of
/// their own too: agents must not wait for others' figures.
pub const SENDERS_BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What of it large bodies, and large requests, leave to small ones.
pub const SENDERS_RESERVED_BYTES: usize = 8 * 1024 * 1024;
/// What one sender, a token by its name, may take of it once its bodies are there: unpacked, and all that is made of them.
pub const SENDER_BYTES_MAX: usize = SENDERS_BODIES_BYTES_MAX / 2;
/// What its bodies may take as they come, from their first byte until they were read: the largest there is, and half as much beside it.
pub const SENDER_BODIES_BYTES_MAX: usize = SENDERS_BODIES_BYTES_MAX / 4;
const _: () = assert!(
    SENDER_BYTES_MAX + SENDER_BODIES_BYTES_MAX + SENDERS_RESERVED_BYTES < SENDERS_BODIES_BYTES_MAX,
    "one alone never has all of it"
);

/// The memory for bodies, shared by all requests: this, not the number of connections, bounds what they fill.
#[derive(Clone, Debug)]
pub struct Budget {
    left: Arc<AtomicUsize>,
    /// What large bodies leave of it.
    reserved: usize,
}

impl Budget {
    /// For agents.
    pub fn known() -> Self {
        Self { reserved: RESERVED_BYTES, ..Self::of(BODIES_BYTES_MAX) }
    }

    /// For operators.
    pub fn operators() -> Self {
        Self { reserved: RESERVED_BYTES, ..Self::of(OPERATORS_BODIES_BYTES_MAX) }
    }

    /// For everyone else.
    pub fn strangers() -> Self {
        Self::of(STRANGERS_BODIES_BYTES_MAX)
    }

    /// For senders of series.
    pub fn senders() -> Self {
        Self { reserved: SENDERS_RESERVED_BYTES, ..Self::of(SENDERS_BODIES_BYTES_MAX) }
    }

    /// Whether anybody else has it, or a share of it.
    pub(super) fn is_held(&self) -> bool {
        Arc::strong_count(&self.left) > 1
    }

    pub(in crate::http) fn of(bytes: usize) -> Self {
        Self { left: Arc::new(AtomicUsize::new(bytes)), reserved: 0 }
    }

    /// A share that may be taken to another thread; nothing of the budget so far.
    pub(in crate::http) fn open(&self) -> Share<Arc<AtomicUsize>> {
        Share { left: Arc::clone(&self.left), bytes: 0, reserved: self.reserved }
    }

    /// What is left of it.
    pub(super) fn left(&self) -> &AtomicUsize {
        &self.left
    }

    /// The same, for this thread.
    pub(super) fn share(&self) -> Share<&AtomicUsize> {
        Share { left: &*self.left, bytes: 0, reserved: self.reserved }
    }
}

/// What of the budget a body takes, until this is dropped.
#[derive(Debug)]
pub struct Share<P: Deref<Target = AtomicUsize>> {
    left: P,
    bytes: usize,
    reserved: usize,
}

impl<'a> Share<&'a AtomicUsize> {
    /// Of what is left, all of which may be taken.
    pub(super) const fn of(left: &'a AtomicUsize) -> Self {
        Self { left, bytes: 0, reserved: 0 }
    }
}

impl<P: Deref<Target = AtomicUsize>> Share<P> {
    /// Takes more, if it is there.
    pub(in crate::http) fn grow(&mut self, bytes: usize) -> bool {
        let leaves = if self.bytes + bytes > SMALL_BYTES_MAX { self.reserved } else { 0 };
        let take = |left: usize| left.checked_sub(bytes).filter(|left| *left >= leaves);
        // A count and nothing else: what is in the bodies is handed over by other means.
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        self.bytes += if taken.is_ok() { bytes } else { 0 };
        taken.is_ok()
    }

    pub(in crate::http) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<P: Deref<Target = AtomicUsize>> Drop for Share<P> {
    fn drop(&mut self) {
        self.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_leave_room_for_small_ones() {
        let budget = Budget::known();
        let mut large = budget.share();
        assert!(large.grow(BODIES_BYTES_MAX - RESERVED_BYTES) && !large.grow(1));
        let small: Vec<_> = (0..RESERVED_BYTES / SMALL_BYTES_MAX)
            .map(|_| {
                let mut share = budget.share();
                assert!(share.grow(SMALL_BYTES_MAX) && !share.grow(1), "it would be large");
                share
            })
            .collect();
        assert!(!budget.share().grow(1), "that was all");
        drop((large, small));
        assert_eq!(budget.left.load(Ordering::Relaxed), BODIES_BYTES_MAX, "all of it was given back");
    }

    #[test]
    fn a_full_order_fits_what_operators_have() {
        assert!(Budget::operators().share().grow(BATCH_BODY_BYTES_MAX));
    }
}
