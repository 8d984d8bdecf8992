//! Orders that were used: none is used again.
//!
//! No clock has a part in it, for every clock can be set. Kept are those that expire last, so many as there may be; where one
//! must go it is the one that expires first, and from then on nothing is taken that expires as early: it might be that one.
//! What raises this bar is what operators signed, never a hub's word, so no hub can raise it out of their reach.

use pingup_protocol::{order::Order, time::Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, fmt::Write};

/// Orders that are remembered: one each few seconds for an hour, each an hour long. They take 200 KiB of the journal.
pub const SPENT_MAX: usize = 4_096;
/// Bytes of a digest that tell nonces apart.
const DIGEST_BYTES: usize = 16;

/// By what an order is known again: when it expires, and whose nonce it has. In the order of their ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark(Timestamp, String);

impl Mark {
    /// That of `order`, which was verified.
    pub fn of(order: &Order) -> Self {
        // A key has one length, so nothing can stand for two pairs of key and nonce.
        let digest =
            Sha256::new_with_prefix(order.key_id.as_bytes()).chain_update(order.nonce.as_bytes()).finalize();
        let mut text = String::with_capacity(2 * DIGEST_BYTES);
        for byte in &digest[..DIGEST_BYTES] {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(order.expires_at, text)
    }
}

/// Orders that were used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spent {
    marks: BTreeSet<Mark>,
    /// The latest end of those that had to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgotten_until: Option<Timestamp>,
}

impl Spent {
    /// Whether nothing was used yet.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.forgotten_until.is_none()
    }

    /// Whether this order was used: this nonce of this key, whatever its end was.
    pub fn holds(&self, mark: &Mark) -> bool {
        self.marks.iter().any(|kept| kept.1 == mark.1)
    }

    /// Whether it may have been used, for all that is known.
    pub fn has_forgotten(&self, mark: &Mark) -> bool {
        self.forgotten_until.is_some_and(|until| mark.0 <= until)
    }

    /// Takes note that it is used.
    pub fn add(&mut self, mark: Mark) {
        self.marks.insert(mark);
        while self.marks.len() > SPENT_MAX
            && let Some(first) = self.marks.pop_first()
        {
            self.forgotten_until = self.forgotten_until.max(Some(first.0));
        }
    }
}
