//! What one who sends may have of the memory for bodies, beside all others: an agent while they are on their way, a sender until
//! they were read.

use super::{
    budget::{Budget, Share},
    too_many,
};
use crate::http::problem::Refusal;
use bytes::Bytes;
use pingup_protocol::problem::ProblemType;
use std::sync::{Arc, atomic::AtomicUsize};

/// What is left for bodies of one who sends, and who that is.
#[derive(Clone, Copy, Debug)]
pub struct Own<'o> {
    left: &'o AtomicUsize,
    is_sender: bool,
}

/// A body, and what it takes of its sender's own.
struct Held {
    bytes: Bytes,
    _own: Share<Arc<AtomicUsize>>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<'o> Own<'o> {
    /// An agent's.
    pub const fn of_agent(left: &'o AtomicUsize) -> Self {
        Self { left, is_sender: false }
    }

    /// A sender's.
    pub fn of_sender(share: &'o Budget) -> Self {
        Self { left: share.left(), is_sender: true }
    }

    pub(super) const fn share(self) -> Share<&'o AtomicUsize> {
        Share::of(self.left)
    }

    /// Takes what the waiting for a body takes, of whoever pays for it: an agent of its own, so that no other one waits for it. Senders
    /// are many, and each has much.
    pub(super) fn wait(
        own: Option<Self>,
        budget: &Budget,
        bytes: usize,
    ) -> Result<Option<Share<&AtomicUsize>>, Refusal> {
        if own.is_some_and(|own| !own.is_sender) {
            return Ok(None);
        }
        let mut waiting = budget.share();
        if waiting.grow(bytes) { Ok(Some(waiting)) } else { Err(too_many()) }
    }

    /// That it has no more.
    pub(super) fn refusal(self) -> Refusal {
        if self.is_sender {
            return of_sender();
        }
        let detail = "too many bodies of one agent arrive at once; send one after the other";
        Refusal::new(ProblemType::RateLimited, detail).retry_after(1).too_many("bodies of this agent at once")
    }
}

impl Budget {
    /// A sender's body that has come, counted of this until nobody has it any more.
    pub fn hold(&self, bytes: Bytes) -> Result<Bytes, Refusal> {
        let mut own = self.open();
        match own.grow(bytes.len()) {
            true => Ok(Bytes::from_owner(Held { bytes, _own: own })),
            false => Err(of_sender()),
        }
    }
}

/// Never 429: a sender that hears that may take it for the last word.
fn of_sender() -> Refusal {
    let detail =
        "too many bodies of this sender are here at once; send them one after the other, and this again";
    Refusal::new(ProblemType::Overloaded, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::body::{SENDER_BODIES_BYTES_MAX, Shares};

    #[test]
    fn a_body_counts_for_its_sender_until_it_was_read() {
        let shares = Shares::of_bodies();
        let body = |bytes: usize| Bytes::from(vec![b' '; bytes]);
        let first = shares.of("one").hold(body(SENDER_BODIES_BYTES_MAX - 1)).unwrap();
        let second = shares.of("one").hold(body(1)).unwrap();
        let copy = first.clone();
        drop(first);
        let refusal = shares.of("one").hold(body(1)).unwrap_err();
        assert_eq!(refusal.kind(), ProblemType::Overloaded);
        assert!(shares.of("other").hold(body(SENDER_BODIES_BYTES_MAX)).is_ok(), "it has its own");
        drop((copy, second));
        assert!(shares.of("one").hold(body(SENDER_BODIES_BYTES_MAX)).is_ok(), "all of it was given back");
    }
}
