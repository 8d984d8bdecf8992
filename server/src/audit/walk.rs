//! Walks the chain and says where it breaks. Pure: the caller brings the rows, in order.

use super::{Entry, Hash, Head};
use crate::deed::hex;

/// How far from its place a row is looked for that was put elsewhere.
pub const MOVED_ROWS_MAX: usize = 1_000;

/// Where a chain breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Rows are not there.
    #[error("row {first} is missing: behind row {} comes row {next}", first - 1)]
    Missing {
        /// The first that is not.
        first: u64,
        /// The one that stands behind the gap.
        next: u64,
    },
    /// A row does not say what it said.
    #[error("row {0} is not what was written: it was changed, or the row before it was")]
    Changed(u64),
    /// A row stands in another's place.
    #[error("row {at} was row {was}: rows were reordered")]
    Moved {
        /// Where it stands.
        at: u64,
        /// Where it stood.
        was: u64,
    },
    /// There were more.
    #[error("rows are cut off at the end: {there} are there, and there were {expected}")]
    Cut {
        /// How many there are.
        there: u64,
        /// How many there were.
        expected: u64,
    },
    /// Every row fits the one before, and yet it is not the chain that was.
    #[error(
        "row {count} has the hash {found}, and had {expected}: the chain was made anew, or is another hub's"
    )]
    Other {
        /// Which row was kept.
        count: u64,
        /// What it has now.
        found: String,
        /// What it had.
        expected: String,
    },
}

/// How far a walk has come.
#[derive(Clone, Debug)]
pub struct Walk {
    genesis: Hash,
    head: Head,
    /// What was kept elsewhere.
    expected: Option<Head>,
}

impl Walk {
    /// Before the first row of a chain that begins with `genesis`. An `expected` head must be passed.
    pub const fn new(genesis: Hash, expected: Option<Head>) -> Self {
        Self { genesis, head: Head { count: 0, hash: genesis }, expected }
    }

    /// How far it is.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Takes the next row; `behind` are those that follow, as far as the caller has them.
    pub fn step(&mut self, entry: &Entry, behind: &[Entry]) -> Result<(), Broken> {
        let seq = self.head.count + 1;
        if entry.seq != seq {
            return Err(Broken::Missing { first: seq, next: entry.seq });
        }
        if entry.hash_behind(&self.head.hash) != Some(entry.hash) {
            return Err(self.moved(entry, behind).unwrap_or(Broken::Changed(seq)));
        }
        self.head = Head { count: seq, hash: entry.hash };
        self.compare()
    }

    /// There are no more rows.
    pub fn end(self) -> Result<Head, Broken> {
        match self.expected {
            // Who kept the beginning kept a head too.
            Some(Head { count: 0, hash }) if hash != self.genesis => {
                Err(Broken::Other { count: 0, found: hex(&self.genesis), expected: hex(&hash) })
            }
            Some(expected) if expected.count > self.head.count => {
                Err(Broken::Cut { there: self.head.count, expected: expected.count })
            }
            _ => Ok(self.head),
        }
    }

    fn compare(&self) -> Result<(), Broken> {
        match self.expected {
            Some(Head { count, hash }) if count == self.head.count && hash != self.head.hash => {
                Err(Broken::Other { count, found: hex(&self.head.hash), expected: hex(&hash) })
            }
            _ => Ok(()),
        }
    }

    /// Whether the row is one of those behind it, put here: then its hash fits one of their places.
    fn moved(&self, entry: &Entry, behind: &[Entry]) -> Option<Broken> {
        let near = &behind[..behind.len().min(MOVED_ROWS_MAX)];
        let before = [self.head.hash, entry.hash];
        let hashes: Vec<Hash> = before.into_iter().chain(near.iter().map(|entry| entry.hash)).collect();
        for was in entry.seq + 1..=entry.seq + near.len() as u64 {
            let there = Entry { seq: was, ..entry.clone() };
            if hashes.iter().any(|hash| there.hash_behind(hash) == Some(entry.hash)) {
                return Some(Broken::Moved { at: entry.seq, was });
            }
        }
        None
    }
}
