//! What each sender has of the memory that all of them share: one that is quick and large must not keep the others out.

use super::budget::{Budget, SENDER_BODIES_BYTES_MAX, SENDER_BYTES_MAX};
use foldhash::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Senders who have requests here, each with what is left of its share. Those who have none are let go: there are as many as
/// there are requests.
#[derive(Clone, Debug)]
pub struct Shares {
    held: Arc<Mutex<HashMap<Box<str>, Budget>>>,
    bytes_max: usize,
}

impl Shares {
    /// Of the memory for what is made of bodies.
    pub fn of_what_is_read() -> Self {
        Self::of_each(SENDER_BYTES_MAX)
    }

    /// Of the memory for bodies as they come.
    pub fn of_bodies() -> Self {
        Self::of_each(SENDER_BODIES_BYTES_MAX)
    }

    pub(super) fn of_each(bytes_max: usize) -> Self {
        Self { held: Arc::default(), bytes_max }
    }

    /// A sender's share; it is the same one for as long as somebody holds it.
    pub fn of(&self, sender: &str) -> Budget {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = held.get(sender) {
            return share.clone();
        }
        held.retain(|_, share| share.is_held());
        held.entry(sender.into()).or_insert_with(|| Budget::of(self.bytes_max)).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::unpack::{Allowance, RoomError};

    #[test]
    fn a_sender_at_its_share_leaves_the_others_theirs() {
        let (all, shares) = (Budget::senders(), Shares::of_what_is_read());
        let allowance = |sender: &str| Allowance::of(&all, usize::MAX).within(&shares.of(sender));
        let (mut greedy, mut more) = (allowance("greedy"), allowance("greedy"));
        assert_eq!(greedy.take(SENDER_BYTES_MAX), Ok(()));
        assert_eq!(more.take(1), Err(RoomError::TakenBySender));
        let mut other = allowance("other");
        assert_eq!(other.take(1), Ok(()));
        drop((greedy, more));
        assert_eq!(allowance("greedy").take(SENDER_BYTES_MAX), Ok(()), "given back");
        assert_eq!(shares.held.lock().unwrap().len(), 2, "and the other's is held still");
        drop(other);
        shares.of("third");
        assert_eq!(shares.held.lock().unwrap().len(), 1, "nobody is remembered who has nothing");
    }
}
