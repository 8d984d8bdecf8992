//! What each sender has of the memory that all of them share: one that is quick and large must not keep the others out.

use crate::http::body::Budget;
use foldhash::HashMap;
use std::sync::{Mutex, PoisonError};

/// Senders whose requests are being read, each with what is left of its share. Those who have none are let go: there are as
/// many as there are requests.
#[derive(Debug, Default)]
pub(super) struct Shares(Mutex<HashMap<Box<str>, Budget>>);

impl Shares {
    /// A sender's share; it is the same one for as long as somebody holds it.
    pub(super) fn of(&self, sender: &str) -> Budget {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(sender) {
            return share.clone();
        }
        shares.retain(|_, share| share.is_held());
        shares.entry(sender.into()).or_insert_with(Budget::of_sender).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{
        body::SENDER_BYTES_MAX,
        unpack::{Allowance, RoomError},
    };

    #[test]
    fn a_sender_at_its_share_leaves_the_others_theirs() {
        let (all, shares) = (Budget::senders(), Shares::default());
        let allowance = |sender: &str| Allowance::of(&all, usize::MAX).within(&shares.of(sender));
        let (mut greedy, mut more) = (allowance("greedy"), allowance("greedy"));
        assert_eq!(greedy.take(SENDER_BYTES_MAX), Ok(()));
        assert_eq!(more.take(1), Err(RoomError::TakenBySender));
        let mut other = allowance("other");
        assert_eq!(other.take(1), Ok(()));
        drop((greedy, more));
        assert_eq!(allowance("greedy").take(SENDER_BYTES_MAX), Ok(()), "given back");
        assert_eq!(shares.0.lock().unwrap().len(), 2, "and the other's is held still");
        drop(other);
        shares.of("third");
        assert_eq!(shares.0.lock().unwrap().len(), 1, "nobody is remembered who has nothing");
    }
}
